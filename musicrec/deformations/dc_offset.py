"""A constant added to every sample."""

from collections.abc import Sequence

from torch import Tensor

from musicrec.deformations.base import Deformed, column, draw, limits, unmoved


class DCOffset:
    """Adds `offset` (full scale is 1) to every sample, as a bad converter does. The result is not clipped."""

    input_ratio = 1.0

    def __init__(self, *, offset: float | Sequence[float] = 0.05) -> None:
        self.offset = limits("offset", offset, least=-1, most=1)

    def __call__(self, waveform: Tensor, *, samples: int, sample_rate: int, seeds: Sequence[int]) -> Deformed:
        return unmoved(waveform[:, :samples] + column(draw("offset", self.offset, seeds), waveform))
