"""What the networks have in common that hear samples instead of a spectrogram."""

import itertools
from collections.abc import Callable

from torch import Tensor, nn

from musicrec.errors import ConfigError

WIDTHS = (1, 1, 1, 2, 2, 2, 2, 2, 2, 4)
"""Channels of the blocks that each leave a third of the samples, as multiples of the first."""

POOLED = 3 ** len(WIDTHS)  # 59,049


def blocks_over_samples(block: Callable[[int, int, int, int, int], nn.Module], width: int) -> nn.Sequential:
    """Return ten blocks that each leave a third of the samples, and one over single places.

    Args:
        block: Builds a block of (inputs, outputs, size, stride, pool): channels of its input and output, length and
            stride of its filters, and how many places it pools into one.
        width: Channels of the first block.
    """
    channels = (1, *(width * factor for factor in WIDTHS), WIDTHS[-1] * width)
    shapes = [(3, 3, 1), *[(3, 1, 3)] * (len(WIDTHS) - 1), (1, 1, 1)]
    return nn.Sequential(
        *(block(*sizes, *shape) for sizes, shape in zip(itertools.pairwise(channels), shapes, strict=True))
    )


def check_waveform(*, n_mels: int, chunk_samples: int) -> None:
    """Check the settings of a network that hears samples.

    Args:
        n_mels: Number of rows of the input.
        chunk_samples: Length of the training chunks, in samples.

    Raises:
        ConfigError: If there are several rows, or if chunks are shorter than what is pooled into one place.
    """
    if n_mels != 1:
        raise ConfigError(f"model.n_mels={n_mels}: this network hears the waveform, which is one row; give 1")
    _check_length(chunk_samples, chunk_samples)


def waveform_of(rows: Tensor) -> Tensor:
    """Return the waveform (batch, 1, samples) in the output of a front end, (batch, 1, 1, samples).

    Raises:
        ConfigError: If there are fewer samples than are pooled into one place.
    """
    _check_length(rows.shape[-1], rows.shape[-1])
    return rows[:, :, 0]


def _check_length(samples: int, chunk_samples: int) -> None:
    if samples < POOLED:
        raise ConfigError(
            f"model.chunk_samples={chunk_samples}: this network pools {POOLED} samples into one place; give "
            f"{POOLED} or more, and frontend=waveform"
        )
