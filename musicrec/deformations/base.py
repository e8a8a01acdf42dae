"""What a deformation gives back: the audio, and what happened to the labels."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


@dataclass(kw_only=True)
class Deformed:
    """waveform: (batch, samples) float32. shift_semitones, tempo_ratio: (batch,) float32; 0 and 1: nothing moved."""

    waveform: Tensor
    shift_semitones: Tensor
    tempo_ratio: Tensor


class Deformation(Protocol):
    """A callable on a batch, on whatever device it lies.

    input_ratio: how many times longer than the output its input must be at most (1 for all that keep the speed).
    """

    input_ratio: float

    def __call__(self, waveform: Tensor, *, samples: int, generator: torch.Generator) -> Deformed:
        """waveform: (batch, at least samples × input_ratio) float32; the answer has `samples`.

        generator: a CPU generator, the only source of randomness, so that a step can be repeated.
        """
        ...
