"""Metrics of whole tracks, of a split and of many resamples of it at once.

Every function takes `weights` (resamples, tracks): how often each track is in each resample. A row of ones
(`unit_weights`, the default of a head's `score`) is the split itself. A metric, its chance level, its bootstrap
interval and the difference of two models are therefore computed by the same code, and thousands of resamples cost one
sort. No library offers that. The tests compare the metrics with scikit-learn (with sample weights), torchmetrics and
mir_eval.

A missing label is NaN; its track is left out. A metric that cannot be computed from a resample is NaN.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import mir_eval
import torch
from torch import Tensor

OCTAVE_FACTORS = (1.0, 2.0, 3.0, 1 / 2, 1 / 3)
TEMPO_TOLERANCE = 0.04
STRICT_TEMPO_TOLERANCE = 0.02
TOP_K = 3


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Metrics of one head, of every resample.

    Attributes:
        overall: {metric: (resamples,)}.
        classes: Names of the rows of a table by class.
        counts: {what: one number per class} of the split itself, such as the number of tracks.
        by_class: {metric: (resamples, classes)}; NaN where there is nothing to score.
    """

    overall: dict[str, Tensor]
    classes: Sequence[str] = ()
    counts: dict[str, list[float]] = field(default_factory=dict)
    by_class: dict[str, Tensor] = field(default_factory=dict)

    def values(self) -> dict[str, float]:
        """Return {metric: value} of the first resample."""
        return {name: float(values[0]) for name, values in self.overall.items()}

    def rows(self) -> list[dict[str, Any]]:
        """Return the first resample as a table: one row per class; None where there is nothing to score."""
        columns: dict[str, list[Any]] = {"class": list(self.classes), **self.counts}
        for name, values in self.by_class.items():
            columns[name] = [None if value != value else value for value in values[0].tolist()]
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def unit_weights(tracks: int) -> Tensor:
    """Return (1, tracks) of ones: one resample in which each track counts once, which is the split itself."""
    return torch.ones(1, tracks, dtype=torch.float64)


