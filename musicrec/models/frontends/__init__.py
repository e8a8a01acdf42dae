"""Front ends, one class per file. Each computes a spectrogram. Exports find it by its class name."""

from typing import Any, Protocol

import torch
from torch import Tensor


class Frontend(Protocol):
    """The interface of a front end, which computes the input of a network.

    Attributes:
        sample_rate: Sample rate of the waveforms, in hertz.
        n_fft: Length of the window, in samples.
        hop_length: Samples from one frame to the next.
        n_mels: Number of bands.
        settings: The constructor's keyword arguments, in plain types; an export rebuilds the front end from them.
    """

    sample_rate: int
    n_fft: int
    hop_length: int
    n_mels: int
    settings: dict[str, Any]

    def __call__(self, waveform: Tensor) -> Tensor:
        """Compute the spectrogram, in decibels unless the settings say otherwise.

        Args:
            waveform: (batch, samples), floating point in [-1, 1] or int16.

        Returns:
            (batch, 1, n_mels, samples // hop_length + 1) float32; the waveform itself has as many columns as samples.
        """
        ...

    def power(self, waveform: Tensor) -> Tensor:
        """Return the power spectrogram (batch, n_mels, frames) of a waveform (batch, samples)."""
        ...

    def band_of(self, hertz: float) -> float:
        """Return the position of a frequency on the axis of bands, where 0 is the centre of the lowest band."""
        ...

    def to(self, device: str | torch.device) -> "Frontend":
        """Move the front end to a device, as `nn.Module` does."""
        ...
