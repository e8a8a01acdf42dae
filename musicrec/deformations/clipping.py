"""Hard clipping."""

from collections.abc import Sequence

from torch import Tensor

from musicrec.deformations.base import Deformed, column, draw, limits, unmoved


class Clipping:
    """Raises the level by drive_db and clips at the example's original peak."""

    input_ratio = 1.0

    def __init__(self, *, drive_db: float | Sequence[float] = 10.0) -> None:
        self.drive_db = limits("drive_db", drive_db, least=0, most=60)

    def __call__(self, waveform: Tensor, *, samples: int, sample_rate: int, seeds: Sequence[int]) -> Deformed:
        waveform = waveform[:, :samples]
        peak = waveform.abs().amax(dim=1, keepdim=True)
        drive_db = column(draw("drive_db", self.drive_db, seeds), waveform)
        return unmoved((waveform * 10 ** (drive_db / 20)).clamp(-peak, peak))
