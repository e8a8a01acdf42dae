"""What a mistake prints, and what a config builds."""

import errno
import sys
import warnings
from contextlib import nullcontext
from pathlib import Path

import hydra
import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from musicrec.config.targets import TARGETS
from musicrec.deformations.resample import RandomResample
from musicrec.errors import AudioError, ConfigError
from musicrec.heads.key import KeyHead
from musicrec.heads.tempo import TempoHead
from musicrec.programs.build import build_all, build_heads, plain
from musicrec.programs.guard import program
from musicrec.runs.run_record import RunRecord

ROOT = Path(__file__).parents[2]


def fail(error: BaseException, capsys: pytest.CaptureFixture) -> str:
    """Run a program that raises; what it printed to standard error."""

    @program
    def main(cfg: object) -> None:
        raise error

    with pytest.raises(SystemExit) as end:
        main(OmegaConf.create())
    assert end.value.code == 1
    printed = capsys.readouterr()
    assert printed.out == "" and "Traceback" not in printed.err
    return printed.err


def test_a_mistake_ends_with_one_message_and_status_1(capsys: pytest.CaptureFixture):
    message = "songs/[live] a.mp3: not audio; " + "convert it. " * 30
    assert fail(AudioError(message), capsys) == f"error: {message}\n", (
        "as it is: brackets are no markup, no line breaks"
    )


@pytest.mark.parametrize(
    ("name", "message"),
    [("RandomResample", "max_semitones=99 must lie in 0–12"), ("Resampler", "config key: augment.resample")],
    ids=["value", "class"],
)
def test_a_mistake_in_a_setting_is_named(capsys: pytest.CaptureFixture, name: str, message: str):
    entry = {"_target_": f"musicrec.deformations.resample.{name}", "max_semitones": 99}
    cfg = OmegaConf.create({"augment": {"resample": entry}})

    @program
    def main(cfg: object) -> None:
        instantiate(cfg.augment, _execution_whitelist_=TARGETS)

    with pytest.raises(SystemExit) as end:
        main(cfg)
    printed = capsys.readouterr().err
    assert end.value.code == 1
    assert message in printed and "Traceback" not in printed


@pytest.mark.parametrize(
    "target",
    [
        "os.system",
        "musicrec.export.folder.os.system",
        "musicrec.export.checkpoint.torch.load",
        "pytorch_lightning.LightningModule.load_from_checkpoint",
        "musicrec.training.module.MusicModule.load_from_checkpoint",
    ],
)
def test_a_config_calls_nothing_but_ours(tmp_path: Path, target: str):
    """Not even what our modules import, or what reads pickles."""
    with pytest.raises(InstantiationException, match=r"[Ww]hitelist"):
        instantiate({"_target_": target, "_args_": [str(tmp_path / "x")]}, _execution_whitelist_=TARGETS)


def test_a_warning_of_ours_is_a_line_for_the_user():
    @program
    def main(cfg: object) -> None:
        pass

    main(OmegaConf.create())
    ours = warnings.formatwarning("much padding", UserWarning, str(ROOT / "musicrec" / "module.py"), 7)
    assert ours == "warning: much padding\n"
    assert "torch/x.py:7: UserWarning: odd" in warnings.formatwarning("odd", UserWarning, "torch/x.py", 7)


