"""The settings of a sweep, as measured: on the terminal, and as CSV."""

import math
from collections.abc import Sequence
from pathlib import Path

from rich.markup import escape

from musicrec.evaluation.bootstrap import Bootstrap
from musicrec.evaluation.comparison import p_text
from musicrec.evaluation.result import Result
from musicrec.evaluation.setting_scores import Limits, SettingScore
from musicrec.evaluation.tables import interval_text, number
from musicrec.system.console import make_table, output_console
from musicrec.system.csv_table import write_records

TABLE = "settings.csv"


def write_settings(folder: Path, scores: Sequence[SettingScore], bootstrap: Bootstrap) -> Path:
    """settings.csv, a row a split, metric and setting, with the intervals of all units."""
    return write_records(folder / TABLE, [_row(score, bootstrap) for score in scores])


def _row(score: SettingScore, bootstrap: Bootstrap) -> dict:
    row = {name: getattr(score, name) for name in ("split", "head", "metric")}
    row |= score.setting.params | {"runs": len(score.values), "minutes": _plain(score.setting.minutes, digits=1)}
    row |= {"mean": _plain(score.mean), "std": _plain(score.spread)}
    row |= {"min": _plain(min(score.values)), "max": _plain(max(score.values))}
    for unit in bootstrap.units:
        row |= _pair(score.intervals, unit, "")
    row |= {"chance": _plain(score.chance), "difference": _plain(score.difference)}
    for unit in bootstrap.units:
        row |= _pair(score.differences, unit, "difference_") | {f"p_{unit}": _plain(score.p_values.get(unit))}
    return (
        row | {"tracks": score.tracks} | {f"{unit}s": count for unit, count in score.units.items() if unit != "track"}
    )


def _pair(limits: Limits, unit: str, prefix: str) -> dict:
    low, high = limits.get(unit, (math.nan, math.nan))
    return {f"{prefix}low_{unit}": _plain(low), f"{prefix}high_{unit}": _plain(high)}


def _plain(value: float | None, *, digits: int = 6) -> float | None:
    return None if value is None or math.isnan(value) else round(value, digits)


def print_settings(
    results: Sequence[Result], scores: Sequence[SettingScore], left_out: Sequence[str], bootstrap: Bootstrap
) -> None:
    """Print a row a metric and setting: the mean over the runs, their spread, the interval by artist (by track where
    there are none), and the difference to the first setting with its own."""
    out = output_console()
    for split in dict.fromkeys(score.split for score in scores):
        rows = [score for score in scores if score.split == split]
        unit = list(rows[0].units)[-1] if rows[0].units else ""
        limits = f"{bootstrap.confidence:.0%} by {unit}" if unit else "interval"
        seeds, timed = any(row.spread is not None for row in rows), any(row.setting.minutes for row in rows)
        compared = any(row.difference is not None for row in rows)
        table = make_table(out, "metric")
        for key in rows[0].setting.params:
            table.add_column(escape(key))
        columns = ["runs"] if seeds else []
        columns += ["minutes"] if timed else []
        columns += [split, *(["± std"] if seeds else []), limits, "chance"]
        if compared:
            columns += ["to the first", limits, "p"]
        for column in columns:
            table.add_column(escape(column), justify="right", style="bold" if column == split else None)
        for row in rows:
            cells = [str(len(row.values))] if seeds else []
            cells += [_minutes(row.setting.minutes)] if timed else []
            cells += [
                number(row.mean),
                *([number(row.spread)] if seeds else []),
                interval_text(row.intervals.get(unit)),
            ]
            cells.append(number(row.chance))
            if compared and row.difference is None:
                cells += ["", "", ""]
            elif compared:
                apart = interval_text(row.differences.get(unit), signed=True)
                cells += [f"{row.difference:+.3f}", apart, p_text(row.p_values.get(unit))]
            params = (escape(str(value)) for value in row.setting.params.values())
            table.add_row(escape(f"{row.head} {row.metric}"), *params, *cells)
        out.print(f"\n{escape(results[0].title(split)[1])}")
        out.print(table)
        counts = " and ".join(f"{count} {name}s" for name, count in rows[0].units.items())
        out.print(f"intervals: {bootstrap.resamples} paired bootstrap resamples of {counts}; ± std: over the runs")
    if compared:
        out.print("Of 20 differences one leaves zero out by chance.")
    for reason in left_out:
        out.print(f"not compared: {escape(reason)}")


def _minutes(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"
