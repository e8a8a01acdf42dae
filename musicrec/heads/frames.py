"""Heads that answer for every frame instead of once per track, and how the frames of chunks become those of a track."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, TypeGuard

import numpy as np

from musicrec.heads.head import Head

if TYPE_CHECKING:
    from torch import Tensor

    from musicrec.heads.beat_grid import BeatGrid

EDGE_S = 1.0
"""A frame that is nearer than this to the end of a chunk counts less where two chunks overlap: it lacks context."""


class FrameWise(Head, Protocol):
    """A head whose logits and probabilities are (tracks, size, frames): it answers for every frame.

    The probabilities of a track are joined from its chunks (`join_chunks`). They are NaN where no chunk was heard. The
    target is (tracks, …) with times in seconds from the start of the track, or of the chunk in training.
    """

    @property
    def frame_rate(self) -> float:
        """Frames per second. The first frame of a chunk is at its first sample."""
        ...

    def cut(self, target: Tensor, *, start_s: Tensor, length_s: Tensor | None = None) -> Tensor:
        """Return the target with times from `start_s` (tracks,) on instead of from the start of the track.

        With `length_s` (tracks,), times outside of the part are NaN; without it, they stay, as a change of speed may
        bring later ones into a chunk.
        """
        ...

    def last_s(self, target: Tensor) -> Tensor:
        """Return the latest time of each target, (tracks,) in seconds; -inf where there is none."""
        ...

    def grid(self, probabilities: np.ndarray) -> BeatGrid | None:
        """Return the beat grid of a track, (size, frames) float32; None where there is no beat."""
        ...

    def truth_text(self, target: Tensor) -> str:
        """Return the target of one track in words, as `text` says the answer."""
        ...


def is_frame_wise(head: Head) -> TypeGuard[FrameWise]:
    """Return whether a head answers for every frame."""
    return hasattr(head, "frame_rate")


def by_track(heads: Sequence[Head]) -> list[Head]:
    """Return the heads that answer once per track."""
    return [head for head in heads if not is_frame_wise(head)]


def edge_weights(frames: int, frame_rate: float) -> np.ndarray:
    """Return how much each frame of a chunk counts where chunks overlap, (frames,) float32: 1, and less at the ends."""
    nearest = np.minimum(np.arange(frames), np.arange(frames)[::-1])
    return np.minimum(1.0, (nearest + 1) / (EDGE_S * frame_rate + 1)).astype(np.float32)


def join_chunks(chunks: np.ndarray, start_s: np.ndarray, *, frame_rate: float, duration_s: float) -> np.ndarray:
    """Return the frames of a track: the weighted mean of its chunks.

    Args:
        chunks: (chunks, size, frames) float32.
        start_s: Where each chunk begins, in seconds.
        frame_rate: Frames per second.
        duration_s: Length of the track in seconds; what chunks say beyond it is left out.

    Returns:
        (size, frames of the track) float32; NaN where no chunk was heard.
    """
    length = int(duration_s * frame_rate) + 1
    total, weight = np.zeros((chunks.shape[1], length)), np.zeros(length)
    edges = edge_weights(chunks.shape[2], frame_rate)
    for chunk, start in zip(chunks, np.round(start_s * frame_rate).astype(int).tolist(), strict=True):
        here = min(chunk.shape[1], length - start)
        total[:, start : start + here] += chunk[:, :here] * edges[:here]
        weight[start : start + here] += edges[:here]
    with np.errstate(invalid="ignore"):
        return (total / np.where(weight > 0, weight, np.nan)).astype(np.float32)
