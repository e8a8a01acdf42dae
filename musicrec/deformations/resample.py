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
_Cents = Annotated[int, Ge(0), Le(50)]
_STEP_CENTS = 10  # each speed needs a filter of its own, so that there are only a few


class Resample:
    """Plays the audio 2^((shift_semitones + shift_cents/100)/12) times as fast.

    The key moves by `shift_semitones` and the tempo by the factor. Cents detune the music: they leave its key as it is.
    Sinc interpolation by torchaudio. Examples of a batch with the same shift are resampled together.

    Args:
        shift_semitones: A whole number, or a range of whole numbers.
        shift_cents: A whole number from -50 to 50, or a range of whole numbers, from which multiples of 10 from the
            lowest one are drawn.
    """

    def __init__(self, *, shift_semitones: int | Sequence[int] = 1, shift_cents: int | Sequence[int] = 0) -> None:
        self.shift_semitones = limits("shift_semitones", shift_semitones, least=-12, most=12, whole=True)
        self.shift_cents = limits("shift_cents", shift_cents, least=-50, most=50, whole=True)
        # A little more than the speed, because the sinc filter has a width.
        self.input_ratio = float(speed_of(self.shift_semitones[1] + self.shift_cents[1] / 100)) + 1e-3

    def __call__(self, waveform: Tensor, *, samples: int, sample_rate: int, seeds: Sequence[int]) -> Deformed:
        shift = draw_whole("shift_semitones", self.shift_semitones, seeds)
        lowest, highest = self.shift_cents
        steps = draw_whole("shift_cents", (0, (highest - lowest) // _STEP_CENTS), seeds)
        speeds = [
            speed_of(semitones + (lowest + _STEP_CENTS * step) / 100)
            for semitones, step in zip(shift, steps, strict=True)
        ]
        result = waveform.new_empty(len(waveform), samples)
        for speed in sorted(set(speeds)):
            rows = torch.tensor([row for row, other in enumerate(speeds) if other == speed], device=waveform.device)
            result[rows] = played(waveform[rows], speed, samples=samples)
        return Deformed(
            waveform=result,
            shift_semitones=torch.tensor(shift, dtype=torch.float32, device=result.device),
            tempo_ratio=torch.tensor([float(speed) for speed in speeds], device=result.device),
        )


class RandomResample:
    """Applies `Resample` with a random whole number of semitones per example, and out of tune if asked for.

    Args:
        max_semitones: The shift lies in [-max_semitones, max_semitones].
        max_cents: The detuning, which leaves the key as it is, lies in [-max_cents, max_cents].
        probability: The probability that an example is changed at all.

    Raises:
        ConfigError: max_semitones outside 0 to 12, max_cents outside 0 to 50, or a probability outside 0 to 1.
    """

    def __init__(self, *, max_semitones: _Semitones = 4, max_cents: _Cents = 0, probability: Share = 1.0) -> None:
        check_value("max_semitones", max_semitones, _Semitones)
        check_value("max_cents", max_cents, _Cents)
        resample = Resample(shift_semitones=[-max_semitones, max_semitones], shift_cents=[-max_cents, max_cents])
        self.max_semitones, self.max_cents = max_semitones, max_cents
        self.deformation = Sometimes(deformation=resample, probability=probability)
        self.input_ratio = resample.input_ratio

    def __call__(self, waveform: Tensor, *, samples: int, sample_rate: int, seeds: Sequence[int]) -> Deformed:
        return self.deformation(waveform, samples=samples, sample_rate=sample_rate, seeds=seeds)
