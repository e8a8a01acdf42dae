"""An Optuna study that is stored in a sweep folder.

The study can be shared by several processes and continued after they have ended.
"""

import json
import os
import socket
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import optuna
from hydra_plugins.hydra_optuna_sweeper._impl import create_params_from_overrides
from optuna.distributions import BaseDistribution, distribution_to_json
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, Trial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from musicrec.errors import ConfigError, SweepError
from musicrec.runs.overrides import identifying_overrides
from musicrec.sweeps.jobs import Outcome, SweepJob, run_folders
from musicrec.system.lock import is_locked, try_lock, wait_for_lock

NAME = "study"
WORKER, SETTINGS = "worker", "settings"  # the keys of the user attributes, which are stored with the study
_TRIAL_STATES = {"finished": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}
_LOCK_TIMEOUT_S = 60

optuna.logging.set_verbosity(optuna.logging.WARNING)


def search_space(params: Sequence[str], arguments: Sequence[str]) -> tuple[dict[str, BaseDistribution], list[str]]:
    """Separate the ranges to search from the fixed overrides.

    Args:
        params: Overrides in Hydra's syntax, such as `optim.lr=tag(log,interval(1e-4,1e-2))`, `model.width=32,64` or
            `model.dropout=0.1`.
        arguments: More overrides, which replace those in `params` that have the same key.

    Returns:
        {key: distribution} of the ranges, and the fixed overrides.

    Raises:
        ConfigError: If a range is invalid, or if there is no range.
    """
    space, fixed, removed = {}, {}, []
    for overrides in (params, arguments):
        try:
            ranges, values, deletions = create_params_from_overrides(list(overrides))
        except ValueError as error:
            raise ConfigError(f"{' '.join(overrides)}: {error}") from None
        space = {key: value for key, value in space.items() if key not in values} | ranges
        fixed = {key: value for key, value in fixed.items() if key not in ranges} | values
        removed += deletions
    if not space:
        raise ConfigError("there is nothing to search; give a range, as in 'optim.lr=tag(log,interval(1e-4,1e-2))'")
    return space, [*(f"{key}={value}" for key, value in fixed.items()), *removed]


def open_storage(storage: str) -> BaseStorage:
    """Open the storage of a study.

    Args:
        storage: FILE.db for SQLite, FILE.journal for Optuna's journal, which also works on network file systems, or
            scheme://… for a database server.

    Raises:
        SweepError: If it is none of these, or cannot be opened.
    """
    if storage.endswith(".journal"):
        return JournalStorage(JournalFileBackend(storage))
    if "://" not in storage and not storage.endswith(".db"):
        raise SweepError(f"storage={storage}: give a file that ends in .db or .journal, or the URL of a database")
    try:
        if "://" in storage:
            return RDBStorage(storage)
        return RDBStorage(f"sqlite:///{storage}", engine_kwargs={"connect_args": {"timeout": _LOCK_TIMEOUT_S}})
    except (SQLAlchemyError, ImportError, ValueError) as error:  # Optuna turns some into ImportError or ValueError
        reason = str(error).splitlines()[0]
        raise SweepError(
            f"storage={storage}: cannot be opened ({reason}); check the URL and its driver, or give a file that ends "
            "in .db or .journal"
        ) from None


def open_study(storage: str, *, sampler: BaseSampler | None = None, pruner: BasePruner | None = None) -> optuna.Study:
    """Open an existing study."""
    return optuna.load_study(study_name=NAME, storage=open_storage(storage), sampler=sampler, pruner=pruner)


def open_trial(study: optuna.Study, number: int) -> Trial:
    """Return an existing trial in a form that values can be reported to."""
    return Trial(study, study.get_trials(deepcopy=False)[number]._trial_id)


