"""The ranked table that a sweep ends with: on the terminal, and as CSV."""

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
_SHOWN = 30


@dataclass(frozen=True, kw_only=True)
class Setting:
    """Parameters without the seed, and the runs with them, the best first."""

    params: dict[str, Value]
    runs: list[Outcome]

    @property
    def values(self) -> list[float]:
        """The objectives of its finished runs."""
        return [run.objective for run in self.runs if run.status == "finished" and run.objective is not None]

    @property
    def mean(self) -> float | None:
        return statistics.fmean(self.values) if self.values else None

    @property
    def spread(self) -> float | None:
        """Standard deviation over the seeds, of a sample; None of fewer than two."""
        return statistics.stdev(self.values) if len(self.values) > 1 else None

    @property
    def status(self) -> str:
        return "finished" if self.values else self.runs[0].status


def rank(outcomes: Sequence[Outcome]) -> list[Setting]:
    """The settings, the best mean first; then those that were pruned, and those that ended without an objective."""
    sign = -1 if any(outcome.mode == "max" for outcome in outcomes) else 1
    groups: dict[tuple, list[Outcome]] = {}
    for found in outcomes:
        groups.setdefault(tuple(item for item in found.params.items() if item[0] != SEED_KEY), []).append(found)

    def key_of_run(run: Outcome) -> tuple:
        order = {"finished": 0, "pruned": 1}.get(run.status, 2)
        return order, run.objective is None, sign * (run.objective or 0.0), run.number

    def key_of_setting(setting: Setting) -> tuple:
        best = key_of_run(setting.runs[0])
        return (*best[:2], sign * setting.mean if setting.values else best[2], best[3])

    settings = [Setting(params=dict(key), runs=sorted(runs, key=key_of_run)) for key, runs in groups.items()]
    return sorted(settings, key=key_of_setting)


def write_ranking(folder: Path, settings: Sequence[Setting]) -> None:
    """ranking.csv, a row a setting, and jobs.csv, a row a job."""
    names = list(settings[0].params) if settings else []
    with_spread = any(SEED_KEY in run.params for setting in settings for run in setting.runs)
    rows, jobs = [], []
    for place, setting in enumerate(settings, start=1):
        best, params = setting.runs[0], list(setting.params.values())
        finished = setting.values
        ends = [min(finished), max(finished)] if finished else [None, None]
        value = setting.mean if finished else best.objective
        rows.append([
            place if finished else None, *params, value, setting.spread, *ends, len(finished), len(setting.runs),
            setting.status, best.folder, best.wandb,
        ])  # fmt: skip
        for run in setting.runs:
            seed = [run.params.get(SEED_KEY)] if with_spread else []
            jobs.append([run.number, *params, *seed, run.status, run.objective, run.folder, run.wandb, run.error])
    ends_with = ["objective", "std", "min", "max", "finished", "runs", "status", "best_run", "wandb"]
    write_csv(folder / RANKING, ["rank", *names, *ends_with], rows)
    seed = [SEED_KEY] if with_spread else []
    write_csv(folder / JOBS, ["job", *names, *seed, "status", "objective", "run", "wandb", "error"], jobs)


def print_ranking(folder: Path, settings: Sequence[Setting], *, files: Sequence[str]) -> None:
    """The best settings as a table, what failed and why, and the files of the sweep folder to look into."""
    out = output_console()
    runs = sorted((run for setting in settings for run in setting.runs), key=lambda run: run.number)
    metric = next((run.metric for run in runs if run.objective is not None), None)
    if metric:
        out.print(_table(out, settings, metric=metric))
        left = len(settings) - _SHOWN
        more = f"; {left} more in {RANKING}" if left > 0 else ""
        out.print(f"sweep: {escape(str(folder))} ({', '.join(files)}; a job's run folder is its number){more}")
    counts = Counter(run.status for run in runs)
    out.print(f"{len(runs)} jobs: " + ", ".join(f"{counts[status]} {status}" for status in sorted(counts)))
    for run in runs:
        if run.status == "failed":
            text = " ".join(f"{key}={value}" for key, value in run.params.items())
            out.print(
                f"[bold red]job {run.number} failed[/] ({escape(text)}): {escape(run.error or '')}", soft_wrap=True
            )


def _table(out: Console, settings: Sequence[Setting], *, metric: str) -> Table:
    table = make_table(out)
    spread = any(len(setting.runs) > 1 for setting in settings)
    table.add_column("rank", justify="right")
    for name in settings[0].params:
        table.add_column(escape(name))
    table.add_column(escape(metric), justify="right", style="bold")
    if spread:
        table.add_column("± std", justify="right")
        table.add_column("seeds", justify="right")
    logged = any(run.wandb for setting in settings for run in setting.runs)
    for title in ("status", "job", "W&B")[: 3 if logged else 2]:
        table.add_column(title)
    for place, setting in enumerate(settings[:_SHOWN], start=1):
        best = setting.runs[0]
        value = setting.mean if setting.values else best.objective
        seeds = [_number(setting.spread), f"{len(setting.values)} of {len(setting.runs)}"] if spread else []
        jobs = " ".join(str(run.number) for run in setting.runs)
        ids = [best.wandb or "–"] if logged else []
        table.add_row(str(place) if setting.values else "–", *map(_text, setting.params.values()), _number(value),
                      *seeds, setting.status, jobs, *ids)  # fmt: skip
    return table


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def _text(value: Value) -> str:
    return f"{value:.4g}" if isinstance(value, float) else escape(str(value))
