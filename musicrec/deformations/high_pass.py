"""High-pass filter."""

from collections.abc import Sequence

from torch import Tensor

from musicrec.deformations._spectrum import filtered, high_pass_gain
from musicrec.deformations.base import Deformed, column, draw_log, limits, unmoved

ORDER = 4


class HighPass:
    """Removes frequencies below cutoff_hz: Butterworth magnitude, 24 dB per octave, no delay."""

    input_ratio = 1.0

    def __init__(self, *, cutoff_hz: float | Sequence[float] = 200.0) -> None:
        self.cutoff_hz = limits("cutoff_hz", cutoff_hz, least=1, most=24_000)

    def __call__(self, waveform: Tensor, *, samples: int, sample_rate: int, seeds: Sequence[int]) -> Deformed:
        cutoff_hz = column(draw_log("cutoff_hz", self.cutoff_hz, seeds), waveform)
        return unmoved(
            filtered(waveform[:, :samples], sample_rate, lambda f: high_pass_gain(f, cutoff_hz, order=ORDER))
        )
