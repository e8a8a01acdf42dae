"""The folders of jobs, the settings in which jobs differ, and their outcomes."""

from collections.abc import Callable
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from musicrec.runs.overrides import differing_settings
from musicrec.sweeps.jobs import SweepJob, plan_jobs, read_outcome


@pytest.fixture
def make_run_folder(tmp_path: Path) -> Callable[..., None]:
    """Return a function that writes a run folder as Hydra does before the job starts."""

    def make(number: str, *overrides: str) -> None:
        (tmp_path / number / ".hydra").mkdir(parents=True)
        OmegaConf.save(OmegaConf.create(list(overrides)), tmp_path / number / ".hydra" / "overrides.yaml")

    return make


def test_known_jobs_keep_their_folders_and_new_jobs_get_the_next_number(tmp_path: Path, make_run_folder: Callable):
    make_run_folder("0", "lr=1", "model=a", "sweep.name=x")
    make_run_folder("3", "model=b", "lr=2", "resume=True")
    (tmp_path / "7").mkdir()  # not a run: its number is not reused
    (tmp_path / "workers").mkdir()
    jobs = plan_jobs(tmp_path, [["lr=2", "model=b"], ["lr=3", "model=b"], ["lr=1", "model=a"], ["lr=3", "model=b"]])
    assert [(job.number, job.overrides[0]) for job in jobs] == [(3, "lr=2"), (8, "lr=3"), (0, "lr=1")]
    assert jobs[1].folder == tmp_path / "8"


def test_differing_settings():
    runs = [["data=x", "optim.lr=1e-3", "+note='a, b'"], ["data=x", "optim.lr=3e-4", "seed=1"]]
    assert differing_settings(runs) == [
        {"optim.lr": 0.001, "note": "a, b", "seed": None},
        {"optim.lr": 0.0003, "note": None, "seed": 1},
    ]
    assert differing_settings([["data=x", "task=[tags]"]]) == [{"data": "x", "task": "['tags']"}]


@pytest.mark.parametrize(("succeeded", "status"), [(None, "not started"), (True, "finished"), (False, "failed")])
def test_without_a_record_the_launcher_decides_the_status(tmp_path: Path, succeeded: bool | None, status: str):
    job = SweepJob(number=0, overrides=("a=1",), folder=tmp_path)
    assert read_outcome(job, {"a": 1}, succeeded=succeeded).status == status
