"""The bins of the Fourier transform, without bands."""

import torch
from torch import Tensor, nn

from musicrec.config.number_types import Count
from musicrec.errors import ConfigError
from musicrec.models.frontends.decibels import check_hop, decibels, power_spectrum


class LinearSpectrogram(nn.Module):
    """Spectrogram in decibels with all bins of the transform, at equal distances from 0 to half the sample rate.

    The values are those of torchaudio's default power spectrogram in decibels. The computation is in float32. There is
    nothing to train or to save: the `state_dict` is empty.

    Args:
        sample_rate: Sample rate of the waveforms, in hertz.
        n_fft: Length of the window and of the transform, in samples.
        hop_length: Samples from one frame to the next.
        n_mels: Number of bins, `n_fft // 2 + 1`. The name is that of `MelSpectrogram`, because networks expect it.

    Raises:
        ConfigError: If there are more or fewer bins, or if the hop is longer than the window.
    """

    def __init__(
        self, *, sample_rate: Count = 16_000, n_fft: Count = 512, hop_length: Count = 256, n_mels: Count = 257
    ) -> None:
        check_hop(hop_length, n_fft)
        if n_mels != n_fft // 2 + 1:
            raise ConfigError(
                f"frontend.n_mels={n_mels}: a transform of frontend.n_fft={n_fft} samples has {n_fft // 2 + 1} bins; "
                "set model.n_mels to that"
            )
        super().__init__()
        self.sample_rate, self.n_fft, self.hop_length, self.n_mels = sample_rate, n_fft, hop_length, n_mels
        self.settings = {"sample_rate": sample_rate, "n_fft": n_fft, "hop_length": hop_length, "n_mels": n_mels}
        self.register_buffer("window", torch.hann_window(n_fft), persistent=False)

    def forward(self, waveform: Tensor) -> Tensor:
        """Compute the spectrogram in decibels.

        Args:
            waveform: (batch, samples), floating point in [-1, 1] or int16.

        Returns:
            (batch, 1, n_mels, samples // hop_length + 1) float32.
        """
        return decibels(waveform, self.power, n_fft=self.n_fft, hop_length=self.hop_length)

    def power(self, waveform: Tensor) -> Tensor:
        """Return the power spectrogram (batch, n_mels, frames) of a waveform (batch, samples)."""
        return power_spectrum(waveform, self.n_fft, self.hop_length, self.window)

    def band_of(self, hertz: float) -> float:
        """Return the position of a frequency on the axis of bins, where 0 is 0 Hz."""
        return hertz * self.n_fft / self.sample_rate
