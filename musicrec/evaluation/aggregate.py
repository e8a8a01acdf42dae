"""From chunks to tracks: a track's score is the mean over its chunks."""

import torch
from torch import Tensor
from torchmetrics import Metric


class TrackMean(Metric):
    """Collects chunk probabilities and gives the mean of every track.

    The states are sums over tracks, so processes that saw different chunks add up to the same result.
    """

    full_state_update = False

    def __init__(self, tracks: int, classes: int) -> None:
        super().__init__()
        self.add_state("total", torch.zeros(tracks, classes, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros(tracks, dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, probabilities: Tensor, track: Tensor) -> None:
        """probabilities: (batch, classes). track: (batch,) int64 number of the track each chunk is from."""
        self.total.index_add_(0, track, probabilities.to(self.total.dtype))
        self.count.index_add_(0, track, torch.ones_like(track))

    def compute(self) -> Tensor:
        """(tracks, classes) float32; NaN for a track of which no chunk was seen."""
        return (self.total / self.count[:, None]).float()
