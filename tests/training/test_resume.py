"""A checkpoint is complete at any moment."""

import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from musicrec.errors import ExportError
from musicrec.training.resume import WholeCheckpointIO


@pytest.fixture
def little_room() -> Iterator[None]:
    """Limit files to 100 kB, as if the disk were full then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_the_earlier_checkpoint(tmp_path: Path, little_room: None):
    path = tmp_path / "last.ckpt"
    WholeCheckpointIO().save_checkpoint({"weights": torch.ones(10)}, path)
    with pytest.raises(
        ExportError, match=r"cannot write checkpoint .*last\.ckpt: .*; the earlier one is complete; make room"
    ):
        WholeCheckpointIO().save_checkpoint({"weights": torch.ones(1_000_000)}, path)
    assert torch.equal(torch.load(path, weights_only=True)["weights"], torch.ones(10))
    assert [p.name for p in tmp_path.iterdir()] == ["last.ckpt"], "nothing half-written stays"


def test_a_kill_while_writing_leaves_the_earlier_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "last.ckpt"
    WholeCheckpointIO().save_checkpoint({"weights": torch.ones(10)}, path)
    if (child := os.fork()) == 0:  # dies when all is written but the name
        os.fsync = lambda _: os._exit(9)
        WholeCheckpointIO().save_checkpoint({"weights": torch.zeros(10)}, path)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert torch.equal(torch.load(path, weights_only=True)["weights"], torch.ones(10))
