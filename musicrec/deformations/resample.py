"""Change of speed as on a tape: pitch and tempo change together, and so do their labels."""

from collections.abc import Sequence

import torch
from torch import Tensor

from musicrec.deformations._speed import played, speed_of
from musicrec.deformations.base import Deformed, draw_whole, is_number, limits
from musicrec.deformations.sometimes import Sometimes
from musicrec.errors import ConfigError


class Resample:
    """Plays the audio 2^(shift_semitones/12) times as fast.

    The key moves by `shift_semitones` and the tempo by the factor. Sinc interpolation by torchaudio. Examples of a
    batch with the same shift are resampled together.

    Args:
        shift_semitones: a whole number, or a range of whole numbers.
    """

    def __init__(self, *, shift_semitones: int | Sequence[int] = 1) -> None:
        self.shift_semitones = limits("shift_semitones", shift_semitones, least=-12, most=12, whole=True)
        self.input_ratio = (
            float(speed_of(self.shift_semitones[1])) + 1e-3
        )  # a little more, because the sinc filter has a width

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
        max_semitones: the shift lies in [-max_semitones, max_semitones].
        probability: that an example is changed at all.

    Raises:
        ConfigError: max_semitones outside 0 to 12, or a probability outside 0 to 1.
    """

    def __init__(self, *, max_semitones: int = 4, probability: float = 1.0) -> None:
        numbers = is_number(max_semitones, whole=True) and is_number(probability)
        if not numbers or not 0 <= max_semitones <= 12 or not 0 <= probability <= 1:
            raise ConfigError(
                f"RandomResample: max_semitones={max_semitones} must lie in 0–12 and probability={probability} in 0–1"
            )
        resample = Resample(shift_semitones=[-max_semitones, max_semitones])
        self.max_semitones = max_semitones
        self.deformation = Sometimes(deformation=resample, probability=probability)
        self.input_ratio = resample.input_ratio

    def __call__(self, waveform: Tensor, *, samples: int, sample_rate: int, seeds: Sequence[int]) -> Deformed:
        return self.deformation(waveform, samples=samples, sample_rate=sample_rate, seeds=seeds)
