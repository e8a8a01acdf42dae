"""Starting a program: what it does before the program itself begins."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_a_reader_that_stops_early_is_no_error():
    """As in `train.py --cfg job | head -1`: no traceback, whatever the size of the pipe's buffer."""
    command = [sys.executable, "-u", str(ROOT / "train.py"), "--cfg", "job"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode in (0, 1)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["optim=adamm"], "error: optim=adamm: choose adam_sgd or adamw\n"),
        (["task=[genre,tempoo]"], "error: task=tempoo: choose "),
        (["-m", "optim=adamm,adamw"], "error: optim=adamm: choose adam_sgd or adamw\n"),
        (["-m", "optim.lr=1e-3,x"], "error: optim.lr=x: give a number"),
        (
            ["-m", "seed=0,1", "trainer.devices=2"],
            "error: trainer.strategy=auto trainer.devices=2: with several processes",
        ),
    ],
)
def test_a_mistake_is_one_message_and_leaves_no_folder(
    program: Callable, tmp_path: Path, overrides: list[str], message: str
):
    run, sweep = tmp_path / "new" / "run", tmp_path / "new" / "sweep"
    done = program("train.py", *overrides, f"hydra.run.dir={run}", f"hydra.sweep.dir={sweep}", status=1)
    assert done.stderr.startswith(message) and done.stderr.count("\n") == 1
    assert not (tmp_path / "new").exists()


def test_a_sweep_folder_that_existed_before_stays(program: Callable, tmp_path: Path):
    program("train.py", "-m", "optim=adamm,adamw", f"hydra.sweep.dir={tmp_path}", status=1)
    assert tmp_path.is_dir()


def test_a_config_of_ones_own_that_is_no_yaml_is_one_message(program: Callable, tmp_path: Path):
    broken = tmp_path / "conf" / "model" / "mine.yaml"
    broken.parent.mkdir(parents=True)
    broken.write_text("width: [8\n")
    done = program("train.py", "model=mine", folder=tmp_path, status=1)
    assert done.stderr.startswith("error: config: ") and done.stderr.count("\n") == 1
    assert f'in "{broken}", line 1' in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["conf"]


def test_an_option_of_a_group_is_no_file(tmp_path: Path):
    """Folders that are called as options are written do not change which option is chosen."""
    (tmp_path / "[tempo]").mkdir()
    command = [sys.executable, str(ROOT / "train.py"), "task=[tempo]", "--cfg", "job", "--package", "task"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert "musicrec.heads.tempo.TempoHead" in done.stdout, done.stderr
