"""The mel spectrogram."""

import math

from nnAudio import features
from torch import Tensor, nn

from musicrec.config.number_types import Count, NotNegative, Positive
from musicrec.errors import ConfigError
from musicrec.models.frontends.decibels import check_hop, decibels, power_spectrum


class MelSpectrogram(nn.Module):
    """Mel spectrogram in decibels, computed on the waveform's device and always in float32.

    The window and the bands are nnAudio's. The values are those of torchaudio's default mel spectrogram: HTK scale,
    triangles without area normalisation. On a CPU an FFT is used, which is much faster there than nnAudio's
    convolutions; other devices use the convolutions (benchmarks/frontends.py). There is nothing to train or to save:
    the `state_dict` is empty.

    Args:
        sample_rate: Sample rate of the waveforms, in hertz.
        n_fft: Length of the window and of the transform, in samples.
        hop_length: Samples from one frame to the next.
        n_mels: Number of mel bands.
        f_min: Lower end of the mel bands, in hertz.
        f_max: Upper end of the mel bands, in hertz.

    Raises:
        ConfigError: If the range is empty or reaches above half the sample rate, or if the hop is longer than the
            window.
    """

    def __init__(
        self,
        *,
        sample_rate: Count = 16_000,
        n_fft: Count = 512,
        hop_length: Count = 256,
        n_mels: Count = 96,
        f_min: NotNegative = 0.0,
        f_max: Positive = 8000.0,
    ) -> None:
        if not f_min < f_max <= sample_rate / 2:
            raise ConfigError(
                f"frontend.f_min={f_min}, frontend.f_max={f_max}: give a range of frequencies up to half of "
                f"frontend.sample_rate={sample_rate}"
            )
        check_hop(hop_length, n_fft)
        super().__init__()
        self.sample_rate, self.n_fft, self.hop_length, self.n_mels = sample_rate, n_fft, hop_length, n_mels
        self.settings = {
            "sample_rate": sample_rate,
            "n_fft": n_fft,
            "hop_length": hop_length,
            "n_mels": n_mels,
            "f_min": f_min,
            "f_max": f_max,
        }
        self.mel = features.MelSpectrogram(
            sr=sample_rate,
            n_fft=n_fft,
            hop_length=hop_length,
            n_mels=n_mels,
            fmin=f_min,
            fmax=f_max,
            htk=True,
            norm=None,
            verbose=False,
        )
        for module in self.mel.modules():
            for name, buffer in list(module.named_buffers(recurse=False)):
                module.register_buffer(name, buffer, persistent=False)

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
        if waveform.device.type != "cpu":
            return self.mel(waveform)
        window = self.mel.stft.window_mask.flatten()
        return self.mel.mel_basis @ power_spectrum(waveform, self.n_fft, self.hop_length, window)

    def band_of(self, hertz: float) -> float:
        """Return the position of a frequency on the axis of bands, where 0 is the centre of the lowest band."""
        low, high = self.settings["f_min"], self.settings["f_max"]
        mel, first, last = (2595 * math.log10(1 + value / 700) for value in (hertz, low, high))
        return (mel - first) / (last - first) * (self.n_mels + 1) - 1
