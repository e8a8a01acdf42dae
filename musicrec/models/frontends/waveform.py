"""The waveform itself, for networks that hear samples."""

import math

import torch
from torch import Tensor, nn

from musicrec.config.number_types import Count
from musicrec.errors import ConfigError
from musicrec.models.frontends.decibels import to_floating_point


class Waveform(nn.Module):
    """No spectrogram: one row with one value per sample. There is nothing to train or to save.

    Deformations of spectrograms see this row, too. What counts levels in decibels makes no sense on it; those of
    waveforms do what they always do.

    Args:
        sample_rate: Sample rate of the waveforms, in hertz.
        n_mels: Number of rows: 1. The name is that of `MelSpectrogram`, because networks expect it.

    Raises:
        ConfigError: If `n_mels` is another number.
    """

    def __init__(self, *, sample_rate: Count = 16_000, n_mels: Count = 1) -> None:
        if n_mels != 1:
            raise ConfigError(
                f"frontend.n_mels={n_mels}: frontend=waveform gives one row; choose a network that hears the waveform, "
                "such as model=sample_cnn, or frontend=mel"
            )
        super().__init__()
        self.settings = {"sample_rate": sample_rate, "n_mels": n_mels}
        self.sample_rate, self.n_mels = sample_rate, n_mels
        self.n_fft = self.hop_length = 1

    def forward(self, waveform: Tensor) -> Tensor:
        """Return the waveform as the input of a network.

        Args:
            waveform: (batch, samples), floating point in [-1, 1] or int16.

        Returns:
            (batch, 1, 1, samples) float32 in [-1, 1].
        """
        return to_floating_point(waveform).float()[:, None, None]

    def power(self, waveform: Tensor) -> Tensor:
        """Return the power of every sample (batch, 1, samples) of a waveform (batch, samples)."""
        return torch.square(to_floating_point(waveform).float())[:, None]

    def band_of(self, hertz: float) -> float:
        """Return NaN: no frequency has a place here."""
        return math.nan
