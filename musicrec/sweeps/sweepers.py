"""Hydra's sweepers: every combination, and a study that searches."""

import dataclasses
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
from musicrec.sweeps.jobs import DONE, Job, JobRunner, Outcome, outcome, plan
from musicrec.sweeps.ranking import JOBS, RANKING, print_ranking, rank, write_ranking
from musicrec.system.lock import try_lock

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

    from musicrec.sweeps.study import StudyWorker

SAMPLERS = ("optuna.samplers.*", "hydra_plugins.hydra_optuna_sweeper.*")
GRID_AGAIN = "the same command with hydra.sweep.dir={folder} runs what did not finish"
STUDY_AGAIN = "the same command continues the study; sweep.trials=N makes it longer"


class GridSweeper(Sweeper):
    """Every combination of the values given, as Hydra's own sweeper has it, and further: jobs that finished when the
    sweep ran before are not run again, one that fails does not stop the others, and in the end there is a ranking.

    params: {key: values} as on the command line, which may change them.
    """

    def __init__(self, *, params: DictConfig | None = None) -> None:
        self.params = params or {}

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.parser = OverridesParser.create(config_loader=hydra_context.config_loader)
        self.runner = JobRunner(hydra_context=hydra_context, task_function=task_function, config=config)

    def sweep(self, arguments: list[str]) -> None:
        overrides = self.parser.parse_overrides([*(f"{key}={value}" for key, value in self.params.items()), *arguments])
        (combinations,) = BasicSweeper.split_arguments(overrides, None)
        folder = self.runner.folder
        with one_message(), try_lock(folder / ".lock") as alone:
            if not alone:
                raise SweepError(f"{folder}: another process runs this sweep; wait for it, or name another folder")
            jobs = plan(folder, combinations)
            settings = differing_settings([job.overrides for job in jobs])
            params = {job.number: values for job, values in zip(jobs, settings, strict=True)}
            wanted = [job for job in jobs if outcome(job, {}).status not in (*DONE, "running")]
            self.runner.validate(wanted)
            earlier = f", {len(jobs) - len(wanted)} of them begun earlier" if len(wanted) < len(jobs) else ""
            print(f"sweep of {len(jobs)} jobs{earlier}: {folder}", flush=True)
            progress = Progress(self.runner)
            with progress.reported(lambda: [progress.read(job, params[job.number]) for job in jobs], again=GRID_AGAIN):
                if wanted:
                    progress.launch(wanted)


class Progress:
    """What the launcher said of the jobs so far, and what their run folders say."""

    def __init__(self, runner: JobRunner) -> None:
        self.runner = runner
        self.begun: list[int] = []
        self.ended: dict[int, bool] = {}

    def launch(self, jobs: Sequence[Job]) -> None:
        self.begun += [job.number for job in jobs]
        self.ended |= self.runner.launch(jobs)

    def read(self, job: Job, params: dict[str, Value]) -> Outcome:
        return outcome(job, params, ended_well=self.ended.get(job.number))

    @contextmanager
    def reported(self, outcomes: Callable[[], Sequence[Outcome]], *, again: str) -> Iterator[None]:
        """At the end of a sweep, however it comes: rank what there is; exit status 1 unless all jobs ended well."""
        folder, complete = self.runner.folder, False
        try:
            yield
            complete = True
        except Exception as error:  # of the launcher, such as a worker that was killed; jobs do not raise
            print_error(f"the launcher stopped: {type(error).__name__}: {error}")
        finally:
            found = outcomes()
            settings = rank(found)
            write_ranking(folder, settings)
            from musicrec.sweeps.plots import plot_sweep  # here: Matplotlib and Optuna take most of a second to import

            pictures = plot_sweep(folder, found)
            print_ranking(folder, settings, files=[RANKING, JOBS, *(path.name for path in pictures)])
            if not complete or any(run.number in self.begun and run.status not in DONE for run in found):
                print(again.format(folder=folder))
                sys.exit(1)


class StudySweeper(Sweeper):
    """Searches with a study of Optuna that is kept on disk.

    The same command continues a study, and in several shells at once they share it. Hydra's own Optuna sweeper can do
    neither: started again it asks for all its trials once more, from job 0 on, and a trial cannot be pruned.

    params: {key: range or choice} as on the command line, which may change them. trials: how many in all.
    parallel: how many the launcher gets at a time.
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
        self.runner = JobRunner(hydra_context=hydra_context, task_function=task_function, config=config)

    def sweep(self, arguments: list[str]) -> None:
        from musicrec.sweeps.study import StudyWorker, search_space  # Optuna takes its time to import

        folder = self.runner.folder
        with one_message():
            check_value("sweep.trials", self.trials, Count)
            check_value("sweep.parallel", self.parallel, Count)
            space, fixed = search_space([f"{key}={value}" for key, value in self.params.items()], arguments)
            self.runner.validate([Job(number=0, overrides=tuple(fixed), folder=folder / "0")])
            worker = StudyWorker(
                folder,
                storage=self.storage,
                direction=self.direction,
                space=space,
                fixed=fixed,
                sampler=self._make_sampler,
                trials=self.trials,
            )
            with worker.present():
                self._work(worker)

    def _work(self, worker: "StudyWorker") -> None:
        progress = Progress(self.runner)

        def read(job: Job) -> Outcome:
            return progress.read(job, worker.params(job.number))

        def seen(job: Job) -> Outcome:
            found = read(job)  # a trial that has left nothing yet is being begun by another worker
            return dataclasses.replace(found, status="running") if found.status == "not started" else found

        before = len(worker.jobs())
        earlier = f", {before} of them begun earlier" if before else ""
        print(f"study of {self.trials} trials{earlier}: {worker.folder}", flush=True)
        with progress.reported(lambda: [seen(job) for job in worker.jobs()], again=STUDY_AGAIN):
            while jobs := worker.take(self.parallel, outcome=read):
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
            raise ConfigError("hydra/sweeper/sampler: choose one that searches, or hydra/sweeper=grid for a grid")
        return sampler
