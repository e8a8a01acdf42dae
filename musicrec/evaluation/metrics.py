"""Song-level metrics. Scores are (tracks, classes) arrays; a missing label is NaN and its track is left out.

ROC-AUC and PR-AUC come from torchmetrics, the key score from mir_eval; tempo accuracies follow Gouyon et al. (2006),
"An experimental comparison of audio tempo induction algorithms".
"""

import math

import mir_eval
import torch
from torch import Tensor
from torchmetrics.functional.classification import (
    binary_auroc,
    binary_average_precision,
    multiclass_accuracy,
    multiclass_f1_score,
)

OCTAVE_FACTORS = (1.0, 2.0, 3.0, 1 / 2, 1 / 3)
TEMPO_TOLERANCE = 0.04


def per_tag(scores: Tensor, target: Tensor, classes: tuple[str, ...]) -> list[dict]:
    """ROC-AUC and PR-AUC of every class; None where the split has no positive or no negative track.

    scores: (tracks, classes) probabilities. target: (tracks, classes) of 0, 1 or NaN.
    """
    rows = []
    for index, name in enumerate(classes):
        known = ~target[:, index].isnan()
        truth, score = target[known, index].int(), scores[known, index].float()
        positives = int(truth.sum())
        scorable = 0 < positives < len(truth)
        rows.append(
            {
                "class": name,
                "tracks": len(truth),
                "positives": positives,
                "roc_auc": float(binary_auroc(score, truth)) if scorable else None,
                "pr_auc": float(binary_average_precision(score, truth)) if scorable else None,
            }
        )
    return rows


def macro(rows: list[dict], key: str) -> float:
    """Mean of `key` over the classes that have one; NaN when none has."""
    values = [row[key] for row in rows if row[key] is not None]
    return sum(values) / len(values) if values else math.nan


def classification(scores: Tensor, target: Tensor, size: int) -> dict[str, float]:
    """Accuracy and macro F1 of exclusive classes. target: (tracks,) class index or NaN."""
    known = ~target.isnan()
    if not known.any():
        return {"accuracy": math.nan, "f1_macro": math.nan}
    predicted, truth = scores[known].argmax(dim=1), target[known].long()
    return {
        "accuracy": float(multiclass_accuracy(predicted, truth, num_classes=size, average="micro")),
        "f1_macro": float(multiclass_f1_score(predicted, truth, num_classes=size, average="macro")),
    }


def per_class(scores: Tensor, target: Tensor, classes: tuple[str, ...]) -> list[dict]:
    """Precision, recall and F1 of every exclusive class; None where there is nothing to count."""
    known = ~target.isnan()
    predicted, truth = scores[known].argmax(dim=1), target[known].long()
    confusion = confusion_matrix(scores.argmax(dim=1), target, len(classes))
    rows = []
    for index, name in enumerate(classes):
        hits, actual, said = confusion[index, index], (truth == index).sum(), (predicted == index).sum()
        rows.append(
            {
                "class": name,
                "tracks": int(actual),
                "precision": float(hits / said) if said else None,
                "recall": float(hits / actual) if actual else None,
                "f1": float(2 * hits / (said + actual)) if said + actual else None,
            }
        )
    return rows


def confusion_matrix(predicted: Tensor, target: Tensor, size: int) -> Tensor:
    """(true class, predicted class) counts of the labelled tracks, (size, size) int64. Both: (tracks,) class index."""
    known = ~target.isnan()
    pairs = target[known].long() * size + predicted[known].long()
    return torch.bincount(pairs, minlength=size * size).reshape(size, size)


def tempo_hits(estimate_bpm: Tensor, target_bpm: Tensor, *, tolerance: float = TEMPO_TOLERANCE) -> Tensor:
    """(tracks, factors) bool: is the estimate within `tolerance` of the true tempo times each of OCTAVE_FACTORS?"""
    estimate, truth = estimate_bpm.double(), target_bpm.double()
    allowed = truth[:, None] * torch.tensor(OCTAVE_FACTORS, dtype=torch.float64, device=truth.device)
    return (estimate[:, None] - allowed).abs() <= tolerance * allowed


def tempo_accuracy(estimate_bpm: Tensor, target_bpm: Tensor, *, tolerance: float = TEMPO_TOLERANCE) -> dict[str, float]:
    """Acc1: share of tracks within `tolerance` of the true tempo; Acc2 also accepts 2, 3, 1/2 and 1/3 of it."""
    known = ~target_bpm.isnan()
    if not known.any():
        return {"acc1": math.nan, "acc2": math.nan}
    right = tempo_hits(estimate_bpm[known], target_bpm[known], tolerance=tolerance)
    return {"acc1": float(right[:, 0].double().mean()), "acc2": float(right.any(dim=1).double().mean())}


def mirex_key_score(scores: Tensor, target: Tensor, names: tuple[str, ...]) -> float:
    """Mean MIREX key score: 1 same, 0.5 fifth above, 0.3 relative, 0.2 parallel, else 0 (mir_eval.key.weighted_score).

    names: "C major" … "B minor", as mir_eval reads them.
    """
    known = ~target.isnan()
    if not known.any():
        return math.nan
    predicted, truth = scores[known].argmax(dim=1).tolist(), target[known].long().tolist()
    points = [mir_eval.key.weighted_score(names[t], names[p]) for t, p in zip(truth, predicted, strict=True)]
    return sum(points) / len(points)
