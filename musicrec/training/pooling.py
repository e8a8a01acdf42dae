"""Pool the probabilities of chunks into probabilities of tracks."""

import math

import torch
from torch import Tensor
from torchmetrics import Metric

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

    def update(self, probabilities: Tensor, track: Tensor) -> None:
        """Add a batch of chunks.

        Args:
            probabilities: (batch, classes).
            track: (batch,) int64, the number of the track of each chunk.
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
