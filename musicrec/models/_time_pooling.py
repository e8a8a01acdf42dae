"""From features of every frame to features of a chunk: the maximum, the mean, or a mean weighted by attention."""

from typing import Literal

from torch import Tensor, nn

from musicrec.errors import ConfigError

Pooling = Literal["max", "mean", "attention"]
POOLINGS = ("max", "mean", "attention")


class TimePooling(nn.Module):
    """Pools over time.

    Attention is a linear layer that scores every frame. The softmax of the scores over time are the weights of a mean,
    as in Ilse et al., "Attention-based deep multiple instance learning", ICML 2018, without its hidden layer. The first
    weights of the layer are zero, so training begins with the plain mean.

    Args:
        channels: Number of features of a frame.
        pooling: "max", "mean" or "attention". Only attention has weights.

    Raises:
        ConfigError: If there is no such pooling.
    """

    def __init__(self, channels: int, pooling: Pooling) -> None:
        super().__init__()
        if pooling not in POOLINGS:
            raise ConfigError(f"model.pooling={pooling}: choose {', '.join(POOLINGS[:-1])} or {POOLINGS[-1]}")
        self.pooling = pooling
        self.score = nn.Linear(channels, 1, bias=False) if pooling == "attention" else None
        if self.score is not None:
            nn.init.zeros_(self.score.weight)

    def forward(self, features: Tensor) -> Tensor:
        """Return (batch, channels) of (batch, channels, frames)."""
        if self.pooling == "max":
            return features.amax(dim=2)
        if self.score is None:
            return features.mean(dim=2)
        return (features * self.weights(features)).sum(dim=2)

    def weights(self, features: Tensor) -> Tensor:
        """Return the weight of every frame, (batch, 1, frames), which sum to 1 over time; only with attention."""
        assert self.score is not None
        return self.score(features.transpose(1, 2)).float().softmax(dim=1).transpose(1, 2)
