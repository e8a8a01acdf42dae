"""Pitch shift at constant tempo."""

from collections.abc import Sequence

import torch
from torch import Tensor

from musicrec.deformations._speed import played, speed_of, stretched
from musicrec.deformations.base import Deformed, draw_whole, limits


class PitchShift:
    """Transposes by shift_semitones. The key moves, the tempo stays.

    The audio is stretched by Signalsmith Stretch on the CPU, then resampled by sinc interpolation. The result is closer
    to a piece composed in the other key, and more accurate in pitch, than the stretcher's own transposition.

    Args:
        shift_semitones: A whole number, or a range of whole numbers.
    """

    input_ratio = 1.0
    on_cpu = True

    def __init__(self, *, shift_semitones: int | Sequence[int] = 1) -> None:
        self.shift_semitones = limits("shift_semitones", shift_semitones, least=-12, most=12, whole=True)

    def __call__(self, waveform: Tensor, *, samples: int, sample_rate: int, seeds: Sequence[int]) -> Deformed:
        shift = draw_whole("shift_semitones", self.shift_semitones, seeds)
        return Deformed(
            waveform=torch.cat(
                [
                    _transposed(example[None], semitones, samples, sample_rate)
                    for example, semitones in zip(waveform, shift, strict=True)
                ]
            ),
            shift_semitones=torch.tensor(shift, dtype=torch.float32, device=waveform.device),
            tempo_ratio=torch.ones(len(waveform), device=waveform.device),
        )


def _transposed(waveform: Tensor, semitones: int, samples: int, sample_rate: int) -> Tensor:
    if semitones == 0:
        return waveform[:, :samples]
    speed = speed_of(semitones)
    longer = int(samples * float(speed)) + 64
    slower = stretched(waveform[:, :samples], [1 / float(speed)], samples=longer, sample_rate=sample_rate)
    return played(slower, speed, samples=samples)
