"""Synthetic noise: white, pink or brown."""

from collections.abc import Sequence

from torch import Tensor

from musicrec.config.value_check import check_choice
from musicrec.deformations._snr import mixed
from musicrec.deformations._spectrum import filtered
from musicrec.deformations.base import Deformed, draw, limits, unmoved, white_noise

SLOPES_DB = {"white": 0.0, "pink": -3.0103, "brown": -6.0206}  # power per octave: 1, 1/f and 1/f²
LOWEST_HZ = 20.0


class Noise:
    """Adds synthetic noise.

    Args:
        colour: "white", "pink" (-3 dB per octave) or "brown" (-6 dB per octave). The noise is flat below 20 Hz:
            otherwise most of the power of brown noise would be inaudible.
        snr_db: Power of the example relative to the power of the noise.

    Raises:
        ConfigError: An unknown colour, or a ratio out of range.
    """

    input_ratio = 1.0

    def __init__(self, *, colour: str = "white", snr_db: float | Sequence[float] = 20.0) -> None:
        check_choice("colour", colour, SLOPES_DB)
        self.colour = colour
        self.snr_db = limits("snr_db", snr_db, least=-60, most=120)

    def __call__(self, waveform: Tensor, *, samples: int, sample_rate: int, seeds: Sequence[int]) -> Deformed:
        waveform = waveform[:, :samples]
        noise = white_noise(seeds, waveform.shape[1], device=waveform.device)
        if self.colour != "white":
            exponent = SLOPES_DB[self.colour] / 6.0206
            noise = filtered(noise, sample_rate, lambda f: f.clamp(min=LOWEST_HZ) ** exponent)
        return unmoved(mixed(waveform, noise, draw("snr_db", self.snr_db, seeds)))
