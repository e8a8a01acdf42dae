"""The ranked table at the end of a sweep: on the terminal and as CSV."""

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from musicrec.runs.overrides import SEED_KEY, Value
from musicrec.sweeps.jobs import Outcome
from musicrec.system.console import make_table, output_console
from musicrec.system.csv_table import write_csv

RANKING, JOBS = "ranking.csv", "jobs.csv"
_SHOWN = 30  # settings in the printed table


@dataclass(frozen=True, kw_only=True)
class RankedSetting:
    """All runs of a sweep that differ only in their seed.

    Attributes:
        params: {key: value} of the settings in which the jobs of the sweep differ, without the seed.
        runs: The runs with these settings, best first.
    """

    params: dict[str, Value]
    runs: list[Outcome]

    @property
    def objectives(self) -> list[float]:
        """The objectives of the finished runs."""
        return [run.objective for run in self.runs if run.status == "finished" and run.objective is not None]

    @property
    def mean(self) -> float | None:
        """The mean objective of the finished runs; None if there are none."""
        return statistics.fmean(self.objectives) if self.objectives else None

    @property
    def std(self) -> float | None:
        """The sample standard deviation over the seeds; None for fewer than two finished runs."""
        return statistics.stdev(self.objectives) if len(self.objectives) > 1 else None

    @property
    def score(self) -> float | None:
        """The value in the table: the mean, or, if no run has finished, the objective of the best run so far."""
        return self.mean if self.objectives else self.runs[0].objective

    @property
    def status(self) -> str:
        """The status "finished" if any run has finished, otherwise that of the best run."""
        return "finished" if self.objectives else self.runs[0].status


def rank(outcomes: Sequence[Outcome]) -> list[RankedSetting]:
    """Group jobs by their settings and rank the settings.

    Returns:
        The settings with finished runs, best mean first, then pruned ones, then those without an objective.
    """
    sign = -1 if any(outcome.mode == "max" for outcome in outcomes) else 1
    groups: dict[tuple, list[Outcome]] = {}
    for run in outcomes:
        groups.setdefault(tuple(item for item in run.params.items() if item[0] != SEED_KEY), []).append(run)

    def run_key(run: Outcome) -> tuple:
        order = {"finished": 0, "pruned": 1}.get(run.status, 2)
        return order, run.objective is None, sign * (run.objective or 0.0), run.number

    def setting_key(setting: RankedSetting) -> tuple:
        best = run_key(setting.runs[0])
        return (*best[:2], sign * setting.mean if setting.objectives else best[2], best[3])

    settings = [RankedSetting(params=dict(key), runs=sorted(runs, key=run_key)) for key, runs in groups.items()]
    return sorted(settings, key=setting_key)


def write_ranking(folder: Path, settings: Sequence[RankedSetting]) -> None:
    """Write ranking.csv, with one row per setting, and jobs.csv, with one row per job."""
    names = list(settings[0].params) if settings else []
    columns = ["objective", "std", "min", "max", "finished", "runs", "status", "best_run", "wandb"]
    rows = [_ranking_row(place, setting) for place, setting in enumerate(settings, start=1)]
    write_csv(folder / RANKING, ["rank", *names, *columns], rows)

    seed_columns = [SEED_KEY] if any(SEED_KEY in run.params for setting in settings for run in setting.runs) else []
    rows = []
    for setting in settings:
        for run in setting.runs:
            values = [*setting.params.values(), *(run.params.get(name) for name in seed_columns)]
            rows.append([run.number, *values, run.status, run.objective, run.folder, run.wandb, run.error])
    write_csv(folder / JOBS, ["job", *names, *seed_columns, "status", "objective", "run", "wandb", "error"], rows)


def print_ranking(folder: Path, settings: Sequence[RankedSetting], *, files: Sequence[str]) -> None:
    """Print the best settings as a table, the files of the sweep, the counts of jobs, and the errors.

    Args:
        folder: The sweep folder.
        settings: The output of `rank`.
        files: Names of the files in the sweep folder to mention.
    """
    out = output_console()
    runs = sorted((run for setting in settings for run in setting.runs), key=lambda run: run.number)
    metric = next((run.metric for run in runs if run.objective is not None), None)
    if metric:
        out.print(_make_table(out, settings, metric=metric))
        hidden = len(settings) - _SHOWN
        more = f"; {hidden} more in {RANKING}" if hidden > 0 else ""
        out.print(f"sweep: {escape(str(folder))} ({', '.join(files)}; a job's run folder is its number){more}")
    counts = Counter(run.status for run in runs)
    out.print(f"{len(runs)} jobs: " + ", ".join(f"{counts[status]} {status}" for status in sorted(counts)))
    for run in runs:
        if run.status == "failed":
            params = escape(" ".join(f"{key}={value}" for key, value in run.params.items()))
            out.print(f"[bold red]job {run.number} failed[/] ({params}): {escape(run.error or '')}", soft_wrap=True)


def _ranking_row(place: int, setting: RankedSetting) -> list:
    best, objectives = setting.runs[0], setting.objectives
    limits = [min(objectives), max(objectives)] if objectives else [None, None]
    scores = [setting.score, setting.std, *limits, len(objectives), len(setting.runs)]
    rank = place if objectives else None
    return [rank, *setting.params.values(), *scores, setting.status, best.folder, best.wandb]


def _make_table(out: Console, settings: Sequence[RankedSetting], *, metric: str) -> Table:
    table = make_table(out)
    repeated = any(len(setting.runs) > 1 for setting in settings)
    logged = any(run.wandb for setting in settings for run in setting.runs)
    table.add_column("rank", justify="right")
    for name in settings[0].params:
        table.add_column(escape(name))
    table.add_column(escape(metric), justify="right", style="bold")
    if repeated:
        table.add_column("± std", justify="right")
        table.add_column("seeds", justify="right")
    for title in ("status", "job", "W&B") if logged else ("status", "job"):
        table.add_column(title)
    for place, setting in enumerate(settings[:_SHOWN], start=1):
        rank = str(place) if setting.objectives else "–"
        params = map(_format_value, setting.params.values())
        seeds = [_format_number(setting.std), f"{len(setting.objectives)} of {len(setting.runs)}"] if repeated else []
        jobs = " ".join(str(run.number) for run in setting.runs)
        ids = [setting.runs[0].wandb or "–"] if logged else []
        table.add_row(rank, *params, _format_number(setting.score), *seeds, setting.status, jobs, *ids)
    return table


def _format_number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def _format_value(value: Value) -> str:
    return f"{value:.4g}" if isinstance(value, float) else escape(str(value))
