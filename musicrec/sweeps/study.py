"""A study of Optuna below a sweep folder: it outlives the processes that work on it."""

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

from musicrec.errors import ConfigError, SweepError
from musicrec.runs.overrides import identifying_overrides
from musicrec.sweeps.jobs import Job, Outcome, run_folders
from musicrec.system.lock import is_locked, try_lock, wait_for_lock

NAME = "study"
WORKER, SETTINGS = "worker", "settings"
_TOLD = {"finished": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}
_LOCK_TIMEOUT_S = 60

optuna.logging.set_verbosity(optuna.logging.WARNING)


def search_space(params: Sequence[str], arguments: Sequence[str]) -> tuple[dict[str, BaseDistribution], list[str]]:
    """What is searched, by key, and the overrides that are fixed. An argument replaces the parameter of its key.

    Both in the grammar of Hydra: `optim.lr=tag(log,interval(1e-4,1e-2))`, `model.width=32,64`, `model.dropout=0.1`.
    """
    space, fixed, removed = {}, {}, []
    for overrides in (params, arguments):
        try:
            ranges, values, without = create_params_from_overrides(list(overrides))
        except ValueError as error:
            raise ConfigError(f"{' '.join(overrides)}: {error}") from None
        space = {key: value for key, value in space.items() if key not in values} | ranges
        fixed = {key: value for key, value in fixed.items() if key not in ranges} | values
        removed += without
    if not space:
        raise ConfigError("there is nothing to search; give a range, as in 'optim.lr=tag(log,interval(1e-4,1e-2))'")
    return space, [*(f"{key}={value}" for key, value in fixed.items()), *removed]


def open_storage(storage: str) -> BaseStorage:
    """FILE.db is SQLite, FILE.journal Optuna's journal for network file systems, and scheme://… a database server."""
    if "://" in storage:
        return RDBStorage(storage)
    if storage.endswith(".journal"):
        return JournalStorage(JournalFileBackend(storage))
    if storage.endswith(".db"):
        return RDBStorage(f"sqlite:///{storage}", engine_kwargs={"connect_args": {"timeout": _LOCK_TIMEOUT_S}})
    raise SweepError(f"storage={storage}: give a file that ends in .db or .journal, or the URL of a database")


def open_study(storage: str, *, sampler: BaseSampler | None = None, pruner: BasePruner | None = None) -> optuna.Study:
    """The study that is there."""
    return optuna.load_study(study_name=NAME, storage=open_storage(storage), sampler=sampler, pruner=pruner)


def open_trial(study: optuna.Study, number: int) -> Trial:
    """A trial that has been asked for, to report to."""
    return Trial(study, study.get_trials(deepcopy=False)[number]._trial_id)


class StudyWorker:
    """One of the processes that work on a study: takes trials, and tells how they ended.

    space: what is searched. fixed: overrides of every trial; a study is continued with the same two only.
    sampler: makes a sampler from a seed; every trial gets one of its own, so that what a study suggests depends on the
    trials before it, and not on how often it was stopped or how many workers share it.
    trials: how many the study shall have; those that failed are made up for when another worker begins.
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
        ranges = {name: distribution_to_json(distribution) for name, distribution in self.space.items()}
        settings = json.loads(json.dumps({"ranges": ranges, "fixed": sorted(identifying_overrides(self.fixed))}))
        known = self.study.user_attrs.get(SETTINGS)
        if known is None:
            if run_folders(self.folder):
                raise SweepError(f"{self.folder} holds runs of another sweep; name a new one with sweep.name=NAME")
            self.study.set_user_attr(SETTINGS, settings)
        elif known != settings:
            differ = sorted(set(known["fixed"]) ^ set(settings["fixed"]))
            differ += [name for name in {**known["ranges"], **ranges} if known["ranges"].get(name) != ranges.get(name)]
            raise SweepError(
                f"{self.folder} is a study of other settings ({', '.join(differ)}), and its trials would not be "
                "comparable; continue it with the settings it has, or begin another one with sweep.name=NAME"
            )

    @contextmanager
    def present(self) -> Iterator[None]:
        """Be alive to the other workers: a lock says so as long as this process lives."""
        path = self._presence(self.name)
        try:
            with try_lock(path):
                yield
        finally:
            path.unlink(missing_ok=True)

    def _presence(self, worker: str) -> Path:
        return self.folder / "workers" / f"{worker}.lock"

    def take(self, count: int, *, outcome: Callable[[Job], Outcome]) -> list[Job]:
        """Up to `count` jobs: first the trials of workers that died, in the folders they have, then new ones."""
        with wait_for_lock(self._lock):
            jobs = []
            for trial in self._trials():
                if trial.state is not TrialState.RUNNING:
                    continue
                worker = trial.user_attrs.get(WORKER, "")
                if worker == self.name or is_locked(self._presence(worker)):
                    continue
                found = outcome(self.job(trial))
                if found.status in _TOLD:  # it ended, and its worker died before it could say so
                    self.tell(found)
                elif found.status != "running" and len(jobs) < count:  # on a cluster a job outlives who launched it
                    open_trial(self.study, trial.number).set_user_attr(WORKER, self.name)
                    jobs.append(self.job(trial))
            wanted = self.trials - self._failed - sum(t.state is not TrialState.FAIL for t in self._trials())
            for _ in range(min(count - len(jobs), wanted)):
                self.study.sampler = self.sampler(len(self._trials()))
                trial = self.study.ask(self.space)
                trial.set_user_attr(WORKER, self.name)
                jobs.append(self.job(self._trials()[trial.number]))
            return jobs

    def tell(self, found: Outcome) -> None:
        """How a trial ended, unless it still has to be done."""
        if found.status in _TOLD:
            state, values = _TOLD[found.status], None
            if state is TrialState.COMPLETE:  # without a value where the metric was not a number
                state, values = (TrialState.FAIL, None) if found.objective is None else (state, found.objective)
            self.study.tell(found.number, values, state=state, skip_if_finished=True)
            self._failed += state is TrialState.FAIL

    def jobs(self) -> list[Job]:
        """Of all trials there are, also those of other workers."""
        return [self.job(trial) for trial in self._trials()]

    def params(self, number: int) -> dict:
        return self._trials()[number].params

    def job(self, trial: FrozenTrial) -> Job:
        values = tuple(f"{name}={value}" for name, value in trial.params.items())
        return Job(number=trial.number, overrides=(*self.fixed, *values), folder=self.folder / str(trial.number))

    def _trials(self) -> list[FrozenTrial]:
        return self.study.get_trials(deepcopy=False)
