"""A spectrogram with bands at equal musical intervals."""

import math

import torch
from torch import Tensor, nn

from musicrec.config.number_types import Count, Positive
from musicrec.errors import ConfigError
from musicrec.models.frontends.decibels import check_hop, decibels, power_spectrum


class LogFrequencySpectrogram(nn.Module):
    """Spectrogram in decibels with bands at equal musical intervals, so that a transposition shifts it up or down.

    Triangular filters on one Fourier transform, as in Korzeniowski and Widmer 2018, "Genre-agnostic key classification
    with convolutional neural networks". If bands are closer together than the bins of the transform, their triangles
    are as wide as a bin. The computation is in float32 and uses an FFT, which is much faster than nnAudio's
    convolutions with long windows. There is nothing to train or to save: the `state_dict` is empty.

    Args:
        sample_rate: Sample rate of the waveforms, in hertz.
        n_fft: Length of the window and of the transform, in samples.
        hop_length: Samples from one frame to the next.
        n_mels: Number of bands. The name is that of `MelSpectrogram`, because networks expect it.
        f_min: Centre of the lowest band, in hertz.
        bands_per_octave: Number of bands per octave.

    Raises:
        ConfigError: If the highest band is above half the sample rate, or if the hop is longer than the window.
    """

    def __init__(
        self,
        *,
        sample_rate: Count = 16_000,
        n_fft: Count = 8192,
        hop_length: Count = 4096,
        n_mels: Count = 216,
        f_min: Positive = 64.159,
        bands_per_octave: Count = 36,
    ) -> None:
        check_hop(hop_length, n_fft)
        super().__init__()
        self.sample_rate, self.n_fft, self.hop_length, self.n_mels = sample_rate, n_fft, hop_length, n_mels
        self.settings = {
            "sample_rate": sample_rate,
            "n_fft": n_fft,
            "hop_length": hop_length,
            "n_mels": n_mels,
            "f_min": f_min,
            "bands_per_octave": bands_per_octave,
        }
        centres = f_min * 2 ** (torch.arange(n_mels, dtype=torch.float64) / bands_per_octave)
        if not 0 < f_min <= centres[-1] <= sample_rate / 2:
            raise ConfigError(
                f"n_mels={n_mels}: from f_min={f_min} with bands_per_octave={bands_per_octave}, the bands reach up to "
                f"{float(centres[-1]):.0f} Hz, which is above half of sample_rate={sample_rate}"
            )
        bin_hz = sample_rate / n_fft
        width = (centres * (2 ** (1 / bands_per_octave) - 1)).clamp(min=bin_hz)
        bins = torch.arange(n_fft // 2 + 1, dtype=torch.float64) * bin_hz
        triangles = (1 - (bins - centres[:, None]).abs() / width[:, None]).clamp(min=0)
        triangles /= triangles.sum(dim=1, keepdim=True)
        self.used_bins = int(triangles.any(dim=0).nonzero().max()) + 1
        window = torch.hann_window(n_fft, dtype=torch.float64)
        # Scale the window so that a full-scale sine has 0 dB in its bin.
        self.register_buffer("window", (2 * window / window.sum()).float(), persistent=False)
        self.register_buffer("triangles", triangles[:, : self.used_bins].float(), persistent=False)

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
        return self.triangles @ power_spectrum(waveform, self.n_fft, self.hop_length, self.window, self.used_bins)

    def band_of(self, hertz: float) -> float:
        """Return the position of a frequency on the axis of bands, where 0 is the centre of the lowest band."""
        return self.settings["bands_per_octave"] * math.log2(hertz / self.settings["f_min"])
