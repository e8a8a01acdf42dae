"""Tables of an evaluation for the terminal; plain text in a log file."""

import math
from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from musicrec.evaluation.bootstrap import Bootstrap
from musicrec.evaluation.head_scores import HeadScore
from musicrec.system.console import make_table, output_console

_MAX_ROWS = 24  # with more classes, the table shows the best and the worst


def print_scores(scores: Sequence[HeadScore], *, title: str, bootstrap: Bootstrap | None = None) -> None:
    """Print one row per metric, with its value, chance level and number of labelled tracks for every split.

    A head for which no track is labelled gets a line below the table.

    Args:
        scores: The scores. With `bootstrap`, those of one split: the table would be too wide with several.
        title: Heading of the table.
        bootstrap: Settings of the scores' intervals; None if they have none.
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
        _print_label_notes(out, split, [score for score in scores if score.split == split])


def _metrics_table(
    out: Console, scores: Sequence[HeadScore], splits: Sequence[str], bootstrap: Bootstrap | None
) -> Table:
    found = {(score.split, score.head.name): score for score in scores}
    units = list(dict.fromkeys(unit for score in scores for unit in score.units))
    table = make_table(out, "metric")
    for split in splits:
        table.add_column(escape(split), justify="right", style="bold")
        for unit in units:
            table.add_column(f"{bootstrap.confidence:.0%} by {unit}", justify="right")
        table.add_column("chance", justify="right", style="dim")
        table.add_column("tracks", justify="right", style="dim")
    for name in dict.fromkeys(score.head.name for score in scores if score.labelled):
        of_splits = [found[split, name] for split in splits]
        for metric in of_splits[0].metrics:
            cells = []
            for s in of_splits:
                intervals = [interval_text(s.intervals.get(unit, {}).get(metric)) for unit in units]
                cells += [number_text(s.metrics[metric]), *intervals, number_text(s.chance[metric]), str(s.labelled)]
            table.add_row(escape(f"{name} {metric}"), *cells)
    return table


def _print_label_notes(out: Console, split: str, scores: Sequence[HeadScore]) -> None:
    """Print which heads lack labels, for all tracks of a split or for some."""
    unlabelled = [score.head.name for score in scores if not score.labelled]
    if unlabelled:
        out.print(f"{escape(split)}: no track is labelled for {escape(', '.join(unlabelled))}; left out")
    partly = [score for score in scores if 0 < score.labelled < score.tracks]
    if partly:
        counts = escape(", ".join(f"{score.head.name} {score.labelled}" for score in partly))
        tracks = partly[0].tracks
        out.print(f"{escape(split)}: of {tracks} tracks, only those with a label that the model knows count: {counts}")


def _print_interval_notes(out: Console, scores: Sequence[HeadScore], bootstrap: Bootstrap) -> None:
    """Print how the intervals were computed, and which metrics have none."""
    with_units = [score for score in scores if score.units]
    if not with_units:
        out.print("no intervals: they require at least two tracks")
        return
    most = max(with_units, key=lambda score: score.labelled)
    counts = " and of ".join(f"{count} {unit}s" for unit, count in most.units.items())
    out.print(f"intervals: {bootstrap.resamples} bootstrap resamples of {counts}")
    missing = [
        f"{score.head.name} {metric} by {unit}"
        for score in with_units
        for unit, found in score.intervals.items()
        for metric, (low, _) in found.items()
        if math.isnan(low) and not math.isnan(score.metrics[metric])
    ]
    if missing:
        out.print(
            f"no interval because all resamples agree: {escape(', '.join(missing))}. The metric is not exact: with n "
            "tracks and no error, an error rate of up to 3/n is still plausible."
        )


def print_calibration(scores: Sequence[HeadScore]) -> None:
    """Print one row per split and head: the temperature, and the NLL and ECE without and with it."""
    out = output_console()
    table = make_table(out, "head")
    for column in ("split", "temperature", "NLL raw", "NLL", "ECE raw", "ECE"):
        table.add_column(column, justify="right")
    for score in scores:
        if score.calibration:
            values = [number_text(score.calibration[name]) for name in ("nll_raw", "nll", "ece_raw", "ece")]
            table.add_row(escape(score.head.name), escape(score.split), f"{score.head.temperature:.2f}", *values)
    if table.row_count:
        out.print("\n[bold]calibration: raw, and at the temperature of the export[/]")
        out.print(table)


def print_per_class(score: HeadScore) -> None:
    """Print one row per class; of many classes, the best and the worst."""
    out = output_console()
    name, split = escape(score.head.name), escape(score.split)
    rows, left_out = score.per_class, score.classes_left_out
    if not rows:
        return
    columns = [name for name in rows[0] if not name.endswith(("_low", "_high"))]
    if len(rows) > _MAX_ROWS:
        key = "roc_auc" if "roc_auc" in columns else columns[-1]
        known = sorted((row for row in rows if row[key] is not None), key=lambda row: -row[key])
        rows = [*known[: _MAX_ROWS // 2], *known[-(_MAX_ROWS // 2) :]] if len(known) > _MAX_ROWS else known
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
        names = ", ".join(left_out[:10]) + (f" and {len(left_out) - 10} more" if len(left_out) > 10 else "")
        out.print(f"not in any mean, because {split} cannot score them: {escape(names)}")


def number_text(value: float | None) -> str:
    """Format a number with three decimals; "–" if there is none."""
    return "–" if value is None or math.isnan(value) else f"{value:.3f}"


def interval_text(limits: tuple[float, float] | None, *, signed: bool = False) -> str:
    """Format an interval as "[low, high]"; "–" if there is none.

    Args:
        limits: Lower and upper limit.
        signed: Write positive limits with a plus sign.
    """
    if limits is None or math.isnan(limits[0]):
        return "–"
    return "[" + ", ".join(f"{value:+.3f}" if signed else f"{value:.3f}" for value in limits) + "]"


def _cell(row: dict, column: str) -> str:
    value = row[column]
    if isinstance(value, int):
        return str(value)
    low, high = row.get(f"{column}_low"), row.get(f"{column}_high")
    return number_text(value) if low is None else f"{number_text(value)} {interval_text((low, high))}"
