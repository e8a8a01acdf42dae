"""Pool the probabilities of chunks into probabilities of tracks."""

import math

import numpy as np
import torch
from torch import Tensor
from torchmetrics import Metric

from musicrec.heads import Head
from musicrec.heads.frames import edge_weights, is_frame_wise

POOLINGS = ("mean", "max", "attention")


class TrackPooling(Metric):
    """Collects the probabilities of chunks and computes those of every track.

    Its states are sums or maxima over the chunks of a track, so several processes that saw different chunks get the
    same result.
    """

    full_state_update = False

    def __init__(self, tracks: int, classes: int, *, pooling: str = "mean", activation: str = "softmax") -> None:
        """Set up; no chunk has been seen.

        Args:
            tracks: Number of tracks.
            classes: Number of classes.
            pooling: "mean" of the chunks; "max", for each class the highest probability of any chunk (with softmax,
                scaled to a sum of one); or "attention", the mean weighted by how confident each chunk is, see
                `sureness`. Nothing is learned.
            activation: "softmax" or "sigmoid", that of the head.
        """
        super().__init__()
        self.pooling, self.activation = pooling, activation
        start, reduce = (-math.inf, "max") if pooling == "max" else (0.0, "sum")
        self.add_state("total", torch.full((tracks, classes), start, dtype=torch.float64), dist_reduce_fx=reduce)
        self.add_state("weight", torch.zeros(tracks, dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, probabilities: Tensor, track: Tensor, start_s: Tensor | None = None) -> None:
        """Add a batch of chunks.

        Args:
            probabilities: (batch, classes).
            track: (batch,) int64, the number of the track of each chunk.
            start_s: Not needed: every chunk counts the same, wherever it begins.
        """
        probabilities = probabilities.to(self.total.dtype)
        if self.pooling == "max":
            self.total.scatter_reduce_(0, track[:, None].expand_as(probabilities), probabilities, reduce="amax")
            return
        weight = torch.ones_like(probabilities[:, 0])
        if self.pooling == "attention":
            weight = sureness(probabilities, self.activation)
        self.total.index_add_(0, track, probabilities * weight[:, None])
        self.weight.index_add_(0, track, weight)

    def compute(self) -> Tensor:
        """Return the probabilities, (tracks, classes) float32; NaN for a track without chunks."""
        if self.pooling == "max":
            highest = torch.where(self.total.isinf(), torch.nan, self.total)
            return (highest if self.activation == "sigmoid" else highest / highest.sum(dim=1, keepdim=True)).float()
        return (self.total / self.weight[:, None]).float()


class FramePooling(Metric):
    """Collects the probabilities of the frames of chunks, and joins them to those of every track.

    Where chunks overlap, their mean counts, weighted as in `musicrec.heads.frames.edge_weights`.

    Args:
        tracks: Number of tracks.
        classes: Number of classes.
        frame_rate: Frames per second.
        longest_s: Length of the longest track, in seconds.
    """

    full_state_update = False

    def __init__(self, tracks: int, classes: int, *, frame_rate: float, longest_s: float) -> None:
        super().__init__()
        self.frame_rate, frames = frame_rate, int(longest_s * frame_rate) + 1
        self.add_state("total", torch.zeros(tracks, classes, frames), dist_reduce_fx="sum")
        self.add_state("weight", torch.zeros(tracks, frames), dist_reduce_fx="sum")

    def update(self, probabilities: Tensor, track: Tensor, start_s: Tensor) -> None:
        """Add a batch of chunks.

        Args:
            probabilities: (batch, classes, frames).
            track: (batch,) int64, the number of the track of each chunk.
            start_s: (batch,), where each chunk begins, in seconds.
        """
        weights = torch.from_numpy(edge_weights(probabilities.shape[2], self.frame_rate)).to(self.total.device)
        first = np.round(start_s.cpu().numpy() * self.frame_rate).astype(int).tolist()
        for chunk, number, begin in zip(probabilities, track.tolist(), first, strict=True):
            here = min(chunk.shape[1], self.total.shape[2] - begin)
            self.total[number, :, begin : begin + here] += chunk[:, :here] * weights[:here]
            self.weight[number, begin : begin + here] += weights[:here]

    def compute(self) -> Tensor:
        """Return the probabilities, (tracks, classes, frames) float32; NaN where no chunk was."""
        return self.total / torch.where(self.weight > 0, self.weight, torch.nan)[:, None]


def pooling_of(head: Head, tracks: int, *, longest_s: float, pooling: str) -> TrackPooling | FramePooling:
    """Return what collects the chunks of tracks for a head.

    Args:
        head: The head.
        tracks: Number of tracks.
        longest_s: Length of the longest track, in seconds.
        pooling: As in `TrackPooling`. Frames have a place, so for a frame-wise head nothing is to be chosen.
    """
    if is_frame_wise(head):
        return FramePooling(tracks, len(head.classes), frame_rate=head.frame_rate, longest_s=longest_s)
    return TrackPooling(tracks, len(head.classes), pooling=pooling, activation=head.activation)


def sureness(probabilities: Tensor, activation: str) -> Tensor:
    """Return how confident each chunk is: 1 minus its entropy as a share of the highest possible entropy.

    Args:
        probabilities: (chunks, classes).
        activation: "softmax" or "sigmoid"; with sigmoid the entropy is the mean of the binary entropies.

    Returns:
        (chunks,) from nearly 0, if all classes are equally probable, to 1.
    """
    if activation == "sigmoid":
        doubt = (torch.special.entr(probabilities) + torch.special.entr(1 - probabilities)).mean(dim=1) / math.log(2)
    else:
        doubt = torch.special.entr(probabilities).sum(dim=1) / math.log(max(2, probabilities.shape[1]))
    return (1 - doubt).clamp(min=1e-6)
