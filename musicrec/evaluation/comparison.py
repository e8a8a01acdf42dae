"""Which of two models is better, on what, and by how much: paired, on the same tracks."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.markup import escape
from torch import Tensor

from musicrec.evaluation.bootstrap import Bootstrap
from musicrec.evaluation.result import Result, check_comparable
from musicrec.evaluation.tables import interval_text, number
from musicrec.heads import Head
from musicrec.heads.metrics import Scores
from musicrec.system.atomic_write import write_json
from musicrec.system.console import make_table, output_console
from musicrec.system.csv_table import write_records


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One metric of both models. intervals, p_values: of second - first, {unit: …}, empty where there are too few
    tracks. units: {unit: how many there are}."""

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
        """ "first", "second", or "" where the interval of the coarsest unit (artists before tracks) holds zero."""
        if not self.intervals:
            return ""
        low, high = list(self.intervals.values())[-1]
        return "second" if low > 0 else "first" if high < 0 else ""


def compare(first: Result, second: Result, bootstrap: Bootstrap) -> tuple[list[Difference], list[str]]:
    """The differences of all metrics that both have, and why some heads have none.

    Both models meet the same resamples, so what the tracks have in common (some are hard for both) cancels out.
    Raises ConfigError when they were not tested on the same tracks, and where these give no interval.
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
                left_out.append(f"{head.name}: the models answer other questions (classes, range)")
                continue
            differences += _of_head(split, (head, other), pairs, first.artists(split), bootstrap)
    left_out += [f"{name}: only {second.name} has it" for name in others.keys() - {head.name for head in first.heads}]
    return differences, list(dict.fromkeys(left_out))


def same_question(head: Head, other: Head, pair: tuple[Tensor, Tensor], other_pair: tuple[Tensor, Tensor]) -> bool:
    """Do labels of both mean the same? Tempo classes may differ: tempi are compared in BPM."""
    (_, target), (_, other_target) = pair, other_pair
    if type(head) is not type(other) or target.shape != other_target.shape:
        return False
    both = ~target.isnan() & ~other_target.isnan()
    alike = torch.equal(target[both], other_target[both])
    return alike and (target.ndim == 1 or head.classes == other.classes)


def _of_head(
    split: str,
    heads: tuple[Head, Head],
    pairs: tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]],
    artists: Sequence[str | None],
    bootstrap: Bootstrap,
) -> list[Difference]:
    known = torch.stack([(~t.isnan()).reshape(len(t), -1).any(dim=1) for _, t in pairs]).all(dim=0)
    if not known.any():
        return []
    questions = [(head, p[known], t[known]) for head, (p, t) in zip(heads, pairs, strict=True)]
    names = [artist for artist, there in zip(artists, known.tolist(), strict=True) if there]

    one, two = (head.score(p, t).values() for head, p, t in questions)
    gap = {metric: two[metric] - one[metric] for metric in one if metric in two}

    def difference(weights: Tensor) -> Scores:
        drawn = [head.score(p, t, weights).overall for head, p, t in questions]
        return Scores(overall={name: drawn[1][name] - drawn[0][name] for name in gap})

    clusters = bootstrap.clusters(names)
    drawn = {
        unit: bootstrap.scores(difference, of_tracks, classes=len(heads[0].classes)).overall
        for unit, of_tracks in clusters.items()
    }
    return [
        Difference(
            split=split,
            head=heads[0].name,
            metric=metric,
            first=one[metric],
            second=two[metric],
            tracks=len(names),
            units={unit: int(of_tracks.max()) + 1 for unit, of_tracks in clusters.items()},
            intervals={
                unit: tuple(bootstrap.interval(values[metric], gap[metric]).tolist()) for unit, values in drawn.items()
            },
            p_values={unit: bootstrap.p_value(values[metric], gap[metric]) for unit, values in drawn.items()},
        )
        for metric in gap
    ]


def print_comparison(
    first: Result, second: Result, differences: Sequence[Difference], left_out: Sequence[str], bootstrap: Bootstrap
) -> None:
    """Print a row a metric: A, B, B - A with its intervals and p, and who is better."""
    out = output_console()
    for split in first.predictions:
        rows = [d for d in differences if d.split == split]
        units = list(rows[0].units) if rows else []
        table = make_table(out, "metric")
        for column in ("A", "B", "B - A"):
            table.add_column(column, justify="right", style="bold" if column == "B - A" else None)
        for unit in units:
            table.add_column(f"{bootstrap.confidence:.0%} by {unit}", justify="right")
            table.add_column("p", justify="right", style="dim")
        for column in ("better", "tracks"):
            table.add_column(column, justify="right")
        for row in rows:
            cells = [number(row.first), number(row.second), f"{row.second - row.first:+.3f}"]
            for unit in units:
                cells += [interval_text(row.intervals.get(unit), signed=True), p_text(row.p_values.get(unit))]
            who = {"first": "A", "second": "B", "": "–"}[row.better]
            table.add_row(escape(f"{row.head} {row.metric}"), *cells, who, str(row.tracks))
        for letter, result in (("A", first), ("B", second)):
            out.print(f"{'' if letter == 'B' else chr(10)}{letter}: {escape(', '.join(result.title(split)))}")
        if rows:
            out.print(table)
            counts = ", ".join(f"{count} {unit}s" for unit, count in rows[0].units.items())
            out.print(f"{bootstrap.resamples} paired bootstrap resamples of {counts}; better: where the last interval "
                      "leaves zero out. Of 20 rows one does so by chance.")  # fmt: skip
    for reason in left_out:
        out.print(f"not compared: {escape(reason)}")


def p_text(p: float | None) -> str:
    return "<0.001" if p is not None and p < 0.001 else number(p)


def write_comparison(
    folder: Path, first: Result, second: Result, differences: Sequence[Difference], bootstrap: Bootstrap
) -> None:
    """Write comparison.csv and comparison.json: the same rows."""
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
    def plain(value: float) -> float | None:
        return None if math.isnan(value) else round(value, 6)

    row = {name: getattr(difference, name) for name in ("split", "head", "metric")}
    row |= {"first": plain(difference.first), "second": plain(difference.second)}
    row |= {"difference": plain(difference.second - difference.first), "better": difference.better}
    row["tracks"] = difference.tracks
    for unit in bootstrap.units:
        low, high = difference.intervals.get(unit, (math.nan, math.nan))
        row |= {f"low_{unit}": plain(low), f"high_{unit}": plain(high)}
        row |= {f"p_{unit}": plain(difference.p_values.get(unit, math.nan)), f"{unit}s": difference.units.get(unit)}
    return row
