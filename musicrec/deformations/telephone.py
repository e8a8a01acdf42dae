"""The band of a telephone."""

from collections.abc import Sequence

from torch import Tensor

from musicrec.deformations._spectrum import filtered, high_pass_gain, low_pass_gain
from musicrec.deformations.base import Deformed, column, unmoved
from musicrec.errors import ConfigError

BANDS_HZ = {"narrow": (300.0, 3400.0), "wide": (50.0, 7000.0)}
ORDER = 8


class TelephoneBand:
    """Leaves the band of a telephone line: "narrow" 300–3400 Hz (ITU-T G.712), "wide" 50–7000 Hz (G.722).

    Butterworth magnitudes, 48 dB an octave, without delay.
    """

    input_ratio = 1.0

    def __init__(self, *, band: str = "narrow") -> None:
        if band not in BANDS_HZ:
            raise ConfigError(f"band={band}: choose {' or '.join(BANDS_HZ)}")
        self.band = band

    def __call__(self, waveform: Tensor, *, samples: int, sample_rate: int, seeds: Sequence[int]) -> Deformed:
        low_hz, high_hz = column(BANDS_HZ[self.band], waveform)

        def response(frequencies: Tensor) -> Tensor:
            return high_pass_gain(frequencies, low_hz, order=ORDER) * low_pass_gain(frequencies, high_hz, order=ORDER)

        return unmoved(filtered(waveform[:, :samples], sample_rate, response))
