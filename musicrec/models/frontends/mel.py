"""The mel spectrogram."""

import math
from typing import Literal

import torch
from nnAudio import features
from torch import Tensor, nn

from musicrec.config.number_types import Count, NotNegative, Positive
from musicrec.errors import ConfigError
from musicrec.models.frontends.decibels import check_hop, decibels, power_spectrum, to_decibels

_SLANEY_STEP_HZ = 200 / 3  # of the linear part of Slaney's scale
_SLANEY_BREAK_HZ = 1000.0  # where it becomes logarithmic, with 27 steps per factor of 6.4
_LOG_GAIN = 10_000.0


class MelSpectrogram(nn.Module):
    """Mel spectrogram, computed on the waveform's device and always in float32.

    The window and the bands are nnAudio's. By default, the values are those of torchaudio's default mel spectrogram in
    decibels: HTK scale, triangles without area normalisation. With mel_scale=slaney, mel_norm=slaney and padding=zeros,
    the power is that of librosa's default; with compression=log, too, the values are those that MusiCNN takes (Pons et
    al. 2018; conf/frontend/musicnn.yaml). On a CPU an FFT is used, which is much faster there than nnAudio's
    convolutions; other devices use the convolutions (benchmarks/frontends.py). There is nothing to train or to save:
    the `state_dict` is empty.

    Args:
        sample_rate: Sample rate of the waveforms, in hertz.
        n_fft: Length of the window and of the transform, in samples.
        hop_length: Samples from one frame to the next.
        n_mels: Number of mel bands.
        f_min: Lower end of the mel bands, in hertz.
        f_max: Upper end of the mel bands, in hertz.
        mel_scale: The frequency scale: "htk", or "slaney", which is linear up to 1 kHz.
        mel_norm: "none" for triangles of height 1, or "slaney" for triangles of equal area.
        compression: "decibels", or "log" for log10(10000 · power + 1).
        padding: What the windows at both ends see beyond the waveform: "reflect" for its reflection, or "zeros".

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
        mel_scale: Literal["htk", "slaney"] = "htk",
        mel_norm: Literal["none", "slaney"] = "none",
        compression: Literal["decibels", "log"] = "decibels",
        padding: Literal["reflect", "zeros"] = "reflect",
    ) -> None:
        if not f_min < f_max <= sample_rate / 2:
            raise ConfigError(
                f"frontend.f_min={f_min}, frontend.f_max={f_max}: give a range of frequencies up to half of "
                f"frontend.sample_rate={sample_rate}"
            )
        check_hop(hop_length, n_fft)
        for name, value, choices in (
            ("mel_scale", mel_scale, ("htk", "slaney")),
            ("mel_norm", mel_norm, ("none", "slaney")),
            ("compression", compression, ("decibels", "log")),
            ("padding", padding, ("reflect", "zeros")),
        ):
            if value not in choices:
                raise ConfigError(f"frontend.{name}={value}: choose {' or '.join(choices)}")
        super().__init__()
        self.sample_rate, self.n_fft, self.hop_length, self.n_mels = sample_rate, n_fft, hop_length, n_mels
        self.settings = {
            "sample_rate": sample_rate,
            "n_fft": n_fft,
            "hop_length": hop_length,
            "n_mels": n_mels,
            "f_min": f_min,
            "f_max": f_max,
            "mel_scale": mel_scale,
            "mel_norm": mel_norm,
            "compression": compression,
            "padding": padding,
        }
        self.compress = to_decibels if compression == "decibels" else _log_compressed
        self.pad_mode = "reflect" if padding == "reflect" else "constant"
        self.mel = features.MelSpectrogram(
            sr=sample_rate,
            n_fft=n_fft,
            hop_length=hop_length,
            n_mels=n_mels,
            fmin=f_min,
            fmax=f_max,
            htk=mel_scale == "htk",
            norm=1 if mel_norm == "slaney" else None,
            pad_mode=self.pad_mode,
            verbose=False,
        )
        for module in self.mel.modules():
            for name, buffer in list(module.named_buffers(recurse=False)):
                module.register_buffer(name, buffer, persistent=False)

    def forward(self, waveform: Tensor) -> Tensor:
        """Compute the spectrogram.

        Args:
            waveform: (batch, samples), floating point in [-1, 1] or int16.

        Returns:
            (batch, 1, n_mels, samples // hop_length + 1) float32, in decibels or as `compression` says.
        """
        return decibels(waveform, self.power, n_fft=self.n_fft, hop_length=self.hop_length, compress=self.compress)

    def power(self, waveform: Tensor) -> Tensor:
        """Return the power spectrogram (batch, n_mels, frames) of a waveform (batch, samples)."""
        if waveform.device.type != "cpu":
            return self.mel(waveform)
        window = self.mel.stft.window_mask.flatten()
        spectrum = power_spectrum(waveform, self.n_fft, self.hop_length, window, padding=self.pad_mode)
        return self.mel.mel_basis @ spectrum

    def band_of(self, hertz: float) -> float:
        """Return the position of a frequency on the axis of bands, where 0 is the centre of the lowest band."""
        low, high = self.settings["f_min"], self.settings["f_max"]
        scale = _htk_mel if self.settings["mel_scale"] == "htk" else _slaney_mel
        mel, first, last = (scale(value) for value in (hertz, low, high))
        return (mel - first) / (last - first) * (self.n_mels + 1) - 1


def _log_compressed(power: Tensor) -> Tensor:
    """Return log10(10000 · power + 1), which is 0 in silence."""
    return torch.log10(_LOG_GAIN * power + 1)


def _htk_mel(hertz: float) -> float:
    return 2595 * math.log10(1 + hertz / 700)


def _slaney_mel(hertz: float) -> float:
    if hertz < _SLANEY_BREAK_HZ:
        return hertz / _SLANEY_STEP_HZ
    return _SLANEY_BREAK_HZ / _SLANEY_STEP_HZ + 27 * math.log(hertz / _SLANEY_BREAK_HZ) / math.log(6.4)
