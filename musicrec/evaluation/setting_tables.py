"""Tables of the settings of a sweep, on the terminal and as CSV."""

import math
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from musicrec.evaluation.bootstrap import Bootstrap
from musicrec.evaluation.comparison import p_text
from musicrec.evaluation.result import Result
from musicrec.evaluation.score_tables import interval_text, number_text
from musicrec.evaluation.setting_scores import Limits, SettingScore
from musicrec.system.console import make_table, output_console
from musicrec.system.csv_table import write_records

TABLE = "settings.csv"


def write_settings(folder: Path, scores: Sequence[SettingScore], bootstrap: Bootstrap) -> Path:
    """Write settings.csv: one row per split, metric and setting, with the intervals of all units.

    Args:
        folder: Folder of the report.
        scores: As `score_settings` returns them.
        bootstrap: Settings of the intervals.

    Returns:
        The file.
    """
    return write_records(folder / TABLE, [_row(score, bootstrap) for score in scores])


def _row(score: SettingScore, bootstrap: Bootstrap) -> dict:
    row = {name: getattr(score, name) for name in ("split", "head", "metric")}
    row |= score.setting.params | {"runs": len(score.values), "minutes": _rounded(score.setting.minutes, digits=1)}
    row |= {"mean": _rounded(score.mean), "std": _rounded(score.spread)}
    row |= {"min": _rounded(min(score.values)), "max": _rounded(max(score.values))}
    for unit in bootstrap.units:
        row |= _limits(score.intervals, unit, "")
    row |= {"chance": _rounded(score.chance), "difference": _rounded(score.difference)}
    for unit in bootstrap.units:
        row |= _limits(score.differences, unit, "difference_") | {f"p_{unit}": _rounded(score.p_values.get(unit))}
    return (
        row | {"tracks": score.tracks} | {f"{unit}s": count for unit, count in score.units.items() if unit != "track"}
    )


def _limits(limits: Limits, unit: str, prefix: str) -> dict:
    low, high = limits.get(unit, (math.nan, math.nan))
    return {f"{prefix}low_{unit}": _rounded(low), f"{prefix}high_{unit}": _rounded(high)}


def _rounded(value: float | None, *, digits: int = 6) -> float | None:
    return None if value is None or math.isnan(value) else round(value, digits)


def print_settings(
    results: Sequence[Result], scores: Sequence[SettingScore], left_out: Sequence[str], bootstrap: Bootstrap
) -> None:
    """Print a table per split with one row per metric and setting.

    A row has the mean over the runs, their standard deviation, the interval by artist (by track if there are no
    artists), and the difference from the first setting with its own interval.

    Args:
        results: The results; the first one names the data in the heading.
        scores: As `score_settings` returns them.
        left_out: Reasons, as `score_settings` returns them.
        bootstrap: Settings of the intervals.
    """
    out = output_console()
    for split in dict.fromkeys(score.split for score in scores):
        out.print(f"\n{escape(results[0].title(split)[1])}")
        _print_split(out, [score for score in scores if score.split == split], bootstrap)
    if any(score.difference is not None for score in scores):
        out.print("about 1 of 20 intervals of a difference excludes zero by chance")
    for reason in left_out:
        out.print(f"not compared: {escape(reason)}")


def _print_split(out: Console, rows: Sequence[SettingScore], bootstrap: Bootstrap) -> None:
    unit = list(rows[0].units)[-1] if rows[0].units else ""
    interval = f"{bootstrap.confidence:.0%} by {unit}" if unit else "interval"
    has_seeds = any(row.spread is not None for row in rows)
    has_minutes = any(row.setting.minutes for row in rows)
    has_differences = any(row.difference is not None for row in rows)

    split = rows[0].split
    columns = ["runs"] if has_seeds else []
    columns += ["minutes"] if has_minutes else []
    columns += [split, *(["± std"] if has_seeds else []), interval, "chance"]
    columns += ["to the first", interval, "p"] if has_differences else []
    table = make_table(out, "metric")
    for key in rows[0].setting.params:
        table.add_column(escape(key))
    for column in columns:
        table.add_column(escape(column), justify="right", style="bold" if column == split else None)

    for row in rows:
        params = [escape(str(value)) for value in row.setting.params.values()]
        cells = [str(len(row.values))] if has_seeds else []
        cells += [_minutes_text(row.setting.minutes)] if has_minutes else []
        cells += [number_text(row.mean), *([number_text(row.spread)] if has_seeds else [])]
        cells += [interval_text(row.intervals.get(unit)), number_text(row.chance)]
        cells += _difference_cells(row, unit) if has_differences else []
        table.add_row(escape(f"{row.head} {row.metric}"), *params, *cells)
    out.print(table)
    counts = " and ".join(f"{count} {name}s" for name, count in rows[0].units.items())
    out.print(f"intervals: {bootstrap.resamples} paired bootstrap resamples of {counts}; ± std: over the runs")


def _difference_cells(row: SettingScore, unit: str) -> list[str]:
    if row.difference is None:
        return ["", "", ""]
    interval = interval_text(row.differences.get(unit), signed=True)
    return [f"{row.difference:+.3f}", interval, p_text(row.p_values.get(unit))]


def _minutes_text(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"
