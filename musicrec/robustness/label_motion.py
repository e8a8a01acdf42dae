"""What a deformation does to labels, and whether an answer went along."""

import torch
from torch import Tensor

from musicrec.heads import Head


def moved(head: Head, labels: Tensor, *, shift_semitones: Tensor, tempo_ratio: Tensor) -> Tensor:
    """Labels, or answers in their terms, after the deformation; NaN for one that has left what the head can say, such
    as a tempo that is now above its last class. shift_semitones, tempo_ratio: (tracks,)."""
    labels = head.move(labels, shift_semitones=shift_semitones, tempo_ratio=tempo_ratio)
    if not head.exclusive:
        return labels
    outside = head.one_hot(labels).isnan().any(dim=1)
    return torch.where(outside, torch.nan, labels)


def went_along(head: Head, before: Tensor, after: Tensor, *, shift_semitones: Tensor, tempo_ratio: Tensor) -> Tensor:
    """1 where the answer `after` the deformation is the one `before`, moved as a label would move; 0 where it is not;
    NaN where the head could not say that. Both answers, and the result, are in the shape of labels."""
    expected = moved(head, before, shift_semitones=shift_semitones, tempo_ratio=tempo_ratio)
    return torch.where(expected.isnan(), torch.nan, head.agrees(after, expected).float())


def share(points: Tensor, counted: Tensor, weights: Tensor) -> Tensor:
    """(resamples,) weighted mean of the points of the counted entries; NaN where there is none.

    points: (tracks, …) of 0, 1 or NaN, which does not count. counted: the same shape, bool. weights: (resamples,
    tracks).
    """
    counted = (counted & ~points.isnan()).reshape(len(points), -1)
    hits = points.reshape(len(points), -1).nan_to_num(0.0) * counted
    return (weights @ hits.sum(dim=1).to(weights.dtype)) / (weights @ counted.sum(dim=1).to(weights.dtype))
