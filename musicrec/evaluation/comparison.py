"""Paired comparison of two models on the same tracks: the difference of every metric, its interval and p-value."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console
from rich.markup import escape
from torch import Tensor

from musicrec.evaluation.bootstrap import Bootstrap, count_clusters
from musicrec.evaluation.labelled_tracks import labelled_tracks
from musicrec.evaluation.result import Result, check_comparable
from musicrec.evaluation.score_tables import interval_text, number_text
from musicrec.heads import Head
from musicrec.heads.metrics import Scores
from musicrec.system.atomic_write import write_json
from musicrec.system.console import make_table, output_console
from musicrec.system.csv_table import write_records


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One metric of two models, and its difference (second minus first).

    Attributes:
        split: Name of the split.
        head: Name of the head.
        metric: Name of the metric.
        first: Value of the first model.
        second: Value of the second model.
        tracks: Number of labelled tracks.
        units: {unit: number of its clusters}.
        intervals: {unit: (low, high)} of the difference; empty if there are too few tracks.
        p_values: {unit: p-value} of the difference.
    """

    split: str
    head: str
    metric: str
    first: float
    second: float
    tracks: int
    units: dict[str, int]
    intervals: dict[str, tuple[float, float]]
    p_values: dict[str, float]

    @property
    def better(self) -> str:
        """The better model, "first" or "second"; "" if the interval of the coarsest unit contains zero."""
        if not self.intervals:
            return ""
        low, high = list(self.intervals.values())[-1]
        return "second" if low > 0 else "first" if high < 0 else ""


def compare(first: Result, second: Result, bootstrap: Bootstrap) -> tuple[list[Difference], list[str]]:
    """Compare two models on every metric that both have.

    Both models are scored on the same resamples, so tracks that are hard for both cancel out.

    Args:
        first: Result of the baseline.
        second: Result of the other model.
        bootstrap: Settings of the intervals.

    Returns:
        The differences, and the reasons why heads or intervals are left out.

    Raises:
        ConfigError: The results are on different tracks or labels, or the tracks give no interval.
    """
    check_comparable([first, second])
    differences, left_out, others = [], [], {head.name: head for head in second.heads}
    for split in first.predictions:
        left_out += bootstrap.check(first.artists(split), split=split)
        for head in first.heads:
            other = others.get(head.name)
            if other is None:
                left_out.append(f"{head.name}: only {first.name} has it")
                continue
            pairs = first.predictions[split][head.name], second.predictions[split][head.name]
            if not same_question(head, other, *pairs):
                left_out.append(f"{head.name}: the classes or ranges of the models differ")
                continue
            differences += _compare_heads(split, (head, other), pairs, first.artists(split), bootstrap)
    left_out += [f"{name}: only {second.name} has it" for name in others.keys() - {head.name for head in first.heads}]
    return differences, list(dict.fromkeys(left_out))


def same_question(head: Head, other: Head, pair: tuple[Tensor, Tensor], other_pair: tuple[Tensor, Tensor]) -> bool:
    """Return whether two heads answer the same question about the same labels.

    The classes of two tempo heads may differ, because tempi are compared in BPM.

    Args:
        head: Head of the first model.
        other: Head of the second model.
        pair: (probabilities, target) of the first model.
        other_pair: (probabilities, target) of the second model.
    """
    (_, target), (_, other_target) = pair, other_pair
    if type(head) is not type(other) or target.shape != other_target.shape:
        return False
    both = ~target.isnan() & ~other_target.isnan()
    equal = torch.equal(target[both], other_target[both])
    return equal and (target.ndim == 1 or head.classes == other.classes)


def _compare_heads(
    split: str,
    heads: tuple[Head, Head],
    pairs: tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]],
    artists: Sequence[str | None],
    bootstrap: Bootstrap,
) -> list[Difference]:
    known = torch.stack([labelled_tracks(target) for _, target in pairs]).all(dim=0)
    if not known.any():
        return []
    questions = [(head, p[known], t[known]) for head, (p, t) in zip(heads, pairs, strict=True)]
    labelled_artists = [artist for artist, is_known in zip(artists, known.tolist(), strict=True) if is_known]

    first, second = (head.score(p, t).values() for head, p, t in questions)
    gaps = {metric: second[metric] - first[metric] for metric in first if metric in second}

    def difference(weights: Tensor) -> Scores:
        scores = [head.score(p, t, weights).overall for head, p, t in questions]
        return Scores(overall={name: scores[1][name] - scores[0][name] for name in gaps})

    clusters = bootstrap.clusters(labelled_artists)
    resampled = {
        unit: bootstrap.scores(difference, of_tracks, classes=len(heads[0].classes)).overall
        for unit, of_tracks in clusters.items()
    }
    return [
        Difference(
            split=split,
            head=heads[0].name,
            metric=metric,
            first=first[metric],
            second=second[metric],
            tracks=len(labelled_artists),
            units=count_clusters(clusters),
            intervals={
                unit: tuple(bootstrap.interval(values[metric], gap).tolist()) for unit, values in resampled.items()
            },
            p_values={unit: bootstrap.p_value(values[metric], gap) for unit, values in resampled.items()},
        )
        for metric, gap in gaps.items()
    ]


