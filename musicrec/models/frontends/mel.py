"""Mel spectrogram."""

import math

from nnAudio import features
from torch import Tensor, nn

from musicrec.config.number_types import Count, NotNegative, Positive
from musicrec.errors import ConfigError
from musicrec.models.frontends.decibels import check_hop, decibels, power_spectrum


class MelSpectrogram(nn.Module):
    """Mel spectrogram in decibels with nnAudio's window and bands, on the waveform's device and always in float32.

    Its numbers are those of torchaudio's default mel spectrogram: HTK scale, triangles without area normalisation. On
    a CPU it takes an FFT, which costs a fraction of nnAudio's convolutions, by which other devices compute it
    (benchmarks/frontends.py).
    It holds nothing to train or to save: its `state_dict` is empty.

    Args:
        sample_rate: in hertz.
        n_fft: window and transform length in samples.
        hop_length: samples from one frame to the next.
        n_mels: mel bands.
        f_min, f_max: range of the mel bands in hertz.

    Raises:
        ConfigError: a range that is empty, or reaches above half the sample rate.
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
                f"frontend.f_min={f_min}, frontend.f_max={f_max}: give a range of frequencies within half of "
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
        """(batch, samples) in [-1, 1] or int16 to decibels, (batch, 1, n_mels, samples // hop_length + 1) float32."""
        return decibels(waveform, self.power, n_fft=self.n_fft, hop_length=self.hop_length)

    def power(self, waveform: Tensor) -> Tensor:
        """(batch, n_mels, frames) of a waveform (batch, samples)."""
        if waveform.device.type != "cpu":
            return self.mel(waveform)
        window = self.mel.stft.window_mask.flatten()
        return self.mel.mel_basis @ power_spectrum(waveform, self.n_fft, self.hop_length, window)

    def band_of(self, hertz: float) -> float:
        """The place of a frequency among the bands; 0 is the centre of the lowest."""
        low, high = self.settings["f_min"], self.settings["f_max"]
        mel, first, last = (2595 * math.log10(1 + value / 700) for value in (hertz, low, high))
        return (mel - first) / (last - first) * (self.n_mels + 1) - 1
