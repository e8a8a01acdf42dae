"""A study that several workers share, some of which die."""

import subprocess
import sys
from pathlib import Path

import pytest
from optuna.samplers import TPESampler
from optuna.trial import TrialState

from musicrec.errors import ConfigError, SweepError
from musicrec.sweeps.jobs import Outcome, SweepJob, read_outcome
from musicrec.sweeps.study import StudyWorker, open_storage, search_space

RANGES = ["optim.lr=tag(log,interval(1e-4,1e-2))", "model.width=choice(8,16)", "model.dropout=interval(0.0,0.5)"]


def worker(folder: Path, *arguments: str, trials: int = 4, storage: str = "study.db") -> StudyWorker:
    space, fixed = search_space(RANGES, ["data=manifest", *arguments])
    return StudyWorker(
        folder,
        storage=str(folder / storage),
        direction="maximize",
        space=space,
        fixed=fixed,
        sampler=lambda before: TPESampler(seed=before),
        trials=trials,
    )


def ended(job: SweepJob, objective: float | None, status: str = "finished") -> Outcome:
    return Outcome(number=job.number, params={}, folder=job.folder, status=status, objective=objective)


def read(job: SweepJob) -> Outcome:
    return read_outcome(job, {})


def test_ranges_are_parsed_and_arguments_replace_them():
    space, fixed = search_space(RANGES, ["data=manifest", "model.width=32", "seed=0,1"])
    assert space.keys() == {"optim.lr", "model.dropout", "seed"}
    assert (space["optim.lr"].low, space["optim.lr"].high, space["optim.lr"].log) == (1e-4, 1e-2, True)
    assert fixed == ["data=manifest", "model.width=32"]
    space, fixed = search_space(["model.width=32"], ["model.width=range(8,33,8)"])
    assert (space["model.width"].low, space["model.width"].high, space["model.width"].step) == (8, 32, 8)
    assert fixed == []
    with pytest.raises(ConfigError, match="nothing to search"):
        search_space([], ["data=manifest"])
    with pytest.raises(ConfigError, match=r"^optim.lr=interval\(3,1\): .*low.*high"):
        search_space(RANGES, ["optim.lr=interval(3,1)"])


@pytest.mark.parametrize("storage", ["study.db", "study.journal"])
def test_every_outcome_is_stored_and_a_later_worker_replaces_failed_trials(tmp_path: Path, storage: str):
    first = worker(tmp_path, storage=storage)
    with first.hold_worker_lock():
        jobs = first.take(10, read=read)
        assert [job.number for job in jobs] == [0, 1, 2, 3]
        assert jobs[0].overrides[0] == "data=manifest" and jobs[0].folder == tmp_path / "0"
        first.tell(ended(jobs[0], 0.5))
        first.tell(ended(jobs[1], 0.1, "pruned"))
        first.tell(ended(jobs[2], None, "failed"))
        assert first.take(10, read=read) == [], "a worker does not replace failed trials itself"
    states = [trial.state for trial in first.study.get_trials()]
    assert states == [TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL, TrialState.RUNNING]
    assert first.study.best_value == 0.5

    second = worker(tmp_path, storage=storage)
    with second.hold_worker_lock():
        again = second.take(10, read=read)
        assert [job.number for job in again] == [3, 4], (
            "the trial of the first worker, and a new one that replaces the failed trial"
        )
        assert again[0] == jobs[3]


def test_suggestions_do_not_depend_on_interruptions(tmp_path: Path):
    uninterrupted, interrupted = [], []
    one = worker(tmp_path / "uninterrupted")
    for _ in range(4):
        (job,) = one.take(1, read=read)
        uninterrupted.append(job.overrides)
        one.tell(ended(job, job.number / 10))
    for _ in range(4):
        one = worker(tmp_path / "interrupted")
        (job,) = one.take(1, read=read)
        interrupted.append(job.overrides)
        one.tell(ended(job, job.number / 10))
    assert uninterrupted == interrupted and len(set(uninterrupted)) == 4


@pytest.mark.slow
def test_workers_share_a_study_and_take_over_trials_of_dead_workers(tmp_path: Path):
    code = f"""
import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from test_study import read, worker
other = worker(Path(sys.argv[1]))
with other.hold_worker_lock():
    print([job.number for job in other.take(2, read=read)], flush=True)
    sys.stdin.read()
"""
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout.readline() == "[0, 1]\n"
    mine = worker(tmp_path)
    with mine.hold_worker_lock():
        assert [job.number for job in mine.take(1, read=read)] == [2], "0 and 1 belong to the other worker"
        other.kill()
        other.wait()
        assert [job.number for job in mine.take(10, read=read)] == [0, 1, 3]


def test_a_trial_that_ended_before_its_worker_reported_it_is_not_repeated(tmp_path: Path):
    first = worker(tmp_path)
    first.take(1, read=read)
    second = worker(tmp_path)
    assert [job.number for job in second.take(1, read=lambda job: ended(job, 0.7))] == [1]
    assert second.study.get_trials()[0].value == 0.7


def test_a_running_job_whose_worker_died_is_left_alone(tmp_path: Path):
    worker(tmp_path).take(1, read=read)
    second = worker(tmp_path)
    assert [job.number for job in second.take(2, read=lambda job: ended(job, None, "running"))] == [1, 2]


def test_a_trial_without_an_objective_counts_as_failed(tmp_path: Path):
    one = worker(tmp_path)
    (job,) = one.take(1, read=read)
    one.tell(ended(job, None))
    assert one.study.get_trials()[0].state is TrialState.FAIL


@pytest.mark.slow
def test_a_study_cannot_be_continued_with_other_settings(tmp_path: Path):
    worker(tmp_path)
    worker(tmp_path, "sweep.trials=9", trials=9)
    with pytest.raises(SweepError, match=r"with other settings \(seed=1\).*sweep.name=NAME"):
        worker(tmp_path, "seed=1")
    with pytest.raises(SweepError, match=r"other settings \(optim.lr\)"):
        worker(tmp_path, "optim.lr=interval(0.1,0.2)")
    (tmp_path / "other" / "0").mkdir(parents=True)
    with pytest.raises(SweepError, match="holds runs of another sweep"):
        worker(tmp_path / "other")


def test_storage_must_be_a_known_file_type_or_a_url(tmp_path: Path):
    with pytest.raises(SweepError, match=r"storage=study.txt: give a file that ends in .db or .journal"):
        open_storage("study.txt")


@pytest.mark.parametrize("storage", ["nosuch://host/study", "broken.db", "missing/study.db"])
def test_a_storage_that_cannot_be_opened_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, storage: str):
    monkeypatch.chdir(tmp_path)
    Path("broken.db").write_text("no database" * 100)
    with pytest.raises(SweepError, match=f"storage={storage}: cannot be opened"):
        open_storage(storage)
