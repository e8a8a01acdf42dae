"""Scores of a model: the metrics, chance levels and intervals of every head on every split."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from musicrec.evaluation.bootstrap import Bootstrap, count_clusters
from musicrec.evaluation.calibration import reliability
from musicrec.evaluation.labelled_tracks import labelled_tracks
from musicrec.heads import Head

Predictions = dict[str, tuple[Tensor, Tensor]]  # {head: (probabilities (tracks, classes), target)}


@dataclass(frozen=True, kw_only=True)
class HeadScore:
    """Scores of one head on one split. NaN and None mark values that cannot be computed from the split.

    Attributes:
        split: Name of the split.
        head: The head.
        tracks: Number of tracks of the split.
        labelled: Number of tracks that have a label for this head; only they count.
        metrics: {metric: value}.
        chance: {metric: value} of the same answers after they are assigned to the tracks at random.
        per_class: One row per class, as the head returns them. With intervals, a row also has `<metric>_low` and
            `<metric>_high` of the last unit.
        intervals: {unit: {metric: (low, high)}} of the bootstrap.
        units: {unit: number of its clusters among the labelled tracks}.
        calibration: NLL and ECE with and without the temperature of the head, see `calibration.reliability`.
    """

    split: str
    head: Head
    tracks: int
    labelled: int
    metrics: dict[str, float]
    chance: dict[str, float]
    per_class: list[dict]
    intervals: dict[str, dict[str, tuple[float, float]]] = field(default_factory=dict)
    units: dict[str, int] = field(default_factory=dict)
    calibration: dict[str, float] = field(default_factory=dict)

    @property
    def classes_left_out(self) -> list[str]:
        """Classes that the means over classes leave out.

        These are tags that no track has or that all tracks have, and exclusive classes that are neither the label nor
        the answer of any track.
        """
        return [row["class"] for row in self.per_class if row.get("roc_auc", row.get("f1", 0.0)) is None]


def chance_level(head: Head, probabilities: Tensor, target: Tensor) -> dict[str, float]:
    """Return the metrics of the answers after they are assigned to the tracks at random.

    Args:
        head: The head.
        probabilities: (tracks, classes).
        target: The labels as the head encodes them.

    Returns:
        {metric: mean over 20 shuffles}. Many tracks get fewer shuffles: each is then more precise, and takes longer.
    """
    repeats = max(3, min(20, 4000 // max(1, len(target))))
    generator = torch.Generator().manual_seed(0)
    shuffles = [torch.randperm(len(target), generator=generator) for _ in range(repeats)]
    scores = [head.score(probabilities[order], target).values() for order in shuffles]
    return {name: sum(s[name] for s in scores) / repeats for name in scores[0]}


def score_heads(
    predictions: Mapping[str, Predictions],
    heads: Sequence[Head],
    *,
    bootstrap: Bootstrap | None = None,
    artists: Mapping[str, Sequence[str | None]] | None = None,
    raw: Mapping[str, Mapping[str, Tensor]] | None = None,
) -> list[HeadScore]:
    """Score every head on every split.

    Args:
        predictions: {split: {head: (probabilities, target)}}.
        heads: The heads.
        bootstrap: Settings of the intervals; None for no intervals.
        artists: {split: the artist of every track, None if unknown}; required with `bootstrap`.
        raw: {split: {head: probabilities}} without temperatures; None for no `calibration`.

    Returns:
        One score per split and head, ordered by split.
    """
    scores = []
    for split, by_head in predictions.items():
        for head in heads:
            probabilities, target = by_head[head.name]
            known = labelled_tracks(target)
            probabilities, target = probabilities[known], target[known]
            found = head.score(probabilities, target)
            score = HeadScore(
                split=split,
                head=head,
                tracks=len(known),
                labelled=len(target),
                metrics=found.values(),
                chance=chance_level(head, probabilities, target),
                per_class=found.rows(),
            )
            if raw is not None and len(target) and head.calibrates:
                calibration = reliability(head, probabilities, raw[split][head.name][known], target)
                score = dataclasses.replace(score, calibration=calibration)
            if bootstrap is not None:
                of_labelled = [
                    artist for artist, is_known in zip(artists[split], known.tolist(), strict=True) if is_known
                ]
                score = _with_intervals(score, probabilities, target, bootstrap, bootstrap.clusters(of_labelled))
            scores.append(score)
    return scores


def _with_intervals(
    score: HeadScore, probabilities: Tensor, target: Tensor, bootstrap: Bootstrap, clusters: Mapping[str, np.ndarray]
) -> HeadScore:
    """Return the score with its intervals and units; the rows by class get the limits of the last unit."""
    head, intervals, rows = score.head, {}, score.per_class
    for unit, of_tracks in clusters.items():
        resampled = bootstrap.scores(
            lambda weights: head.score(probabilities, target, weights), of_tracks, classes=len(head.classes)
        )
        intervals[unit] = {
            name: tuple(bootstrap.interval(values, score.metrics[name]).tolist())
            for name, values in resampled.overall.items()
        }
        rows = _rows_with_limits(rows, resampled.by_class, bootstrap)
    return dataclasses.replace(score, per_class=rows, intervals=intervals, units=count_clusters(clusters))


def _rows_with_limits(rows: Sequence[dict], by_class: Mapping[str, Tensor], bootstrap: Bootstrap) -> list[dict]:
    """Return the rows by class with `<metric>_low` and `<metric>_high`; by_class: {metric: (resamples, classes)}."""
    rows = [dict(row) for row in rows]
    for name, values in by_class.items():
        estimates = [math.nan if row[name] is None else row[name] for row in rows]
        for row, limits in zip(rows, bootstrap.interval(values, estimates).T.tolist(), strict=True):
            for end, limit in zip(("low", "high"), limits, strict=True):
                row[f"{name}_{end}"] = None if math.isnan(limit) else limit
    return rows
