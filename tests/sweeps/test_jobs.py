"""Which folder a job gets, and what distinguishes jobs."""

from collections.abc import Callable
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from musicrec.runs.overrides import differing_settings
from musicrec.sweeps.jobs import Job, outcome, plan


@pytest.fixture
def ran(tmp_path: Path) -> Callable[..., None]:
    """Leaves a run folder as Hydra begins it."""

    def leave(number: str, *overrides: str) -> None:
        (tmp_path / number / ".hydra").mkdir(parents=True)
        OmegaConf.save(OmegaConf.create(list(overrides)), tmp_path / number / ".hydra" / "overrides.yaml")

    return leave


def test_jobs_keep_their_folders_and_new_ones_get_the_next(tmp_path: Path, ran: Callable):
    ran("0", "lr=1", "model=a", "sweep.name=x")
    ran("3", "model=b", "lr=2", "resume=True")
    (tmp_path / "7").mkdir()  # of who knows what: not touched
    (tmp_path / "workers").mkdir()
    jobs = plan(tmp_path, [["lr=2", "model=b"], ["lr=3", "model=b"], ["lr=1", "model=a"], ["lr=3", "model=b"]])
    assert [(job.number, job.overrides[0]) for job in jobs] == [(3, "lr=2"), (8, "lr=3"), (0, "lr=1")]
    assert jobs[1].folder == tmp_path / "8"


def test_settings_that_differ():
    runs = [["data=x", "optim.lr=1e-3", "+note='a, b'"], ["data=x", "optim.lr=3e-4", "seed=1"]]
    assert differing_settings(runs) == [
        {"optim.lr": 0.001, "note": "a, b", "seed": None},
        {"optim.lr": 0.0003, "note": None, "seed": 1},
    ]
    assert differing_settings([["data=x", "task=[tags]"]]) == [{"data": "x", "task": "['tags']"}]


@pytest.mark.parametrize(("ended_well", "status"), [(None, "not started"), (True, "finished"), (False, "failed")])
def test_a_program_without_records_is_judged_by_its_end(tmp_path: Path, ended_well: bool | None, status: str):
    job = Job(number=0, overrides=("a=1",), folder=tmp_path)
    assert outcome(job, {"a": 1}, ended_well=ended_well).status == status