def print_comparison(
    first: Result, second: Result, differences: Sequence[Difference], left_out: Sequence[str], bootstrap: Bootstrap
) -> None:
    """Print a table per split: one row per metric with A, B, B - A, its intervals and p-values, and the better model.

    Args:
        first: Result of the model A.
        second: Result of the model B.
        differences: As `compare` returns them.
        left_out: Reasons, as `compare` returns them.
        bootstrap: Settings of the intervals.
    """
    out = output_console()
    for split in first.predictions:
        out.print(f"\nA: {escape(', '.join(first.title(split)))}")
        out.print(f"B: {escape(', '.join(second.title(split)))}")
        rows = [difference for difference in differences if difference.split == split]
        if rows:
            _print_differences(out, rows, bootstrap)
    for reason in left_out:
        out.print(f"not compared: {escape(reason)}")


def _print_differences(out: Console, rows: Sequence[Difference], bootstrap: Bootstrap) -> None:
    units = list(rows[0].units)
    table = make_table(out, "metric")
    for column in ("A", "B", "B - A"):
        table.add_column(column, justify="right", style="bold" if column == "B - A" else None)
    for unit in units:
        table.add_column(f"{bootstrap.confidence:.0%} by {unit}", justify="right")
        table.add_column("p", justify="right", style="dim")
    for column in ("better", "tracks"):
        table.add_column(column, justify="right")
    for row in rows:
        cells = [number_text(row.first), number_text(row.second), f"{row.second - row.first:+.3f}"]
        for unit in units:
            cells += [interval_text(row.intervals.get(unit), signed=True), p_text(row.p_values.get(unit))]
        better = {"first": "A", "second": "B", "": "–"}[row.better]
        table.add_row(escape(f"{row.head} {row.metric}"), *cells, better, str(row.tracks))
    out.print(table)
    counts = ", ".join(f"{count} {unit}s" for unit, count in rows[0].units.items())
    out.print(
        f"{bootstrap.resamples} paired bootstrap resamples of {counts}; better where the last interval excludes zero; "
        "about 1 of 20 does so by chance"
    )


def p_text(p: float | None) -> str:
    """Format a p-value with three decimals; "<0.001" below that, "–" if there is none."""
    return "<0.001" if p is not None and p < 0.001 else number_text(p)


def write_comparison(
    folder: Path, first: Result, second: Result, differences: Sequence[Difference], bootstrap: Bootstrap
) -> None:
    """Write the differences to comparison.csv, and with the settings to comparison.json.

    Args:
        folder: Folder of the report.
        first: Result of the baseline.
        second: Result of the other model.
        differences: As `compare` returns them.
        bootstrap: Settings of the intervals.
    """
    rows = [_row(difference, bootstrap) for difference in differences]
    write_records(folder / "comparison.csv", rows)
    summary = {
        "first": first.name,
        "second": second.name,
        **{key: first.about[key] for key in ("dataset", "manifest", "manifest_hash", "split_hashes")},
        "resamples": bootstrap.resamples,
        "confidence": bootstrap.confidence,
        "seed": bootstrap.seed,
        "differences": rows,
    }
    write_json(folder / "comparison.json", summary)


def _row(difference: Difference, bootstrap: Bootstrap) -> dict:
    def rounded(value: float) -> float | None:
        return None if math.isnan(value) else round(value, 6)

    row = {name: getattr(difference, name) for name in ("split", "head", "metric")}
    row |= {"first": rounded(difference.first), "second": rounded(difference.second)}
    row |= {"difference": rounded(difference.second - difference.first), "better": difference.better}
    row["tracks"] = difference.tracks
    for unit in bootstrap.units:
        low, high = difference.intervals.get(unit, (math.nan, math.nan))
        row |= {f"low_{unit}": rounded(low), f"high_{unit}": rounded(high)}
        row |= {f"p_{unit}": rounded(difference.p_values.get(unit, math.nan)), f"{unit}s": difference.units.get(unit)}
    return row
