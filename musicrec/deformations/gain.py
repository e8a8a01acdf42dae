"""Change of level."""

from collections.abc import Sequence

from torch import Tensor

from musicrec.deformations.base import Deformed, column, draw, limits, unmoved


class Gain:
    """Changes the level by gain_db. The result is not clipped, even beyond full scale; see `Clipping`."""

    input_ratio = 1.0

    def __init__(self, *, gain_db: float | Sequence[float] = -10.0) -> None:
        self.gain_db = limits("gain_db", gain_db, least=-120, most=60)

    def __call__(self, waveform: Tensor, *, samples: int, sample_rate: int, seeds: Sequence[int]) -> Deformed:
        gain_db = column(draw("gain_db", self.gain_db, seeds), waveform)
        return unmoved(waveform[:, :samples] * 10 ** (gain_db / 20))
