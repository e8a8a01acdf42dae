"""Faults of recordings, computed on a spectrogram in decibels: coloured sound, noise and drums, other dynamics."""

import math

import torch
from torch import Tensor

from musicrec.config.number_types import Share
from musicrec.config.value_check import check_value

_TILT_DB, _WAVE_DB, _WAVES = 4.0, 3.0, 4  # standard deviations of the two kinds of colour, and number of waves
_NOISE_DB = (-45.0, -10.0)  # relative to the loudest place of an example
_NOISE_TILT_DB = 25.0  # at most, from the lowest band to the highest
_STEADY = 0.4  # share of the noise that is steady; the other noise comes in bursts, as drums do
_BURST_DB, _BURST_MEAN_DB = 12.0, -6.0  # standard deviation and mean over frames
_GRAIN_DB = 3.0  # standard deviation over bands and frames
_LOUDEST_NOISE_DB = 5.0  # relative to the loudest place of an example
_DYNAMICS = (0.6, 1.2)  # factors on the levels below the loudest place
_DECIBELS_PER_NEPER = 10 / math.log(10)  # of power


class SpectrogramFaults:
    """Changes the levels of a spectrogram as rooms, loudspeakers, noise, drums and compressors do. Labels stay.

    No waveform is filtered or mixed. An example gets each of the three changes with its probability:

    - colour: a random tilt and four random waves along the axis of bands, about as strong as an equaliser;
    - noise: with a random tilt, 10 to 45 dB below the loudest place, steady or in bursts. Powers are added;
    - dynamics: the distances from the loudest place are multiplied by 0.6 to 1.2.

    Args:
        colour: Probability of a change of colour.
        noise: Probability of added noise.
        dynamics: Probability of other dynamics.

    Raises:
        ConfigError: A probability outside 0 to 1.
    """

    def __init__(self, *, colour: Share = 0.5, noise: Share = 0.5, dynamics: Share = 0.5) -> None:
        for name, value in {"colour": colour, "noise": noise, "dynamics": dynamics}.items():
            check_value(name, value, Share)
        self.colour, self.noise, self.dynamics = colour, noise, dynamics

    def __call__(self, decibels: Tensor, *, generator: torch.Generator) -> Tensor:
        """Change a spectrogram.

        Args:
            decibels: (batch, 1, bands, frames) float32.
            generator: Source of chance, on the CPU.

        Returns:
            (batch, 1, bands, frames) float32.
        """
        batch, _, bands, frames = decibels.shape
        device = decibels.device
        position = torch.linspace(-0.5, 0.5, bands)[:, None]  # along the axis of bands

        def normal(*shape: int) -> Tensor:
            return torch.randn(batch, 1, *shape, generator=generator)

        def uniform(low: float, high: float) -> Tensor:
            return low + (high - low) * torch.rand(batch, 1, 1, 1, generator=generator)

        def chosen(probability: float) -> Tensor:
            return torch.rand(batch, 1, 1, 1, generator=generator) < probability

        colour = _TILT_DB * normal(1, 1) * 2 * position
        for wave in range(1, _WAVES + 1):
            phase = uniform(0, 2 * math.pi)
            colour = colour + _WAVE_DB / wave**0.5 * normal(1, 1) * torch.cos(math.pi * wave * position + phase)
        result = torch.where(chosen(self.colour).to(device), decibels + colour.to(device), decibels)

        loudest = result.amax(dim=(1, 2, 3), keepdim=True)
        bursts = torch.where(chosen(_STEADY), 0.0, _BURST_DB * normal(1, frames) + _BURST_MEAN_DB)
        noise = uniform(*_NOISE_DB) + uniform(-_NOISE_TILT_DB, _NOISE_TILT_DB) * position + bursts
        noise = (noise + _GRAIN_DB * normal(bands, frames)).clamp(max=_LOUDEST_NOISE_DB).to(device)
        both = _DECIBELS_PER_NEPER * torch.logaddexp(
            result / _DECIBELS_PER_NEPER, (noise + loudest) / _DECIBELS_PER_NEPER
        )
        result = torch.where(chosen(self.noise).to(device), both, result)

        loudest = result.amax(dim=(1, 2, 3), keepdim=True)
        stretched = loudest + (result - loudest) * uniform(*_DYNAMICS).to(device)
        return torch.where(chosen(self.dynamics).to(device), stretched, result)