def roc_and_pr_auc(scores: Tensor, truth: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Return ROC-AUC and average precision (PR-AUC without interpolation), each (resamples,).

    Equal scores share one threshold. Both are NaN without positives or without negatives.

    Args:
        scores: (tracks,).
        truth: (tracks,) bool.
        weights: (resamples, tracks).
    """
    order = scores.argsort(descending=True, stable=True)
    scores, weights = scores[order], weights[:, order]
    last = torch.ones(len(scores), dtype=torch.bool, device=scores.device)  # of each run of equal scores
    last[:-1] = scores[1:] != scores[:-1]
    positives = (weights * truth[order]).cumsum(dim=1)[:, last]
    predicted = weights.cumsum(dim=1)[:, last]
    negatives = predicted - positives
    new_positives = positives.diff(dim=1, prepend=torch.zeros_like(positives[:, :1]))
    new_negatives = negatives.diff(dim=1, prepend=torch.zeros_like(negatives[:, :1]))
    ranked_above = (new_negatives * (positives - new_positives / 2)).sum(dim=1)
    roc_auc = ranked_above / (positives[:, -1] * negatives[:, -1])
    precision = torch.where(predicted > 0, positives / predicted, 0.0)
    pr_auc = (new_positives * precision).sum(dim=1) / positives[:, -1]
    return roc_auc, torch.where(negatives[:, -1] > 0, pr_auc, torch.nan)


def f1_by_threshold(scores: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """Return the distinct scores, highest first, and the F1 when each of them is the threshold.

    Args:
        scores: (tracks,).
        truth: (tracks,) bool.
    """
    order = scores.argsort(descending=True, stable=True)
    scores, hits = scores[order], truth[order].double().cumsum(dim=0)
    last = torch.cat([scores[1:] != scores[:-1], torch.tensor([True])])
    predicted = torch.arange(1, len(scores) + 1)
    return scores[last], (2 * hits / (predicted + hits[-1]))[last]


def f1_counts(answer: Tensor, truth: Tensor, weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Count the hits, predictions and labels of each class.

    Args:
        answer: (tracks, classes), whether each class was predicted.
        truth: (tracks, classes), whether each class is true.
        weights: (resamples, tracks), how often each track counts.

    Returns:
        Hits, predictions and labels, each (resamples, classes).
    """
    answer, truth = answer.to(weights.dtype), truth.to(weights.dtype)
    return weights @ (answer * truth), weights @ answer, weights @ truth


def multi_label(
    probabilities: Tensor,
    target: Tensor,
    weights: Tensor | None,
    *,
    classes: Sequence[str],
    thresholds: Sequence[float],
) -> Scores:
    """Score tags: ROC-AUC, PR-AUC and F1, macro (the mean over classes) and micro (all tracks and classes together).

    Classes that no track has, or that all tracks have, are left out of every metric.

    Args:
        probabilities: (tracks, classes).
        target: (tracks, classes) of 0, 1 or NaN.
        weights: (resamples, tracks); None: each track counts once.
        classes: Their names.
        thresholds: One per class; a track is given the tag from this probability on.
    """
    weights = unit_weights(len(target)) if weights is None else weights
    known = ~target.isnan()
    truth = (target > 0.5) & known
    positives, tracks = truth.sum(dim=0), known.sum(dim=0)
    scorable = (positives > 0) & (positives < tracks)
    probabilities = probabilities.double()
    empty = torch.full((len(weights), len(classes)), torch.nan, dtype=torch.float64)
    by_class = {"roc_auc": empty, "pr_auc": empty.clone(), "f1": empty.clone()}
    for column in scorable.nonzero().flatten().tolist():
        rows = known[:, column]
        by_class["roc_auc"][:, column], by_class["pr_auc"][:, column] = roc_and_pr_auc(
            probabilities[rows, column], truth[rows, column], weights[:, rows]
        )
    limits = torch.as_tensor(thresholds, dtype=torch.float64)
    hits, predicted, actual = f1_counts((probabilities >= limits) & known, truth, weights)
    by_class["f1"][:, scorable] = (2 * hits / (predicted + actual))[:, scorable]

    used = known & scorable
    track = used.nonzero()[:, 0]  # of every entry that counts
    roc_micro, pr_micro = [torch.full((len(weights),), torch.nan, dtype=torch.float64)] * 2
    if len(track):
        roc_micro, pr_micro = roc_and_pr_auc(probabilities[used], truth[used], weights[:, track])
    return Scores(
        overall={
            "roc_auc": by_class["roc_auc"].nanmean(dim=1),
            "pr_auc": by_class["pr_auc"].nanmean(dim=1),
            "roc_auc_micro": roc_micro,
            "pr_auc_micro": pr_micro,
            "f1_macro": by_class["f1"].nanmean(dim=1),
            "f1_micro": 2 * hits[:, scorable].sum(dim=1) / (predicted + actual)[:, scorable].sum(dim=1),
        },
        classes=classes,
        counts={"tracks": tracks.tolist(), "positives": positives.tolist(), "threshold": limits.tolist()},
        by_class=by_class,
    )


def single_label(probabilities: Tensor, target: Tensor, weights: Tensor | None, *, classes: Sequence[str]) -> Scores:
    """Score exclusive classes: accuracy, top-3 accuracy (of more than three classes) and macro F1.

    A class that is neither the label nor the answer of any track has no F1.

    Args:
        probabilities: (tracks, classes).
        target: (tracks,) class index or NaN.
        weights: (resamples, tracks); None: each track counts once.
        classes: Their names.
    """
    weights = unit_weights(len(target)) if weights is None else weights
    known = ~target.isnan()
    probabilities, truth, weights = probabilities[known], target[known].long(), weights[:, known]
    one_hot = torch.eye(len(classes), dtype=torch.float64)
    answer = probabilities.argmax(dim=1)
    hits, predicted, actual = f1_counts(one_hot[answer], one_hot[truth], weights)
    overall = {"accuracy": weighted_mean(answer == truth, weights)}
    if len(classes) > TOP_K:
        top = probabilities.topk(TOP_K, dim=1).indices
        overall[f"top{TOP_K}_accuracy"] = weighted_mean((top == truth[:, None]).any(dim=1), weights)
    by_class = {"precision": hits / predicted, "recall": hits / actual, "f1": 2 * hits / (predicted + actual)}
    overall["f1_macro"] = by_class["f1"].nanmean(dim=1)
    counts = {"tracks": torch.bincount(truth, minlength=len(classes)).tolist()}
    return Scores(overall=overall, classes=classes, counts=counts, by_class=by_class)


def weighted_mean(points: Tensor, weights: Tensor) -> Tensor:
    """Return the (resamples,) means of (tracks,) points; NaN where a resample has no track."""
    return (weights @ points.to(weights.dtype)) / weights.sum(dim=1)


def confusion_matrix(predicted: Tensor, target: Tensor, size: int) -> Tensor:
    """Count labelled tracks by true class (rows) and predicted class (columns): (size, size) int64.

    Args:
        predicted: (tracks,) class index.
        target: (tracks,) class index or NaN.
        size: Number of classes.
    """
    known = ~target.isnan()
    pairs = target[known].long() * size + predicted[known].long()
    return torch.bincount(pairs, minlength=size * size).reshape(size, size)


def tempo_hits(estimate_bpm: Tensor, target_bpm: Tensor, *, tolerance: float = TEMPO_TOLERANCE) -> Tensor:
    """Return (tracks, factors) bool: is the estimate within a tolerance of the true tempo times each OCTAVE_FACTORS?

    Args:
        estimate_bpm: (tracks,).
        target_bpm: (tracks,) or NaN, which no estimate hits.
        tolerance: Allowed deviation, as a share of the true tempo.
    """
    estimate, truth = estimate_bpm.double(), target_bpm.double()
    allowed = truth[:, None] * torch.tensor(OCTAVE_FACTORS, dtype=torch.float64, device=truth.device)
    return (estimate[:, None] - allowed).abs() <= tolerance * allowed


def tempo_accuracy(
    estimate_bpm: Tensor, target_bpm: Tensor, weights: Tensor | None, *, limits_bpm: Sequence[float]
) -> Scores:
    """Score tempi. Acc1: share of tracks within 4 % of the true tempo; Acc2 also accepts 2, 3, 1/2 and 1/3 of it.

    Gouyon et al. 2006, "An experimental comparison of audio tempo induction algorithms". Both also at 2 %.

    Args:
        estimate_bpm: (tracks,).
        target_bpm: (tracks,) or NaN.
        weights: (resamples, tracks); None: each track counts once.
        limits_bpm: Limits of the ranges of true tempo; the table by class has one row per range that has tracks.
    """
    weights = unit_weights(len(target_bpm)) if weights is None else weights
    known = ~target_bpm.isnan()
    estimate, truth, weights = estimate_bpm[known], target_bpm[known], weights[:, known]
    points: dict[str, Tensor] = {}
    for tolerance, suffix in ((TEMPO_TOLERANCE, ""), (STRICT_TEMPO_TOLERANCE, "_2pct")):
        hits = tempo_hits(estimate, truth, tolerance=tolerance)
        points |= {f"acc1{suffix}": hits[:, 0], f"acc2{suffix}": hits.any(dim=1)}
    ranges = [(low, high) for low, high in itertools.pairwise(limits_bpm)
              if ((truth >= low) & (truth < high)).any()]  # fmt: skip
    inside = [(truth >= low) & (truth < high) for low, high in ranges]
    nothing = torch.empty(len(weights), 0)
    return Scores(
        overall={name: weighted_mean(right, weights) for name, right in points.items()},
        classes=[f"{low:.0f}–{high:.0f} BPM" for low, high in ranges],
        counts={"tracks": [int(rows.sum()) for rows in inside]},
        by_class={
            name: torch.stack([weighted_mean(points[name][rows], weights[:, rows]) for rows in inside], 1)
            if inside
            else nothing
            for name in points
        },
    )


def mirex_points(predicted: Tensor, target: Tensor, names: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Return the points of each track by the MIREX key rules: 1 same, 0.5 a fifth, 0.3 relative, 0.2 parallel, else 0.

    Args:
        predicted: (tracks,) class index.
        target: (tracks,) class index.
        names: "C major" … "B minor".

    Returns:
        Two times (tracks,) float64. In the first, an estimate a fifth above the truth counts as a fifth, as in
        mir_eval.key.weighted_score; in the second, an estimate a fifth below the truth does, too.
    """
    table = _mirex_table(tuple(names))
    either = torch.where(table.T == 0.5, table.T, table)
    return table[target.long(), predicted.long()], either[target.long(), predicted.long()]


@cache
def _mirex_table(names: tuple[str, ...]) -> Tensor:
    """Return the points of (true key, estimated key)."""
    points = [[mir_eval.key.weighted_score(truth, answer) for answer in names] for truth in names]
    return torch.tensor(points, dtype=torch.float64)