def test_ctrl_c_is_no_fault(capsys: pytest.CaptureFixture):
    @program
    def main(cfg: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as end:
        main(OmegaConf.create())
    assert (end.value.code, capsys.readouterr().err) == (130, "interrupted\n")


def test_two_runs_never_share_a_folder_and_each_knows_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Also when both begin within a second, and when asked again after the folder was made, as DDP asks."""
    found = []

    @hydra.main(config_path=str(ROOT / "conf"), config_name="evaluate", execution_whitelist=TARGETS)
    def main(cfg: DictConfig) -> None:
        found.append((Path(HydraConfig.get().run.dir), Path(HydraConfig.get().runtime.output_dir)))

    monkeypatch.setattr(sys, "argv", ["evaluate.py", f"paths.runs={tmp_path}", "hydra/sweeper=basic"])
    for _ in range(2):
        GlobalHydra.instance().clear()
        main()
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
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outcome: str, left: list[str]
):
    @hydra.main(config_path=str(ROOT / "conf"), config_name="evaluate", execution_whitelist=TARGETS)
    @program
    def main(cfg: DictConfig) -> None:
        folder = Path(HydraConfig.get().runtime.output_dir)
        if outcome.startswith("writes"):
            (folder / "notes.txt").touch()
        monkeypatch.setattr("musicrec.programs.output_folder.is_held", lambda path: "another" in outcome)
        recording = "records" in outcome or "another" in outcome
        with RunRecord(folder, name="x", config={}, overrides=[]) if recording else nullcontext():
            if outcome.endswith("fails"):
                raise ConfigError("no")
        if outcome == "interrupted":
            raise KeyboardInterrupt

    monkeypatch.setattr(sys, "argv", ["evaluate.py", f"hydra.run.dir={tmp_path}/kept/run", "hydra/sweeper=basic"])
    GlobalHydra.instance().clear()
    try:
        main()
    except SystemExit as end:
        assert end.code == (130 if outcome == "interrupted" else 1)
    assert all((tmp_path / name).exists() for name in left)
    assert bool(left) == (tmp_path / "kept").exists()


def test_a_full_disk_is_told_before_hydra_finds_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    @hydra.main(config_path=str(ROOT / "conf"), config_name="evaluate", execution_whitelist=TARGETS)
    @program
    def main(cfg: DictConfig) -> None:
        pytest.fail("it began")

    def full(**_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("musicrec.programs.output_folder.tempfile.TemporaryFile", full)
    monkeypatch.setattr(sys, "argv", ["evaluate.py", f"hydra.run.dir={tmp_path}/new/run", "hydra/sweeper=basic"])
    GlobalHydra.instance().clear()
    with pytest.raises(SystemExit):
        main()
    assert "new/run: cannot be written (No space left on device); name a folder" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_a_folder_that_was_there_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    @hydra.main(config_path=str(ROOT / "conf"), config_name="evaluate", execution_whitelist=TARGETS)
    @program
    def main(cfg: DictConfig) -> None:
        raise ConfigError("no")

    monkeypatch.setattr(sys, "argv", ["evaluate.py", f"hydra.run.dir={tmp_path}", "hydra/sweeper=basic"])
    GlobalHydra.instance().clear()
    with pytest.raises(SystemExit):
        main()
    assert tmp_path.is_dir()


def test_a_missing_extra_is_named(capsys: pytest.CaptureFixture):
    assert "No module named 'essentia'" in fail(ModuleNotFoundError("No module named 'essentia'"), capsys)


def test_a_worker_that_died_and_a_full_disk_are_explained(capsys: pytest.CaptureFixture):
    died = RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. ")
    assert "(pid 7) is killed by signal: Killed. : mostly for want of memory" in fail(died, capsys)
    full = OSError(errno.ENOSPC, "No space left on device", "runs/a/metrics.csv")
    assert fail(full, capsys).startswith("error: runs/a/metrics.csv: No space left on device (")


def test_a_fault_of_ours_keeps_its_traceback():
    @program
    def main(cfg: object) -> None:
        raise AssertionError("a bug")

    with pytest.raises(AssertionError, match="a bug"):
        main(OmegaConf.create())


def test_a_program_gives_back_its_answer():
    assert program(lambda cfg: cfg.score)(OmegaConf.create({"score": 0.5})) == 0.5


def test_groups_are_built_without_what_is_null():
    resample = {"_target_": "musicrec.deformations.resample.RandomResample", "max_semitones": 2}
    built = build_all(OmegaConf.create({"resample": resample, "other": None}))
    assert [type(part) for part in built] == [RandomResample] and built[0].max_semitones == 2
    assert build_all(None) == []


def test_heads_take_their_name_from_the_key_and_tuples_for_lists():
    task = {
        "heads": {
            "key": {"_target_": "musicrec.heads.key.KeyHead"},
            "genre": None,
            "speed": {"_target_": "musicrec.heads.tempo.TempoHead", "edges_bpm": [60, 90, 120]},
        }
    }
    assert build_heads(OmegaConf.create(task)) == [KeyHead(), TempoHead(name="speed", edges_bpm=(60, 90, 120))]


@pytest.mark.parametrize("task", [{}, {"heads": {}}])
def test_a_task_without_heads_says_how_to_choose_some(task: dict):
    with pytest.raises(ConfigError, match=r"task=\[tags\]"):
        build_heads(OmegaConf.create(task))


def test_plain_resolves():
    assert plain(OmegaConf.create({"a": [1, 2], "b": "${a}"})) == {"a": [1, 2], "b": [1, 2]}
