"""The folder of a run: made before the program begins, and removed if the program fails before it writes there."""

import errno
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import hydra
import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from musicrec.config.targets import TARGETS
from musicrec.errors import ConfigError
from musicrec.programs.guard import program
from musicrec.runs.run_record import RunRecord

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """start(task, *overrides): run the task as a program with the config of evaluate.py."""

    def run(task: Callable[[DictConfig], None], *overrides: str) -> None:
        GlobalHydra.instance().clear()
        monkeypatch.setattr(sys, "argv", ["evaluate.py", *overrides, "hydra/sweeper=basic"])
        hydra.main(config_path=str(ROOT / "conf"), config_name="evaluate", execution_whitelist=TARGETS)(task)()

    return run


def test_two_runs_never_share_a_folder_and_each_knows_its_own(start: Callable, tmp_path: Path):
    """Also when both begin within a second, and when asked again after the folder was made, as DDP asks."""
    found = []

    def main(cfg: DictConfig) -> None:
        found.append((Path(HydraConfig.get().run.dir), Path(HydraConfig.get().runtime.output_dir)))

    for _ in range(2):
        start(main, f"paths.runs={tmp_path}")
    (first, first_output), (second, second_output) = found
    assert (first, second) == (first_output, second_output) and first != second
    assert {path.name for path in (tmp_path / "evaluate").iterdir()} == {first.name, second.name}


@pytest.mark.parametrize(
    ("outcome", "left"),
    [
        ("fails", []),
        ("records that it fails", []),
        ("finds another run there, and fails", ["kept/run/run.json"]),
        ("writes, then fails", ["kept/run/notes.txt"]),
        ("interrupted", []),
        ("succeeds", ["kept/run"]),
    ],
)
def test_a_run_that_failed_before_it_wrote_anything_leaves_no_folder(
    start: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outcome: str, left: list[str]
):
    @program
    def main(cfg: DictConfig) -> None:
        folder = Path(HydraConfig.get().runtime.output_dir)
        if outcome.startswith("writes"):
            (folder / "notes.txt").touch()
        monkeypatch.setattr("musicrec.programs.output_folder.is_locked", lambda path: "another" in outcome)
        recording = "records" in outcome or "another" in outcome
        with RunRecord(folder, name="x", config={}, overrides=[]) if recording else nullcontext():
            if outcome.endswith("fails"):
                raise ConfigError("no")
        if outcome == "interrupted":
            raise KeyboardInterrupt

    try:
        start(main, f"hydra.run.dir={tmp_path}/kept/run")
    except SystemExit as end:
        assert end.code == (130 if outcome == "interrupted" else 1)
    assert all((tmp_path / name).exists() for name in left)
    assert bool(left) == (tmp_path / "kept").exists()


def test_a_full_disk_is_noticed_before_hydra_writes(
    start: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    @program
    def main(cfg: DictConfig) -> None:
        pytest.fail("the program began")

    def full(**_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("musicrec.programs.output_folder.tempfile.TemporaryFile", full)
    with pytest.raises(SystemExit):
        start(main, f"hydra.run.dir={tmp_path}/new/run")
    assert "new/run: cannot be written (No space left on device); name a folder" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_a_folder_that_existed_before_stays(start: Callable, tmp_path: Path):
    @program
    def main(cfg: DictConfig) -> None:
        raise ConfigError("no")

    with pytest.raises(SystemExit):
        start(main, f"hydra.run.dir={tmp_path}")
    assert tmp_path.is_dir()
