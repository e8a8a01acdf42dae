"""Random change of speed, tape style: pitch and tempo together, and the labels with them."""

import functools
import math
from fractions import Fraction

import torch
from torch import Tensor
from torchaudio.transforms import Resample

from musicrec.deformations.base import Deformed
from musicrec.errors import ConfigError


@functools.cache
def speed_of(semitones: int) -> Fraction:
    """The fraction nearest to 2^(semitones/12) with a denominator of at most 64: under 3 cents off, and quick."""
    return Fraction(2 ** (semitones / 12)).limit_denominator(64)


class RandomResample:
    """Plays each example 2^(n/12) times faster, n a random whole number of semitones.

    The key moves by n semitones and the tempo by 2^(n/12). Sinc interpolation by torchaudio; the examples of a batch
    that share an n are resampled together.

    max_semitones: n is uniform in [-max_semitones, max_semitones]. probability: of an example to be changed at all.
    """

    def __init__(self, *, max_semitones: int = 4, probability: float = 1.0) -> None:
        if not 0 <= max_semitones <= 12 or not 0 <= probability <= 1:
            raise ConfigError(
                f"RandomResample: max_semitones={max_semitones} must lie in 0–12 and probability={probability} in 0–1"
            )
        self.max_semitones = max_semitones
        self.probability = probability
        self.input_ratio = float(speed_of(max_semitones)) + 1e-3  # a little over: the sinc filter has a width
        self._resamplers: dict[tuple[int, torch.device], Resample] = {}

    def __call__(self, waveform: Tensor, *, samples: int, generator: torch.Generator) -> Deformed:
        batch, limit = len(waveform), self.max_semitones
        shift = torch.randint(-limit, limit + 1, (batch,), generator=generator)
        shift *= torch.rand(batch, generator=generator) < self.probability
        result = waveform.new_empty(batch, samples)
        for semitones in shift.unique().tolist():
            rows = (shift == semitones).nonzero(as_tuple=True)[0].to(waveform.device)
            needed = min(math.ceil(samples * float(speed_of(semitones))) + 32, waveform.shape[1])
            result[rows] = self._resampler(semitones, waveform.device)(waveform[rows, :needed])[:, :samples]
        speed = torch.tensor([float(speed_of(n)) for n in shift.tolist()])
        return Deformed(
            waveform=result, shift_semitones=shift.float().to(result.device), tempo_ratio=speed.to(result.device)
        )

    def _resampler(self, semitones: int, device: torch.device) -> Resample:
        if (semitones, device) not in self._resamplers:
            speed = speed_of(semitones)
            self._resamplers[semitones, device] = Resample(speed.numerator, speed.denominator).to(device)
        return self._resamplers[semitones, device]
