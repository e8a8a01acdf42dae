"""The jobs of a sweep: each has a numbered folder and is started by Hydra's launcher."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hydra.core.override_parser.types import Quote, QuotedString
from hydra.core.plugins import Plugins
from hydra.core.utils import JobStatus
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from musicrec.config.targets import TARGETS
from musicrec.config.validation import check_settings
from musicrec.errors import ConfigError, SweepError
from musicrec.runs.overrides import Value, identifying_overrides
from musicrec.runs.record_file import read_run
from musicrec.system.atomic_write import write_text

SUCCESSFUL = ("finished", "pruned")  # the statuses of jobs that need not run again
SWEEP_LOCK = ".lock"  # in the folder of the sweep, held while a process runs it
SEVERAL_PROCESSES = (
    "trainer.strategy={strategy} trainer.devices={devices}: with several processes per job, each process would run the "
    "whole multirun; use trainer.strategy=auto trainer.devices=1, or start the jobs one by one, without -m"
)


@dataclass(frozen=True, kw_only=True)
class SweepJob:
    """One job of a sweep.

    Attributes:
        number: The number of the job, which is the name of its folder.
        overrides: Overrides as on the command line, with one value each.
        folder: The run folder.
    """

    number: int
    overrides: tuple[str, ...]
    folder: Path


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The state of a job, or how it ended.

    Attributes:
        number: The number of the job.
        params: {key: value} of the settings in which the jobs of the sweep differ.
        folder: The run folder.
        status: "finished", "pruned", "failed", "interrupted", "running" (in another process) or "not started".
        objective: The best value of the monitored metric; None if there is none.
        metric: The name of the monitored metric.
        mode: "max" or "min", whichever is better.
        wandb: The id of the W&B run, if there is one.
        error: The error message of a failed job.
        git_commit: The commit of the code that ran.
    """

    number: int
    params: dict[str, Value]
    folder: Path
    status: str
    objective: float | None = None
    metric: str = "objective"
    mode: str = "max"
    wandb: str | None = None
    error: str | None = None
    git_commit: str | None = None


for _name in ("hydra", "hydra_plugins"):  # silence the launchers, because every job prints its own header
    logging.getLogger(_name).setLevel(logging.WARNING)


class JobRunner:
    """Launches jobs in the sweep folder of a multirun.

    Args:
        hydra_context: Hydra's loaders.
        task_function: The program.
        config: The composed settings of the multirun, including Hydra's own.

    Attributes:
        folder: The sweep folder.
    """

    def __init__(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.folder = Path(config.hydra.sweep.dir)
        self.loader, self.config = hydra_context.config_loader, config
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def validate(self, jobs: Sequence[SweepJob]) -> None:
        """Compose and check the settings of every job, so that mistakes in any job show before the first one starts.

        Raises:
            ConfigError: If a setting is invalid, or if a training would start several processes.
        """
        for job in jobs:
            cfg = self.loader.load_sweep_config(self.config, self._overrides(job))
            check_settings(cfg, allowed=TARGETS)
            # Only a number of devices is known here. The job itself checks the rest, such as trainer.devices=auto.
            devices = OmegaConf.select(cfg, "trainer.devices")
            if self.config.hydra.job.config_name == "train" and isinstance(devices, int) and devices > 1:
                raise ConfigError(SEVERAL_PROCESSES.format(strategy=cfg.trainer.strategy, devices=devices))

    def launch(self, jobs: Sequence[SweepJob]) -> dict[int, bool]:
        """Run the jobs and wait until all of them have ended.

        Returns:
            For each job number, whether the program ended without an error.
        """
        write_text(self.folder / "multirun.yaml", OmegaConf.to_yaml(self.config), error=SweepError)
        returned = self.launcher.launch([self._overrides(job) for job in jobs], initial_job_idx=jobs[0].number)
        pairs = zip(jobs, returned, strict=True)
        return {job.number: result.status is JobStatus.COMPLETED for job, result in pairs}

    def _overrides(self, job: SweepJob) -> list[str]:
        # Resolve the folder here: in a job, an interpolation such as ${name} may have another value.
        folder = QuotedString(text=str(self.folder.absolute()), quote=Quote.single).with_quotes()
        return [*job.overrides, f"hydra.sweep.dir={folder}", f"hydra.sweep.subdir={job.number}"]


def plan_jobs(folder: Path, combinations: Sequence[Sequence[str]]) -> list[SweepJob]:
    """Assign a folder to each combination of overrides.

    Args:
        folder: The sweep folder.
        combinations: The overrides of each job. Repeated combinations count once.

    Returns:
        One job per combination. A job that an earlier start of the sweep has begun keeps its folder; a new job gets the
        next free number.
    """
    earlier = {}
    for number, run in run_folders(folder).items():
        overrides = run / ".hydra" / "overrides.yaml"
        if overrides.is_file():
            earlier[identifying_overrides(OmegaConf.to_container(OmegaConf.load(overrides)))] = number
    next_number = max(run_folders(folder), default=-1) + 1
    jobs = []
    for overrides in dict.fromkeys(map(tuple, combinations)):
        number = earlier.get(identifying_overrides(overrides))
        if number is None:
            number, next_number = next_number, next_number + 1
        jobs.append(SweepJob(number=number, overrides=overrides, folder=folder / str(number)))
    return jobs


def run_folders(folder: Path) -> dict[int, Path]:
    """Return {job number: run folder} of a sweep folder."""
    return {int(path.name): path for path in folder.glob("*") if path.name.isdigit() and path.is_dir()}


def read_outcome(job: SweepJob, params: dict[str, Value], *, succeeded: bool | None = None) -> Outcome:
    """Read the outcome of a job from its run folder.

    Args:
        job: The job.
        params: {key: value} of the settings in which the jobs of the sweep differ.
        succeeded: Whether the job succeeded according to the launcher; None if this process did not launch it. It
            decides the status if the run folder has no record.
    """
    record = read_run(job.folder)
    if record is None:
        status = {None: "not started", True: "finished", False: "failed"}[succeeded]
        error = "the job ended before it wrote a record" if status == "failed" else None
        return Outcome(number=job.number, params=params, folder=job.folder, status=status, error=error)
    objective = record["objective"] or {}
    return Outcome(
        number=job.number,
        params=params,
        folder=job.folder,
        status=record["status"],
        objective=objective.get("value"),
        metric=objective.get("metric", "objective"),
        mode=objective.get("mode", "max"),
        wandb=record["wandb"],
        error=record["error"],
        git_commit=record["git_commit"],
    )
