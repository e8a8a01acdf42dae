"""Change of speed as on a tape: pitch and tempo change together, and so do their labels."""

from collections.abc import Sequence
from typing import Annotated

import torch
from annotated_types import Ge, Le
from torch import Tensor

from musicrec.config.number_types import Share
from musicrec.config.value_check import check_value
from musicrec.deformations._speed import played, speed_of
from musicrec.deformations.base import Deformed, draw_whole, limits
from musicrec.deformations.sometimes import Sometimes

_Semitones = Annotated[int, Ge(0), Le(12)]


class Resample:
    """Plays the audio 2^(shift_semitones/12) times as fast.

    The key moves by `shift_semitones` and the tempo by the factor. Sinc interpolation by torchaudio. Examples of a
    batch with the same shift are resampled together.

    Args:
        shift_semitones: A whole number, or a range of whole numbers.
    """

    def __init__(self, *, shift_semitones: int | Sequence[int] = 1) -> None:
        self.shift_semitones = limits("shift_semitones", shift_semitones, least=-12, most=12, whole=True)
        # A little more than the speed, because the sinc filter has a width.
        self.input_ratio = float(speed_of(self.shift_semitones[1])) + 1e-3

    def __call__(self, waveform: Tensor, *, samples: int, sample_rate: int, seeds: Sequence[int]) -> Deformed:
        shift = torch.tensor(draw_whole("shift_semitones", self.shift_semitones, seeds))
        result = waveform.new_empty(len(waveform), samples)
        for semitones in shift.unique().tolist():
            rows = (shift == semitones).nonzero(as_tuple=True)[0].to(waveform.device)
            result[rows] = played(waveform[rows], speed_of(semitones), samples=samples)
        speed = torch.tensor([float(speed_of(semitones)) for semitones in shift.tolist()])
        return Deformed(
            waveform=result, shift_semitones=shift.float().to(result.device), tempo_ratio=speed.to(result.device)
        )


class RandomResample:
    """Applies `Resample` with a random whole number of semitones per example.

    Args:
        max_semitones: The shift lies in [-max_semitones, max_semitones].
        probability: The probability that an example is changed at all.

    Raises:
        ConfigError: max_semitones outside 0 to 12, or a probability outside 0 to 1.
    """

    def __init__(self, *, max_semitones: _Semitones = 4, probability: Share = 1.0) -> None:
        check_value("max_semitones", max_semitones, _Semitones)
        resample = Resample(shift_semitones=[-max_semitones, max_semitones])
        self.max_semitones = max_semitones
        self.deformation = Sometimes(deformation=resample, probability=probability)
        self.input_ratio = resample.input_ratio

    def __call__(self, waveform: Tensor, *, samples: int, sample_rate: int, seeds: Sequence[int]) -> Deformed:
        return self.deformation(waveform, samples=samples, sample_rate=sample_rate, seeds=seeds)
