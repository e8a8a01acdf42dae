"""How well a model did: scores of every head."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from musicrec.evaluation.bootstrap import Bootstrap
from musicrec.evaluation.calibration import reliability
from musicrec.heads import Head

Predictions = dict[str, tuple[Tensor, Tensor]]  # head: (probabilities (tracks, classes), target)


@dataclass(frozen=True, kw_only=True)
class HeadScore:
    """What a head scored on a split.

    tracks: in the split. labelled: of them, those that have a label for this head; only they count.
    metrics, chance: {metric: value}; chance is what the same answers score when dealt out to the tracks at random.
    per_class: rows as the head gives them. NaN and None are values that the split cannot tell.
    intervals: {unit: {metric: (low, high)}}, of the bootstrap by track and by artist; NaN where it can give none.
    units: {unit: how many there are among the labelled tracks}. The rows by class then have `<metric>_low` and
    `<metric>_high` of the last unit.
    calibration: NLL and ECE of the probabilities without and with the head's temperature.
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
        """Classes that the means over classes leave out: tags that no track has or that all have, and exclusive
        classes that are neither the label nor the answer of any track."""
        return [row["class"] for row in self.per_class if row.get("roc_auc", row.get("f1", 0.0)) is None]


def chance_level(head: Head, probabilities: Tensor, target: Tensor) -> dict[str, float]:
    """The metrics when the answers are dealt out to the tracks at random: the mean over 20 shuffles, or over fewer
    of many tracks, where one tells more and takes longer."""
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
    """The scores of every split and head, in this order. predictions: {split: {head: (probabilities, target)}}.

    bootstrap: gives the scores intervals; then artists is {split: the artist of every track, where known}.
    raw: {split: {head: probabilities}} before any temperature; gives the scores what they say of calibration.
    """
    scores = []
    for split, by_head in predictions.items():
        for head in heads:
            probabilities, target = by_head[head.name]
            known = (~target.isnan()).reshape(len(target), -1).any(dim=1)
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
                of_raw = reliability(head, probabilities, raw[split][head.name][known], target)
                score = dataclasses.replace(score, calibration=of_raw)
            if bootstrap is not None:
                named = [artist for artist, there in zip(artists[split], known.tolist(), strict=True) if there]
                score = _with_intervals(score, probabilities, target, bootstrap, bootstrap.clusters(named))
            scores.append(score)
    return scores


def _with_intervals(
    score: HeadScore, probabilities: Tensor, target: Tensor, bootstrap: Bootstrap, clusters: Mapping[str, np.ndarray]
) -> HeadScore:
    head, intervals, rows = score.head, {}, score.per_class
    for unit, of_tracks in clusters.items():
        drawn = bootstrap.scores(
            lambda weights: head.score(probabilities, target, weights), of_tracks, classes=len(head.classes)
        )
        intervals[unit] = {
            name: tuple(bootstrap.interval(values, score.metrics[name]).tolist())
            for name, values in drawn.overall.items()
        }
        here = {name: [math.nan if row[name] is None else row[name] for row in rows] for name in drawn.by_class}
        limits = {name: bootstrap.interval(values, here[name]).T.tolist() for name, values in drawn.by_class.items()}
        rows = [
            row
            | {
                f"{name}_{end}": None if math.isnan(values[index][side]) else values[index][side]
                for name, values in limits.items()
                for side, end in enumerate(("low", "high"))
            }
            for index, row in enumerate(rows)
        ]
    units = {unit: int(of_tracks.max()) + 1 for unit, of_tracks in clusters.items()}
    return dataclasses.replace(score, per_class=rows, intervals=intervals, units=units)
