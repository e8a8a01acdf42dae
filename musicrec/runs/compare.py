"""Comparison of any set of runs in one table."""

import math
from collections.abc import Sequence
from pathlib import Path

from rich.markup import escape

from musicrec.errors import ConfigError
from musicrec.runs.find import Run, find_runs, finished_runs
from musicrec.runs.overrides import differing_settings, identifying_overrides
from musicrec.system.console import make_table, output_console
from musicrec.system.csv_table import write_csv

TABLE = "runs.csv"
_SHOWN_METRICS = 6
_FACTS = ("run", "status", "data", "git_commit", "wandb", "started", "ended")  # columns beside settings and metrics


def compare_runs(folders: Sequence[str], *, sort: str | None, mixed: bool) -> list[dict]:
    """Rank all finished runs in or below the given folders.

    Args:
        folders: Folders to search. They may overlap.
        sort: The metric to rank by; None for the objective of the runs. Larger values rank higher, except for an
            objective that is minimised.
        mixed: Whether runs that were measured on different data may be ranked together.

    Returns:
        One row per run, best first. Besides the columns of runs.csv, a row has "settings", the overrides in which the
        runs differ; "metric", the name of its objective; and "metrics", which holds the objective and the test metrics
        as "<split>/<head>/<metric>".

    Raises:
        ConfigError: If no run has finished, if the runs were measured on different data and `mixed` is False, or if no
            run has the metric `sort`.
    """
    found = {run.folder.resolve(): run for folder in folders for run in find_runs(folder)}
    runs = finished_runs(list(found.values()))
    if not runs:
        raise ConfigError(f"runs={','.join(folders)}: none of the {len(found)} runs found there has finished")
    data = {run.data for run in runs}
    if len(data) > 1 and not mixed:
        raise ConfigError(
            f"these runs were measured on different data, so their metrics are not comparable: "
            f"{'; '.join(sorted(data))}; choose runs on the same data, or add mixed=true to list them together"
        )
    settings = differing_settings([sorted(identifying_overrides(run.record["overrides"])) for run in runs])
    rows = [_make_row(run, settings=differing) for run, differing in zip(runs, settings, strict=True)]
    metric = sort or rows[0]["metric"]
    known = sorted({name for row in rows for name in row["metrics"]})
    if metric not in known:
        raise ConfigError(f"sort={metric}: no run has this metric; available: {', '.join(known)}")
    sign = 1 if sort is None and runs[0].record["objective"]["mode"] == "min" else -1
    return sorted(rows, key=lambda row: _sort_key(row["metrics"].get(metric), sign))


def write_runs(folder: Path, rows: Sequence[dict]) -> Path:
    """Write the rows of `compare_runs` with all their metrics to runs.csv, and return its path."""
    settings, metrics = _all_keys(rows, "settings"), _all_keys(rows, "metrics")
    table = []
    for rank, row in enumerate(rows, start=1):
        values = [*(row["settings"].get(name) for name in settings), *(row["metrics"].get(name) for name in metrics)]
        table.append([rank, *(row[name] for name in _FACTS), *values])
    return write_csv(folder / TABLE, ["rank", *_FACTS, *settings, *metrics], table)


def print_runs(rows: Sequence[dict], *, sort: str | None) -> None:
    """Print the rows of `compare_runs` as a table, with the metric they are ranked by and the first few others.

    Args:
        rows: At least one row.
        sort: As in `compare_runs`.
    """
    out = output_console()
    ranked_by = sort or rows[0]["metric"]
    measured = [
        name for name in _all_keys(rows, "metrics") if any(row["metrics"].get(name) is not None for row in rows)
    ]
    others = [name for name in measured if name != ranked_by]
    metrics = [ranked_by, *others][:_SHOWN_METRICS]
    settings = _all_keys(rows, "settings")
    mixed = len({row["data"] for row in rows}) > 1
    table = make_table(out)
    table.add_column("rank", justify="right")
    table.add_column("run", overflow="fold")
    for name in settings:
        table.add_column(escape(name))
    if mixed:
        table.add_column("measured on")
    for name in metrics:
        table.add_column(escape(name), justify="right", style="bold" if name == ranked_by else None)
    for rank, row in enumerate(rows, start=1):
        chosen = [escape(str(row["settings"].get(name, "–"))) for name in settings]
        data = [escape(row["data"])] if mixed else []
        values = [_format_number(row["metrics"].get(name)) for name in metrics]
        table.add_row(str(rank), escape(row["run"]), *chosen, *data, *values)
    out.print(table)
    if not mixed:
        out.print(f"{len(rows)} runs, measured on {escape(rows[0]['data'])}", soft_wrap=True)
    if len(others) >= _SHOWN_METRICS:
        out.print(f"{TABLE} has {len(others) + 1 - _SHOWN_METRICS} more metrics; sort=METRIC ranks by one of them")


def _make_row(run: Run, *, settings: dict) -> dict:
    objective = run.record["objective"]
    metrics = {objective["metric"]: objective["value"]}
    for split, values in run.record["metrics"].items():
        metrics |= {f"{split}/{name}": value for name, value in values.items()}
    facts = {name: run.record.get(name) for name in _FACTS} | {"run": str(run.folder), "data": run.data}
    return facts | {"metric": objective["metric"], "settings": settings, "metrics": metrics}


def _all_keys(rows: Sequence[dict], column: str) -> list[str]:
    """Return the keys that any row has in a column of dictionaries, in the order of their first appearance."""
    return list(dict.fromkeys(key for row in rows for key in row[column]))


def _sort_key(value: float | None, sign: int) -> tuple[bool, float]:
    unknown = value is None or math.isnan(value)
    return unknown, 0.0 if unknown else sign * value


def _format_number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"
