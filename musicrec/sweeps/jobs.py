"""The jobs of a sweep: a numbered folder each, launched by whatever launcher Hydra was told to use."""

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
from musicrec.errors import SweepError
from musicrec.runs.overrides import Value, identifying_overrides
from musicrec.runs.record_file import read_run
from musicrec.system.atomic_write import write_text

DONE = ("finished", "pruned")


@dataclass(frozen=True, kw_only=True)
class Job:
    """overrides: of the command line, with one value each. folder: of the run."""

    number: int
    overrides: tuple[str, ...]
    folder: Path


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a job ended. params: what distinguishes it from the others of its sweep.

    status: finished, pruned, failed, interrupted, running (elsewhere) or "not started". objective: None where none was
    reached. mode: max or min, what is better.
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


for _name in ("hydra", "hydra_plugins"):  # the launchers' own lines: a job says by itself what it is
    logging.getLogger(_name).setLevel(logging.WARNING)


class JobRunner:
    """Launches jobs below the sweep folder of a multirun's config."""

    def __init__(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.folder = Path(config.hydra.sweep.dir)
        self.loader, self.config = hydra_context.config_loader, config
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def validate(self, jobs: Sequence[Job]) -> None:
        """Compose the config of every job: what is wrong with the last one is told before the first one trains."""
        for job in jobs:
            check_settings(self.loader.load_sweep_config(self.config, self._overrides(job)), allowed=TARGETS)

    def launch(self, jobs: Sequence[Job]) -> dict[int, bool]:
        """Run the jobs; {number: whether it ended well}. Blocks until all of them ended."""
        write_text(self.folder / "multirun.yaml", OmegaConf.to_yaml(self.config), error=SweepError)
        returned = self.launcher.launch([self._overrides(job) for job in jobs], initial_job_idx=jobs[0].number)
        pairs = zip(jobs, returned, strict=True)
        return {job.number: done.status is JobStatus.COMPLETED for job, done in pairs}

    def _overrides(self, job: Job) -> list[str]:
        # The folder as it is for the sweep: in a job, ${name} may be another one.
        folder = QuotedString(text=str(self.folder.absolute()), quote=Quote.single).with_quotes()
        return [*job.overrides, f"hydra.sweep.dir={folder}", f"hydra.sweep.subdir={job.number}"]


def plan(folder: Path, combinations: Sequence[Sequence[str]]) -> list[Job]:
    """A job for each combination of overrides: in the folder that such a job had when the sweep ran before, else in a
    new one with the next free number."""
    before = {}
    for number, run in run_folders(folder).items():
        overrides = run / ".hydra" / "overrides.yaml"
        if overrides.is_file():
            before[identifying_overrides(OmegaConf.to_container(OmegaConf.load(overrides)))] = number
    free = max(run_folders(folder), default=-1) + 1
    jobs = []
    for overrides in dict.fromkeys(map(tuple, combinations)):
        number = before.get(identifying_overrides(overrides))
        if number is None:
            number, free = free, free + 1
        jobs.append(Job(number=number, overrides=overrides, folder=folder / str(number)))
    return jobs


def run_folders(folder: Path) -> dict[int, Path]:
    """{number: run folder} below a sweep folder."""
    return {int(path.name): path for path in folder.glob("*") if path.name.isdigit() and path.is_dir()}


def outcome(job: Job, params: dict[str, Value], *, ended_well: bool | None = None) -> Outcome:
    """What the run folder of a job says. ended_well: what the launcher says of a program that keeps no record; None
    where the job was not launched."""
    record = read_run(job.folder)
    if record is None:
        status = {None: "not started", True: "finished", False: "failed"}[ended_well]
        error = "it ended before it began its record" if status == "failed" else None
        return Outcome(number=job.number, params=params, folder=job.folder, status=status, error=error)
    reached = record["objective"] or {}
    return Outcome(
        number=job.number,
        params=params,
        folder=job.folder,
        status=record["status"],
        objective=reached.get("value"),
        metric=reached.get("metric", "objective"),
        mode=reached.get("mode", "max"),
        wandb=record["wandb"],
        error=record["error"],
        git_commit=record["git_commit"],
    )
