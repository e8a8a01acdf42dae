"""What the networks share that Choi et al. 2017 compared with their CRNN."""

import torch.nn.functional as F
from torch import Tensor, nn

POOLED_FRAMES = 1280
SIZE = 4  # frames that a one-dimensional kernel hears
SAME = (1, 2)  # frames of zeros before and after, so that as many remain


class FullyConnected(nn.Module):
    """Two linear layers, each with ELU, and dropout between them.

    Args:
        inputs: Size of the input.
        outputs: Size of both layers.
        dropout: Between them.
    """

    def __init__(self, inputs: int, outputs: int, *, dropout: float) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(inputs, outputs), nn.Linear(outputs, outputs)
        self.dropout = nn.Dropout(dropout)

    def forward(self, features: Tensor) -> Tensor:
        """Return (batch, outputs) of (batch, inputs)."""
        return F.elu(self.second(self.dropout(F.elu(self.first(features)))))