class StudyWorker:
    """One of the processes that share a study: it takes trials from the study and reports their outcomes.

    Args:
        folder: The sweep folder.
        storage: The storage of the study, as in `open_storage`.
        direction: "maximize" or "minimize".
        space: {key: distribution} of the ranges to search.
        fixed: Overrides of every trial. A study can only be continued with the same `space` and `fixed`.
        sampler: Makes a sampler, given the number of trials so far. Each trial gets a new sampler, so the suggestions
            depend on the earlier trials, not on interruptions or the number of workers.
        trials: The number of trials that the study shall have. Failed ones are replaced when another worker starts.

    Raises:
        SweepError: If the folder holds another sweep, or a study with other settings.
    """

    def __init__(
        self,
        folder: Path,
        *,
        storage: str,
        direction: str,
        space: dict[str, BaseDistribution],
        fixed: Sequence[str],
        sampler: Callable[[int], BaseSampler],
        trials: int,
    ) -> None:
        self.folder, self.space, self.fixed, self.sampler, self.trials = folder, space, tuple(fixed), sampler, trials
        self.name = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._lock = folder / ".lock"
        self._failed = 0
        with wait_for_lock(self._lock):
            self.study = optuna.create_study(
                study_name=NAME, storage=open_storage(storage), direction=direction, load_if_exists=True
            )
            self._check_settings()

    def _check_settings(self) -> None:
        """Store the settings in a new study, or compare them with those of the existing one."""
        ranges = {name: distribution_to_json(distribution) for name, distribution in self.space.items()}
        settings = json.loads(json.dumps({"ranges": ranges, "fixed": sorted(identifying_overrides(self.fixed))}))
        stored = self.study.user_attrs.get(SETTINGS)
        if stored is None:
            if run_folders(self.folder):
                raise SweepError(f"{self.folder} holds runs of another sweep; start a new one with sweep.name=NAME")
            self.study.set_user_attr(SETTINGS, settings)
            return
        stored["fixed"] = sorted(identifying_overrides(stored["fixed"]))
        if stored != settings:
            differing = sorted(set(stored["fixed"]) ^ set(settings["fixed"]))
            names = {**stored["ranges"], **ranges}
            differing += [name for name in names if stored["ranges"].get(name) != ranges.get(name)]
            raise SweepError(
                f"{self.folder} is a study with other settings ({', '.join(differing)}), so its trials would not be "
                "comparable; continue it with its own settings, or start a new study with sweep.name=NAME"
            )

    @contextmanager
    def hold_worker_lock(self) -> Iterator[None]:
        """Hold a lock that shows the other workers that this process is alive."""
        path = self._worker_lock(self.name)
        try:
            with try_lock(path):
                yield
        finally:
            path.unlink(missing_ok=True)

    def _worker_lock(self, worker: str) -> Path:
        return self.folder / "workers" / f"{worker}.lock"

    def take(self, count: int, *, read: Callable[[SweepJob], Outcome]) -> list[SweepJob]:
        """Take jobs to run: first the trials of workers that have died, in their existing folders, then new ones.

        Args:
            count: The maximum number of jobs.
            read: Returns the current outcome of a job.

        Returns:
            At most `count` jobs; none if the study has enough trials.
        """
        with wait_for_lock(self._lock):
            jobs = self._take_over(count, read=read)
            successful = sum(trial.state is not TrialState.FAIL for trial in self._trials())
            missing = self.trials - self._failed - successful
            for _ in range(min(count - len(jobs), missing)):
                self.study.sampler = self.sampler(len(self._trials()))
                trial = self.study.ask(self.space)
                trial.set_user_attr(WORKER, self.name)
                jobs.append(self.job(self._trials()[trial.number]))
            return jobs

    def _take_over(self, count: int, *, read: Callable[[SweepJob], Outcome]) -> list[SweepJob]:
        """Take up to `count` unfinished trials of workers that have died."""
        jobs = []
        for trial in self._trials():
            if trial.state is not TrialState.RUNNING:
                continue
            worker = trial.user_attrs.get(WORKER, "")
            if worker == self.name or is_locked(self._worker_lock(worker)):
                continue
            outcome = read(self.job(trial))
            if outcome.status in _TRIAL_STATES:  # the job ended, but its worker died before it could report that
                self.tell(outcome)
            elif outcome.status != "running" and len(jobs) < count:  # on a cluster, a job may outlive its worker
                open_trial(self.study, trial.number).set_user_attr(WORKER, self.name)
                jobs.append(self.job(trial))
        return jobs

    def tell(self, outcome: Outcome) -> None:
        """Report the outcome of a job to the study, unless the job has yet to end.

        A finished job whose objective is not a number counts as failed.
        """
        if outcome.status not in _TRIAL_STATES:
            return
        state, value = _TRIAL_STATES[outcome.status], None
        if state is TrialState.COMPLETE:
            value = outcome.objective
            state = TrialState.FAIL if value is None else state
        self.study.tell(outcome.number, value, state=state, skip_if_finished=True)
        self._failed += state is TrialState.FAIL

    def jobs(self) -> list[SweepJob]:
        """Return the jobs of all trials, including those of other workers."""
        return [self.job(trial) for trial in self._trials()]

    def params(self, number: int) -> dict:
        """Return {key: value} of the searched settings of a trial."""
        return self._trials()[number].params

    def job(self, trial: FrozenTrial) -> SweepJob:
        """Return the job that runs a trial."""
        values = tuple(f"{name}={value}" for name, value in trial.params.items())
        return SweepJob(number=trial.number, overrides=(*self.fixed, *values), folder=self.folder / str(trial.number))

    def _trials(self) -> list[FrozenTrial]:
        return self.study.get_trials(deepcopy=False)
