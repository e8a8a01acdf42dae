"""Any set of runs in one table, by what they recorded."""

import math
from collections.abc import Sequence
from pathlib import Path

from rich.markup import escape

from musicrec.errors import ConfigError
from musicrec.runs.find import Run, find_runs, finished
from musicrec.runs.overrides import differing_settings, identity
from musicrec.system.console import make_table, output_console
from musicrec.system.csv_table import write_csv

TABLE = "runs.csv"
_SHOWN_METRICS = 6
_FACTS = ("run", "status", "data", "git_commit", "wandb", "started", "ended")  # beside settings and metrics


def compare_runs(folders: Sequence[str], *, sort: str | None, mixed: bool) -> list[dict]:
    """A row a finished run at or below the folders, the best first: its facts, the settings in which the runs differ,
    its objective, and its test metrics as "<split>/<head>/<metric>".

    sort: a metric; None is the objective. The larger value comes first, unless the objective is minimised and it is the
    objective that is sorted by. mixed: rank also runs that were tested on different data, which is refused otherwise.
    """
    found = {run.folder.resolve(): run for folder in folders for run in find_runs(folder)}
    runs = finished(list(found.values()))
    if not runs:
        raise ConfigError(f"runs={','.join(folders)}: none of the {len(found)} runs there has finished")
    data = {run.data for run in runs}
    if len(data) > 1 and not mixed:
        raise ConfigError(
            f"these runs were measured on different data, and their figures do not compare: {'; '.join(sorted(data))}; "
            "name runs on the same data, or add mixed=true to have them side by side all the same"
        )
    settings = differing_settings([sorted(identity(run.record["overrides"])) for run in runs])
    rows = [_row(run, settings=chosen) for run, chosen in zip(runs, settings, strict=True)]
    metric = sort or rows[0]["metric"]
    known = sorted({name for row in rows for name in row["metrics"]})
    if metric not in known:
        raise ConfigError(f"sort={metric}: no run has that metric; there are: {', '.join(known)}")
    sign = 1 if sort is None and runs[0].record["objective"]["mode"] == "min" else -1
    return sorted(rows, key=lambda row: _key(row["metrics"].get(metric), sign))


def write_runs(folder: Path, rows: Sequence[dict]) -> Path:
    """runs.csv, with every metric."""
    settings, metrics = _names(rows, "settings"), _names(rows, "metrics")
    table = []
    for place, row in enumerate(rows, start=1):
        chosen = [*(row["settings"].get(n) for n in settings), *(row["metrics"].get(n) for n in metrics)]
        table.append([place, *(row[name] for name in _FACTS), *chosen])
    return write_csv(folder / TABLE, ["rank", *_FACTS, *settings, *metrics], table)


def print_runs(rows: Sequence[dict], *, sort: str | None) -> None:
    """The table, with as many metrics as fit beside the one that is sorted by."""
    out = output_console()
    first = sort or rows[0]["metric"]
    measured = [name for name in _names(rows, "metrics") if any(row["metrics"].get(name) is not None for row in rows)]
    others = [name for name in measured if name != first]
    metrics = [first, *others][:_SHOWN_METRICS]
    table = make_table(out)
    table.add_column("rank", justify="right")
    table.add_column("run", overflow="fold")
    for name in _names(rows, "settings"):
        table.add_column(escape(name))
    mixed = len({row["data"] for row in rows}) > 1
    if mixed:
        table.add_column("measured on")
    for name in metrics:
        table.add_column(escape(name), justify="right", style="bold" if name == first else None)
    for place, row in enumerate(rows, start=1):
        chosen = [escape(str(row["settings"].get(name, "–"))) for name in _names(rows, "settings")]
        values = [_number(row["metrics"].get(name)) for name in metrics]
        table.add_row(str(place), escape(row["run"]), *chosen, *([escape(row["data"])] if mixed else []), *values)
    out.print(table)
    if not mixed:
        out.print(f"{len(rows)} runs, measured on {escape(rows[0]['data'])}", soft_wrap=True)
    if len(others) >= _SHOWN_METRICS:
        out.print(f"{len(others) + 1 - _SHOWN_METRICS} more metrics in {TABLE}; sort=METRIC brings one to the front")


def _row(run: Run, *, settings: dict) -> dict:
    reached, record = run.record["objective"], run.record
    metrics = {reached["metric"]: reached["value"]}
    metrics |= {f"{split}/{name}": value for split, found in record["metrics"].items() for name, value in found.items()}
    facts = {name: record.get(name) for name in _FACTS}
    return facts | {"run": str(run.folder), "data": run.data, "metric": reached["metric"], "settings": settings,
                    "metrics": metrics}  # fmt: skip


def _names(rows: Sequence[dict], what: str) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row[what]))


def _key(value: float | None, sign: int) -> tuple[bool, float]:
    unknown = value is None or math.isnan(value)
    return unknown, 0.0 if unknown else sign * value


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"
