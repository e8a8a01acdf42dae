"""Front ends: waveform in, spectrogram in decibels out. One class per file; exports find it by its name."""

from typing import Protocol

import torch
from torch import Tensor


class Frontend(Protocol):
    """What a network hears through.

    Attributes:
        sample_rate: of the waveforms, in hertz.
        hop_length: samples from one frame to the next.
        n_mels: number of bands.
        settings: the constructor's arguments, in plain types.
    """

    sample_rate: int
    hop_length: int
    n_mels: int
    settings: dict[str, int | float]

    def __call__(self, waveform: Tensor) -> Tensor:
        """(batch, samples) in [-1, 1] or int16 to decibels, (batch, 1, n_mels, samples // hop_length + 1) float32."""
        ...

    def power(self, waveform: Tensor) -> Tensor:
        """(batch, n_mels, frames) of a waveform (batch, samples)."""
        ...

    def band_of(self, hertz: float) -> float:
        """The place of a frequency among the bands; 0 is the centre of the lowest."""
        ...

    def to(self, device: str | torch.device) -> "Frontend": ...
