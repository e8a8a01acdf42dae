"""The folder of a run, as the config asks for it."""

from pathlib import Path

from omegaconf import OmegaConf

from musicrec.programs.resolvers import run_folder


def begin(run: Path, *overrides: str, finished: bool = False) -> None:
    (run / ".hydra").mkdir(parents=True)
    OmegaConf.save(OmegaConf.create(list(overrides)), run / ".hydra" / "overrides.yaml")
    if finished:
        (run / "export").mkdir()


def test_resume_finds_the_newest_unfinished_run_of_the_same_command(tmp_path: Path):
    begin(tmp_path / "1", "optim.lr=1", "seed=2")
    begin(tmp_path / "2", "seed=2", "optim.lr=1", "resume=true")
    begin(tmp_path / "3", "optim.lr=1", "seed=2", finished=True)
    begin(tmp_path / "4", "optim.lr=2", "seed=2")
    new = str(tmp_path / "5")
    command = OmegaConf.create(["optim.lr=1", "seed=2", "resume=true"])
    assert run_folder(new, None, True, command) == str(tmp_path / "2")
    assert run_folder(new, None, False, command) == new
    assert run_folder(new, None, True, OmegaConf.create(["optim.lr=3", "resume=true"])) == new
    assert run_folder(new, str(tmp_path / "1/checkpoints/last.ckpt"), False, command) == str(tmp_path / "1")
    assert run_folder(new, "elsewhere/last.ckpt", False, command) == new


def test_runs_that_begin_in_one_second_have_folders_of_their_own(tmp_path: Path):
    new = tmp_path / "12-00-00"
    found = []
    for _ in range(3):
        found.append(run_folder(str(new), None, False, OmegaConf.create([])))
        Path(found[-1]).mkdir()
    assert found == [str(new), f"{new}_2", f"{new}_3"]
