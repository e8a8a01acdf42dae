"""Inverted polarity."""

from collections.abc import Sequence

from torch import Tensor

from musicrec.deformations.base import Deformed, unmoved


class PolarityInversion:
    """Inverts the sign of every sample. It is inaudible, and a network should not react to it."""

    input_ratio = 1.0

    def __call__(self, waveform: Tensor, *, samples: int, sample_rate: int, seeds: Sequence[int]) -> Deformed:
        return unmoved(-waveform[:, :samples])
