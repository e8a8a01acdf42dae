"""Hydra sweepers: a grid of all combinations, and a search with a study."""

import dataclasses
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from hydra.utils import instantiate
from omegaconf import DictConfig

from musicrec.config.explain import one_message, print_error
from musicrec.config.number_types import Count
from musicrec.config.value_check import check_value
from musicrec.errors import ConfigError, SweepError
from musicrec.runs.overrides import Value, differing_settings
from musicrec.sweeps.jobs import SUCCESSFUL, SWEEP_LOCK, JobRunner, Outcome, SweepJob, plan_jobs, read_outcome
from musicrec.sweeps.ranking_table import JOBS, RANKING, print_ranking, rank, write_ranking
from musicrec.system.lock import try_lock

if TYPE_CHECKING:  # the sweepers import Optuna and Matplotlib when they need them: both take long to import
    from optuna.samplers import BaseSampler

    from musicrec.sweeps.study import StudyWorker

SAMPLERS = ("optuna.samplers.*", "hydra_plugins.hydra_optuna_sweeper.*")
HOW_TO_CONTINUE_A_GRID = "to run the unfinished jobs, repeat the command with hydra.sweep.dir={folder}"
HOW_TO_CONTINUE_A_STUDY = "to continue the study, repeat the command; sweep.trials=N sets the number of trials"


