"""Tables of an evaluation for the terminal, or for a log file: then they are plain."""

import math
from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from musicrec.evaluation.bootstrap import Bootstrap
from musicrec.evaluation.report import HeadScore
from musicrec.system.console import make_table, output_console

_WHOLE_TABLE = 24  # classes; of more, the terminal shows the ends


def print_scores(scores: Sequence[HeadScore], *, title: str, bootstrap: Bootstrap | None = None) -> None:
    """Print a row a metric, and for every split its value, what chance gives, and the number of labelled tracks.

    A head that no track is labelled for gets a line of its own. bootstrap: what the scores' intervals come from, if
    they have some; then give one split at a time, else the table gets too wide.
    """
    out = output_console()
    splits = list(dict.fromkeys(score.split for score in scores))
    out.print(f"\n[bold]{escape(title)}[/]")
    table = _metrics_table(out, scores, splits, bootstrap)
    if table.row_count:
        out.print(table)
    if bootstrap is not None:
        _print_interval_notes(out, scores, bootstrap)
    for split in splits:
        unlabelled = [score.head.name for score in scores if score.split == split and not score.labelled]
        if unlabelled:
            out.print(f"{escape(split)}: no track is labelled for {escape(', '.join(unlabelled))}; left out")
        partly = [s for s in scores if s.split == split and 0 < s.labelled < s.tracks]
        if partly:
            counts = ", ".join(f"{score.head.name} {score.labelled}" for score in partly)
            out.print(f"{escape(split)}: of {partly[0].tracks} tracks, those count that have a label the model knows: "
                      f"{escape(counts)}")  # fmt: skip


def _metrics_table(
    out: Console, scores: Sequence[HeadScore], splits: Sequence[str], bootstrap: Bootstrap | None
) -> Table:
    """A row a metric; for each split its value, intervals, what chance gives, and the number of labelled tracks."""
    found = {(score.split, score.head.name): score for score in scores}
    units = list(dict.fromkeys(unit for score in scores if score.split in splits for unit in score.units))
    table = make_table(out, "metric")
    for split in splits:
        table.add_column(escape(split), justify="right", style="bold")
        for unit in units:
            table.add_column(f"{bootstrap.confidence:.0%} by {unit}", justify="right")
        table.add_column("chance", justify="right", style="dim")
        table.add_column("tracks", justify="right", style="dim")
    for name in dict.fromkeys(score.head.name for score in scores if score.split in splits and score.labelled):
        of_splits = [found[split, name] for split in splits]
        for metric in of_splits[0].metrics:
            cells = []
            for s in of_splits:
                intervals = [interval_text(s.intervals.get(unit, {}).get(metric)) for unit in units]
                cells += [number(s.metrics[metric]), *intervals, number(s.chance[metric]), str(s.labelled)]
            table.add_row(escape(f"{name} {metric}"), *cells)
    return table


def _print_interval_notes(out: Console, scores: Sequence[HeadScore], bootstrap: Bootstrap) -> None:
    """How the intervals were made, and where there are none."""
    counted = [score for score in scores if score.units]
    if not counted:
        out.print("no intervals: they take two tracks at least")
        return
    most = max(counted, key=lambda score: score.labelled)
    counts = " and of ".join(f"{count} {unit}s" for unit, count in most.units.items())
    out.print(f"intervals: {bootstrap.resamples} bootstrap resamples of {counts}")
    agreed = [
        f"{score.head.name} {metric} by {unit}"
        for score in counted
        for unit, found in score.intervals.items()
        for metric, (low, _) in found.items()
        if math.isnan(low) and not math.isnan(score.metrics[metric])
    ]
    if agreed:
        out.print(f"no interval where all resamples agree: {escape(', '.join(agreed))}. It is not zero wide: of n "
                  "tracks without an error, an error rate of 3/n is still plausible.")  # fmt: skip


def print_calibration(scores: Sequence[HeadScore]) -> None:
    """Print how far probabilities can be taken at their word, a row a split and head."""
    out = output_console()
    table = make_table(out, "head")
    for column in ("split", "temperature", "NLL raw", "NLL", "ECE raw", "ECE"):
        table.add_column(column, justify="right")
    for score in scores:
        if score.calibration:
            values = [number(score.calibration[name]) for name in ("nll_raw", "nll", "ece_raw", "ece")]
            table.add_row(escape(score.head.name), escape(score.split), f"{score.head.temperature:.2f}", *values)
    if table.row_count:
        out.print("\n[bold]calibration: raw, and at the temperature that the export has[/]")
        out.print(table)


def print_per_class(score: HeadScore) -> None:
    """Print a row a class; of many classes, the most and the least successful."""
    out = output_console()
    name, split = escape(score.head.name), escape(score.split)
    rows, left_out = score.per_class, score.classes_left_out
    if not rows:
        return
    columns = [name for name in rows[0] if not name.endswith(("_low", "_high"))]
    if len(rows) > _WHOLE_TABLE:
        key = "roc_auc" if "roc_auc" in columns else columns[-1]
        known = sorted((row for row in rows if row[key] is not None), key=lambda row: -row[key])
        rows = [*known[: _WHOLE_TABLE // 2], *known[-(_WHOLE_TABLE // 2) :]] if len(known) > _WHOLE_TABLE else known
    table = make_table(out, name)
    for column in columns[1:]:
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(escape(row["class"]), *(_cell(row, column) for column in columns[1:]))
    out.print(f"\n[bold]{name} on {split}, by class[/]")
    out.print(table)
    if len(rows) < len(score.per_class):
        out.print(f"{len(score.per_class) - len(rows)} more classes in per_class_{name}.csv")
    if left_out:
        shown = ", ".join(left_out[:10]) + (f" and {len(left_out) - 10} more" if len(left_out) > 10 else "")
        out.print(f"no metric counts these, as {split} cannot tell: {escape(shown)}")


def number(value: float | None) -> str:
    return "–" if value is None or math.isnan(value) else f"{value:.3f}"


def interval_text(limits: tuple[float, float] | None, *, signed: bool = False) -> str:
    """[low, high]"""
    if limits is None or math.isnan(limits[0]):
        return "–"
    return "[" + ", ".join(f"{value:+.3f}" if signed else f"{value:.3f}" for value in limits) + "]"


def _cell(row: dict, column: str) -> str:
    value = row[column]
    if isinstance(value, int):
        return str(value)
    low, high = row.get(f"{column}_low"), row.get(f"{column}_high")
    return number(value) if low is None else f"{number(value)} {interval_text((low, high))}"
