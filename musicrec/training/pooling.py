"""From chunks to tracks."""

import math

import torch
from torch import Tensor
from torchmetrics import Metric

POOLINGS = ("mean", "max", "attention")


class TrackPooling(Metric):
    """Collects chunk probabilities and gives those of every track.

    pooling: "mean" of the chunks. "max": of each class, the surest chunk (of a softmax,
    scaled to a sum of one). "attention": the mean weighted by how sure
    each chunk is (1 - its entropy as a share of the highest there could be), the same for all classes; nothing in it is
    learned. activation: "softmax" or "sigmoid", of the head: decides what the entropy is of.
    The states are sums and maxima over tracks, so processes that saw different chunks come to the same result.
    """

    full_state_update = False

    def __init__(self, tracks: int, classes: int, *, pooling: str = "mean", activation: str = "softmax") -> None:
        super().__init__()
        self.pooling, self.activation = pooling, activation
        start, reduce = (-math.inf, "max") if pooling == "max" else (0.0, "sum")
        self.add_state("total", torch.full((tracks, classes), start, dtype=torch.float64), dist_reduce_fx=reduce)
        self.add_state("weight", torch.zeros(tracks, dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, probabilities: Tensor, track: Tensor) -> None:
        """probabilities: (batch, classes). track: (batch,) int64 number of the track each chunk is from."""
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
        """(tracks, classes) float32; NaN for a track of which no chunk was seen."""
        if self.pooling == "max":
            highest = torch.where(self.total.isinf(), torch.nan, self.total)
            return (highest if self.activation == "sigmoid" else highest / highest.sum(dim=1, keepdim=True)).float()
        return (self.total / self.weight[:, None]).float()


def sureness(probabilities: Tensor, activation: str) -> Tensor:
    """(chunks,) between nearly 0, all classes alike, and 1, no doubt. probabilities: (chunks, classes)."""
    if activation == "sigmoid":
        doubt = (torch.special.entr(probabilities) + torch.special.entr(1 - probabilities)).mean(dim=1) / math.log(2)
    else:
        doubt = torch.special.entr(probabilities).sum(dim=1) / math.log(max(2, probabilities.shape[1]))
    return (1 - doubt).clamp(min=1e-6)
