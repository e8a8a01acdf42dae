"""Blocks of convolutions that several networks are built from."""

import itertools
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Activation = Callable[[Tensor], Tensor]


class PooledConvolution(nn.Module):
    """A 3×3 convolution, batch normalisation, an activation and max pooling.

    Args:
        inputs: Channels of the input.
        outputs: Channels of the output.
        pool: How many (bands, frames) become one.
        activation: A monotonic function: ReLU, or ELU.
    """

    def __init__(self, inputs: int, outputs: int, *, pool: tuple[int, int], activation: Activation = F.relu) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm = nn.BatchNorm2d(outputs)
        self.pool, self.activation = pool, activation

    def forward(self, features: Tensor) -> Tensor:
        """Return (batch, outputs, bands // pool[0], frames // pool[1]) of (batch, inputs, bands, frames)."""
        features = self.norm(self.conv(features))
        # A monotonic function commutes with max pooling. After the pooling, it has fewer values to process.
        return self.activation(F.max_pool2d(features, self.pool))


def pooled_convolutions(
    channels: Sequence[int], pools: Sequence[tuple[int, int]], *, activation: Activation = F.relu
) -> nn.Sequential:
    """Return one `PooledConvolution` after the other.

    Args:
        channels: Of the input, and of the output of each block.
        pools: Of each block.
        activation: Of all blocks.
    """
    sizes = zip(itertools.pairwise(channels), pools, strict=True)
    return nn.Sequential(*(PooledConvolution(*pair, pool=pool, activation=activation) for pair, pool in sizes))


class StridedResidual(nn.Module):
    """Two 3×3 convolutions, the first with a stride, and a 3×3 convolution with the same stride as the shortcut.

    Args:
        inputs: Channels of the input.
        outputs: Channels of the output.
        stride: Of (bands, frames).
    """

    def __init__(self, inputs: int, outputs: int, *, stride: tuple[int, int] = (2, 2)) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1)
        self.shortcut_norm = nn.BatchNorm2d(outputs)

    def forward(self, features: Tensor) -> Tensor:
        """Return (batch, outputs, bands / stride[0], frames / stride[1]), rounded up."""
        residual = F.relu(self.norm1(self.conv1(features)))
        residual = self.norm2(self.conv2(residual))
        return F.relu(residual + self.shortcut_norm(self.shortcut(features)))


def apply_strided(block: nn.Module, features: Tensor) -> Tensor:
    """Apply a block with strides; in float32 if there is a single frame.

    On CPUs, oneDNN 3.10 (in PyTorch 2.11) does not set the whole weight gradient of a bf16 convolution with stride over
    a single frame. The columns of a filter that meet only padding have a gradient of zero, but hold what was in memory.

    Args:
        block: The block.
        features: (batch, channels, bands, frames).

    Returns:
        What the block returns.
    """
    if features.shape[-1] > 1:
        return block(features)
    with torch.autocast(features.device.type, enabled=False):
        return block(features.float())
