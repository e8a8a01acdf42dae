"""A comparison as a table for people, and as CSV and JSON for programs."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from musicrec.recommend.evaluation.comparison import Comparison
from musicrec.recommend.evaluation.estimates import MeasureEstimate
from musicrec.system.atomic_write import write_json, write_text
from musicrec.system.csv_table import write_records

NONE = "–"  # in place of a number that does not exist
_DIGITS = 4


def score_rows(comparison: Comparison) -> list[dict[str, Any]]:
    """Return one row per ranking and measure, for CSV and JSON. What is NaN is None."""
    return [
        {
            "ranking": score.ranking,
            "measure": score.measure,
            "unit": comparison.measures[score.measure].unit,
            **_numbers(score.estimate),
            "queries": score.queries,
        }
        for score in comparison.scores
    ]


def difference_rows(comparison: Comparison) -> list[dict[str, Any]]:
    """Return one row per compared pair of rankings and measure, for CSV and JSON."""
    return [
        {"ranking": one.ranking, "other": one.other, "measure": one.measure, **_numbers(one.estimate)}
        for one in comparison.differences
    ]


def write_report(folder: Path, comparison: Comparison, *, about: dict[str, Any]) -> list[Path]:
    """Write `scores.csv`, `differences.csv`, `evaluation.json` and `evaluation.md`.

    Args:
        folder: Where to.
        comparison: To write.
        about: What else is to be known of it, in plain JSON types: the library, its models, the version.

    Returns:
        The files.
    """
    files = [folder / name for name in ("scores.csv", "differences.csv", "evaluation.json", "evaluation.md")]
    write_records(files[0], score_rows(comparison))
    if comparison.differences:
        write_records(files[1], difference_rows(comparison))
    document = {
        "about": about | comparison.about,
        "measures": [vars(measure) for measure in comparison.measures.values()],
        "scores": score_rows(comparison),
        "differences": difference_rows(comparison),
    }
    write_json(files[2], document)
    write_text(files[3], markdown(comparison))
    return [file for file in files if file.exists()]


def markdown(comparison: Comparison, *, measures: Sequence[str] | None = None, intervals: bool = True) -> str:
    """Return a Markdown table with a line per ranking and a column per measure.

    Args:
        comparison: To show.
        measures: Names of the measures; None for all.
        intervals: Show the intervals, too.
    """
    header, rows = table(comparison, measures=measures, intervals=intervals)
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def table(
    comparison: Comparison, *, measures: Sequence[str] | None = None, intervals: bool = True
) -> tuple[list[str], list[list[str]]]:
    """Return the header and the rows of a table with a line per ranking and a column per measure."""
    names = [name for name in comparison.measures if measures is None or name in measures]
    rows = []
    for ranking in comparison.rankings:
        scores = [comparison.of(ranking, name) for name in names]
        rows.append([ranking, *(text(None if one is None else one.estimate, interval=intervals) for one in scores)])
    chances = comparison.about["chance"]
    if isinstance(chances, dict) and chances.keys() & set(names):
        rows.append(["chance", *(f"{chances[name]:.3f}" if name in chances else "" for name in names)])
    return ["ranking", *(comparison.measures[name].title for name in names)], rows


def text(estimate: MeasureEstimate | None, *, interval: bool = True, signed: bool = False) -> str:
    """Return an estimate as text, such as "0.512 [0.489, 0.535]"."""
    if estimate is None or math.isnan(estimate.value):
        return NONE
    form = "+.3f" if signed else ".3f"
    value = format(estimate.value, form)
    if not interval or math.isnan(estimate.low):
        return value
    return f"{value} [{format(estimate.low, form)}, {format(estimate.high, form)}]"


def _numbers(estimate: MeasureEstimate) -> dict[str, float | None]:
    return {
        name: None if math.isnan(value) else round(value, _DIGITS)
        for name, value in (("value", estimate.value), ("low", estimate.low), ("high", estimate.high))
    }