class GridSweeper(Sweeper):
    """Run every combination of the given values, and rank the results.

    In contrast to Hydra's own sweeper, it skips jobs that finished in an earlier start of the same sweep, and a failed
    job does not stop the others.

    Args:
        params: {key: values} as on the command line. Arguments on the command line override them.
    """

    def __init__(self, *, params: DictConfig | None = None) -> None:
        self.params = params or {}

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Prepare the launcher; Hydra calls this before `sweep`."""
        self.parser = OverridesParser.create(config_loader=hydra_context.config_loader)
        self.runner = JobRunner(hydra_context=hydra_context, task_function=task_function, config=config)

    def sweep(self, arguments: list[str]) -> None:
        """Run the jobs of all combinations.

        Args:
            arguments: The overrides on the command line.

        Raises:
            SweepError: If another process runs this sweep.
            ConfigError: If a setting of any job is invalid.
        """
        overrides = self.parser.parse_overrides([*(f"{key}={value}" for key, value in self.params.items()), *arguments])
        (combinations,) = BasicSweeper.split_arguments(overrides, None)
        folder = self.runner.folder
        with one_message(), try_lock(folder / SWEEP_LOCK) as acquired:
            if not acquired:
                raise SweepError(
                    f"{folder}: another process is running this sweep; wait for it, or choose another folder"
                )
            jobs = plan_jobs(folder, combinations)
            settings = differing_settings([job.overrides for job in jobs])
            params = {job.number: values for job, values in zip(jobs, settings, strict=True)}
            pending = [job for job in jobs if read_outcome(job, {}).status not in (*SUCCESSFUL, "running")]
            self.runner.validate(pending)
            _print_header(f"sweep of {len(jobs)} jobs", started=len(jobs) - len(pending), folder=folder)
            progress = SweepProgress(self.runner)

            def read_all() -> list[Outcome]:
                return [progress.read(job, params[job.number]) for job in jobs]

            with progress.ranking_at_end(read_all, hint=HOW_TO_CONTINUE_A_GRID):
                if pending:
                    progress.launch(pending)


class SweepProgress:
    """The jobs that this process has launched, and how they ended.

    Args:
        runner: Launches the jobs.

    Attributes:
        launched: The numbers of the launched jobs.
        succeeded: For each launched job that has ended, whether it succeeded according to the launcher.
    """

    def __init__(self, runner: JobRunner) -> None:
        self.runner = runner
        self.launched: list[int] = []
        self.succeeded: dict[int, bool] = {}

    def launch(self, jobs: Sequence[SweepJob]) -> None:
        """Run jobs and wait until they have ended."""
        self.launched += [job.number for job in jobs]
        self.succeeded |= self.runner.launch(jobs)

    def read(self, job: SweepJob, params: dict[str, Value]) -> Outcome:
        """Return the outcome of a job, as `read_outcome` does."""
        return read_outcome(job, params, succeeded=self.succeeded.get(job.number))

    @contextmanager
    def ranking_at_end(self, read_all: Callable[[], Sequence[Outcome]], *, hint: str) -> Iterator[None]:
        """Rank the jobs when the block ends, also after an error or Ctrl-C.

        Exits with status 1 if the block was interrupted or one of the launched jobs did not succeed.

        Args:
            read_all: Returns the current outcomes of all jobs of the sweep.
            hint: How to continue the sweep, with the placeholder {folder}. It is printed before an exit.
        """
        folder, completed = self.runner.folder, False
        try:
            yield
            completed = True
        except Exception as error:  # from the launcher, for example if a worker was killed; jobs do not raise
            print_error(f"the launcher stopped: {type(error).__name__}: {error}")
        finally:
            outcomes = read_all()
            settings = rank(outcomes)
            write_ranking(folder, settings)
            from musicrec.sweeps.plots import plot_sweep

            figures = plot_sweep(folder, outcomes)
            print_ranking(folder, settings, files=[RANKING, JOBS, *(path.name for path in figures)])
            unsuccessful = any(run.number in self.launched and run.status not in SUCCESSFUL for run in outcomes)
            if not completed or unsuccessful:
                print(hint.format(folder=shlex.quote(str(folder))))
                sys.exit(1)


class StudySweeper(Sweeper):
    """Search with an Optuna study that is stored on disk.

    The same command continues a study, and several processes that run it share the study. Hydra's own Optuna sweeper
    supports neither: it repeats all trials from job 0, and it cannot prune a trial.

    Args:
        params: {key: range or choices} as on the command line. Arguments on the command line override them.
        sampler: The settings of Optuna's sampler, with `_target_` and `seed`.
        storage: The storage of the study, as in `open_storage`.
        direction: "maximize" or "minimize".
        trials: The number of successful trials that the study shall have.
        parallel: The number of trials that the launcher gets at a time.
    """

    def __init__(
        self,
        *,
        params: DictConfig | None,
        sampler: DictConfig,
        storage: str,
        direction: str,
        trials: int,
        parallel: int,
    ) -> None:
        self.params, self.sampler, self.storage, self.direction = params or {}, sampler, storage, direction
        self.trials, self.parallel = trials, parallel

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Prepare the launcher; Hydra calls this before `sweep`."""
        self.runner = JobRunner(hydra_context=hydra_context, task_function=task_function, config=config)

    def sweep(self, arguments: list[str]) -> None:
        """Run trials until the study has enough of them.

        Args:
            arguments: The overrides on the command line.

        Raises:
            ConfigError: If a setting is invalid, or nothing is searched.
            SweepError: If the study in the folder has other settings.
        """
        folder = self.runner.folder
        with one_message():
            from musicrec.sweeps.study import StudyWorker, search_space

            check_value("sweep.trials", self.trials, Count)
            check_value("sweep.parallel", self.parallel, Count)
            space, fixed = search_space([f"{key}={value}" for key, value in self.params.items()], arguments)
            self.runner.validate([SweepJob(number=0, overrides=tuple(fixed), folder=folder / "0")])
            worker = StudyWorker(
                folder,
                storage=self.storage,
                direction=self.direction,
                space=space,
                fixed=fixed,
                sampler=self._make_sampler,
                trials=self.trials,
            )
            with worker.hold_worker_lock():
                self._run_trials(worker)

    def _run_trials(self, worker: "StudyWorker") -> None:
        progress = SweepProgress(self.runner)

        def read(job: SweepJob) -> Outcome:
            return progress.read(job, worker.params(job.number))

        def read_for_ranking(job: SweepJob) -> Outcome:
            outcome = read(job)  # a trial without a record is being started by another worker
            return dataclasses.replace(outcome, status="running") if outcome.status == "not started" else outcome

        def read_all() -> list[Outcome]:
            return [read_for_ranking(job) for job in worker.jobs()]

        _print_header(f"study of {self.trials} trials", started=len(worker.jobs()), folder=worker.folder)
        with progress.ranking_at_end(read_all, hint=HOW_TO_CONTINUE_A_STUDY):
            while jobs := worker.take(self.parallel, read=read):
                try:
                    progress.launch(jobs)
                finally:
                    for job in jobs:
                        worker.tell(read(job))

    def _make_sampler(self, trials_before: int) -> "BaseSampler":
        from optuna.samplers import BaseSampler

        seed = None if self.sampler.seed is None else self.sampler.seed + trials_before
        sampler = instantiate(self.sampler, seed=seed, _execution_whitelist_=SAMPLERS)
        if not isinstance(sampler, BaseSampler):
            raise ConfigError("hydra/sweeper/sampler: choose a search sampler, or hydra/sweeper=grid for a grid")
        return sampler


def _print_header(title: str, *, started: int, folder: object) -> None:
    earlier = f" ({started} started earlier)" if started else ""
    print(f"{title}{earlier}: {folder}", flush=True)
