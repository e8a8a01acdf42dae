"""Checkpoints that are whole at any moment, and runs that are found again."""

import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf

from musicrec.errors import ExportError
from musicrec.programs.resolvers import run_folder
from musicrec.training.resume import WholeCheckpointIO


@pytest.fixture
def little_room() -> Iterator[None]:
    """No file may grow beyond 100 kB, as if the disk were full then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_the_checkpoint_before(tmp_path: Path, little_room: None):
    path = tmp_path / "last.ckpt"
    WholeCheckpointIO().save_checkpoint({"weights": torch.ones(10)}, path)
    with pytest.raises(
        ExportError, match=r"cannot write checkpoint .*last\.ckpt: .*; the one before is whole; make room"
    ):
        WholeCheckpointIO().save_checkpoint({"weights": torch.ones(1_000_000)}, path)
    assert torch.equal(torch.load(path, weights_only=True)["weights"], torch.ones(10))
    assert [p.name for p in tmp_path.iterdir()] == ["last.ckpt"], "nothing half-written stays"


def test_a_kill_in_the_middle_of_writing_leaves_the_checkpoint_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "last.ckpt"
    WholeCheckpointIO().save_checkpoint({"weights": torch.ones(10)}, path)
    if (child := os.fork()) == 0:  # dies when all is written but the name
        os.fsync = lambda _: os._exit(9)
        WholeCheckpointIO().save_checkpoint({"weights": torch.zeros(10)}, path)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert torch.equal(torch.load(path, weights_only=True)["weights"], torch.ones(10))


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
