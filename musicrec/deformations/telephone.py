"""The frequency band of a telephone line."""

from collections.abc import Sequence

from torch import Tensor

from musicrec.config.value_check import check_choices
from musicrec.deformations._spectrum import filtered, high_pass_gain, low_pass_gain
from musicrec.deformations.base import Deformed, choose, column, unmoved

BANDS_HZ = {"narrow": (300.0, 3400.0), "wide": (50.0, 7000.0)}
ORDER = 8


class TelephoneBand:
    """Keeps only the band of a telephone line: Butterworth magnitudes, 48 dB per octave, no delay.

    Args:
        band: "narrow" (300–3400 Hz, ITU-T G.712) or "wide" (50–7000 Hz, G.722), or a list of them from which one is
            drawn per example.

    Raises:
        ConfigError: An unknown band.
    """

    input_ratio = 1.0

    def __init__(self, *, band: str | Sequence[str] = "narrow") -> None:
        self.bands = [band] if isinstance(band, str) else list(band)
        check_choices("band", self.bands, BANDS_HZ)

    def __call__(self, waveform: Tensor, *, samples: int, sample_rate: int, seeds: Sequence[int]) -> Deformed:
        edges_hz = [BANDS_HZ[band] for band in choose("band", self.bands, seeds)]
        low_hz, high_hz = (column(edges, waveform) for edges in zip(*edges_hz, strict=True))

        def response(frequencies: Tensor) -> Tensor:
            return high_pass_gain(frequencies, low_hz, order=ORDER) * low_pass_gain(frequencies, high_hz, order=ORDER)

        return unmoved(filtered(waveform[:, :samples], sample_rate, response))
