"""How a deformation moves labels, and whether an answer follows them."""

import torch
from torch import Tensor

from musicrec.heads import Head
from musicrec.heads.frames import is_frame_wise


def move_labels(head: Head, labels: Tensor, *, shift_semitones: Tensor, tempo_ratio: Tensor) -> Tensor:
    """Return labels, or answers in their terms, after a deformation.

    Args:
        head: The head that the labels belong to.
        labels: What `head.encode` returns; NaN where a label is missing.
        shift_semitones: (tracks,), by how much the pitch was raised.
        tempo_ratio: (tracks,), 1.1 for music that is 10 % faster.

    Returns:
        In the shape of `labels`; NaN where the head cannot express the moved label, such as a tempo above its range.
    """
    labels = head.move(labels, shift_semitones=shift_semitones, tempo_ratio=tempo_ratio)
    if not head.exclusive:
        return labels
    outside = head.one_hot(labels).isnan().any(dim=1)
    return torch.where(outside, torch.nan, labels)


def answer_followed(
    head: Head, before: Tensor, after: Tensor, *, shift_semitones: Tensor, tempo_ratio: Tensor
) -> Tensor:
    """Return whether answers changed as labels do.

    Args:
        head: The head that gave the answers.
        before: Answers to the clean audio, in the shape of labels.
        after: Answers to the deformed audio.
        shift_semitones: (tracks,), by how much the pitch was raised.
        tempo_ratio: (tracks,), 1.1 for music that is 10 % faster.

    Returns:
        In the shape of the answers: 1 where the answer after is the answer before, moved as a label would move; 0 where
        it is not; NaN where the head cannot express the moved answer.
    """
    expected = move_labels(head, before, shift_semitones=shift_semitones, tempo_ratio=tempo_ratio)
    return torch.where(expected.isnan(), torch.nan, head.agrees(after, expected).float())


def right_answers(head: Head, answers: Tensor, labels: Tensor) -> Tensor:
    """Return whether answers are right: bool, in the shape of the answers.

    Args:
        head: The head that gave the answers.
        answers: In the terms of labels. Of a frame-wise head these are the beats that it found, not the labelled ones.
        labels: What the answers should be; NaN where that is not known.
    """
    return head.agrees(labels, answers) if is_frame_wise(head) else head.agrees(answers, labels)


def weighted_share(points: Tensor, counted: Tensor, weights: Tensor) -> Tensor:
    """Return the (resamples,) weighted means of the counted points; NaN where a resample has none.

    Args:
        points: (tracks, …) of 0, 1, or NaN, which never counts.
        counted: (tracks, …) bool, the points that count.
        weights: (resamples, tracks).
    """
    counted = (counted & ~points.isnan()).reshape(len(points), -1)
    hits = points.reshape(len(points), -1).nan_to_num(0.0) * counted
    return (weights @ hits.sum(dim=1).to(weights.dtype)) / (weights @ counted.sum(dim=1).to(weights.dtype))
