"""From waveform to decibels: the spectrograms that networks listen to, in mel bands or in bands of equal intervals.

Both give (batch, 1, n_mels, frames) and share `settings`, `sample_rate`, `hop_length`, `n_mels` and `band_of`.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from nnAudio import features
from torch import Tensor, nn

from musicrec.errors import ConfigError
from musicrec.quantities import Count, NotNegative, Positive

INT16_SCALE = 2.0**-15
POWER_FLOOR = 1e-10  # -100 dB: what digital silence becomes


class _Spectrogram(nn.Module):
    """What the front ends share: padding, precision, decibels. Each has its `power(waveform)`, (batch, n_mels, frames).

    others: the settings that are the front end's own.
    """

    def __init__(
        self, *, sample_rate: int, n_fft: int, hop_length: int, n_mels: int, others: dict[str, int | float]
    ) -> None:
        super().__init__()
        if hop_length > n_fft:
            raise ConfigError(
                f"frontend.hop_length={hop_length}: what lies between two windows of frontend.n_fft={n_fft} samples "
                "would not be heard; give a shorter hop"
            )
        self.sample_rate, self.n_fft, self.hop_length, self.n_mels = sample_rate, n_fft, hop_length, n_mels
        shared = {"sample_rate": sample_rate, "n_fft": n_fft, "hop_length": hop_length, "n_mels": n_mels}
        self.settings = shared | others

    def forward(self, waveform: Tensor) -> Tensor:
        """Decibels of a batch of waveforms.

        Args:
            waveform: (batch, samples), floating point in [-1, 1] or int16. Input of half a window or less is
                padded with zeros.

        Returns:
            (batch, 1, n_mels, samples // hop_length + 1) float32, at least -100 dB.
        """
        waveform = _floating(waveform)
        samples = waveform.shape[1]
        shortest = self.n_fft // 2 + 1  # reflection at both ends needs more than half a window
        # Quiet bands lie 100 dB below loud ones: reduced precision would move them by 10 dB.
        with torch.autocast(waveform.device.type, enabled=False), _exact_float32():
            power = self.power(F.pad(waveform.float(), (0, max(0, shortest - samples))))
            power = power[..., : samples // self.hop_length + 1]
            return 10.0 * torch.log10(power.clamp(min=POWER_FLOOR)).unsqueeze(1)


class MelSpectrogram(_Spectrogram):
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
        others = {"f_min": f_min, "f_max": f_max}
        super().__init__(sample_rate=sample_rate, n_fft=n_fft, hop_length=hop_length, n_mels=n_mels, others=others)
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

    def power(self, waveform: Tensor) -> Tensor:
        """(batch, n_mels, frames) of a waveform (batch, samples)."""
        if waveform.device.type != "cpu":
            return self.mel(waveform)
        window = self.mel.stft.window_mask.flatten()
        return self.mel.mel_basis @ _power_spectrum(waveform, self.n_fft, self.hop_length, window)

    def band_of(self, hertz: float) -> float:
        """The place of a frequency among the bands; 0 is the centre of the lowest."""
        low, high = self.settings["f_min"], self.settings["f_max"]
        mel, first, last = (2595 * math.log10(1 + value / 700) for value in (hertz, low, high))
        return (mel - first) / (last - first) * (self.n_mels + 1) - 1


class LogFrequencySpectrogram(_Spectrogram):
    """Spectrogram in decibels whose bands lie at equal musical intervals, so that a transposition moves it up or down.

    As the input of Korzeniowski and Widmer 2018, "Genre-agnostic key classification with convolutional neural
    networks": triangles on one Fourier transform. Where bands lie closer than the bins of the transform, a triangle is
    as wide as a bin. Computed by FFT, which costs a fraction of nnAudio's convolutions with long windows, and in
    float32. It holds nothing to train or to save.

    Args:
        sample_rate: in hertz.
        n_fft: window and transform length in samples.
        hop_length: samples from one frame to the next.
        n_mels: how many bands; the name is that of `MelSpectrogram`, as networks ask for it.
        f_min: centre of the lowest band in hertz.
        bands_per_octave: of the centres.

    Raises:
        ConfigError: the highest band lies above half the sample rate.
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
        others = {"f_min": f_min, "bands_per_octave": bands_per_octave}
        super().__init__(sample_rate=sample_rate, n_fft=n_fft, hop_length=hop_length, n_mels=n_mels, others=others)
        centres = f_min * 2 ** (torch.arange(n_mels, dtype=torch.float64) / bands_per_octave)
        if not 0 < f_min <= centres[-1] <= sample_rate / 2:
            raise ConfigError(
                f"n_mels={n_mels}: from f_min={f_min} with bands_per_octave={bands_per_octave} they reach up to "
                f"{float(centres[-1]):.0f} Hz, and must stay within half of sample_rate={sample_rate}"
            )
        bin_hz = sample_rate / n_fft
        width = (centres * (2 ** (1 / bands_per_octave) - 1)).clamp(min=bin_hz)
        bins = torch.arange(n_fft // 2 + 1, dtype=torch.float64) * bin_hz
        triangles = (1 - (bins - centres[:, None]).abs() / width[:, None]).clamp(min=0)
        triangles /= triangles.sum(dim=1, keepdim=True)
        self.used_bins = int(triangles.any(dim=0).nonzero().max()) + 1
        window = torch.hann_window(n_fft, dtype=torch.float64)
        # A full-scale sine has 0 dB in the bin it falls in.
        self.register_buffer("window", (2 * window / window.sum()).float(), persistent=False)
        self.register_buffer("triangles", triangles[:, : self.used_bins].float(), persistent=False)

    def power(self, waveform: Tensor) -> Tensor:
        """(batch, n_mels, frames) of a waveform (batch, samples)."""
        return self.triangles @ _power_spectrum(waveform, self.n_fft, self.hop_length, self.window, self.used_bins)

    def band_of(self, hertz: float) -> float:
        """The place of a frequency among the bands; 0 is the centre of the lowest."""
        return self.settings["bands_per_octave"] * math.log2(hertz / self.settings["f_min"])


def _power_spectrum(waveform: Tensor, n_fft: int, hop_length: int, window: Tensor, bins: int | None = None) -> Tensor:
    """(batch, bins, frames) of a waveform (batch, samples) that is reflected at both ends, by FFT.

    bins: how many, from the lowest; None for all n_fft // 2 + 1.
    """
    spectrum = torch.stft(waveform, n_fft, hop_length, window=window, return_complex=True)[:, :bins]
    return spectrum.real.square() + spectrum.imag.square()


def _floating(waveform: Tensor) -> Tensor:
    """(batch, samples) as floating point. Raises ValueError for another shape and for integers other than int16."""
    if waveform.ndim != 2:
        raise ValueError(f"waveform must be (batch, samples), not {tuple(waveform.shape)}")
    if waveform.dtype == torch.int16:
        return waveform.float() * INT16_SCALE
    if not waveform.is_floating_point():
        raise ValueError(f"waveform must be floating point or int16, not {waveform.dtype}")
    return waveform


Frontend = MelSpectrogram | LogFrequencySpectrogram


@contextmanager
def _exact_float32() -> Iterator[None]:
    """Matrix products and convolutions without TF32 or bfloat16 shortcuts, whatever the program allows elsewhere."""
    backends = torch.backends
    operations = (backends.cudnn.conv, backends.cuda.matmul, backends.mkldnn.conv, backends.mkldnn.matmul)
    allowed = [operation.fp32_precision for operation in operations]
    try:
        for operation in operations:
            operation.fp32_precision = "ieee"
        yield
    finally:
        for operation, precision in zip(operations, allowed, strict=True):
            operation.fp32_precision = precision
