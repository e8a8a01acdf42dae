"""A constant-Q spectrogram: every band is heard through a window of the same number of periods."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from scipy.fft import next_fast_len
from torch import Tensor, nn

from musicrec.config.number_types import Count, Positive
from musicrec.errors import ConfigError
from musicrec.models.frontends.decibels import decibels

_PASS_BAND = 0.85  # of the frequencies up to half the sample rate: what is used of an octave at a lower rate
_TAIL = 48  # samples at a lower rate by which interpolation makes a kernel longer, on each side
_STARTS_PER_FRAME = 16  # samples per frame that a lower rate keeps: windows start at the nearest one


class ConstantQSpectrogram(nn.Module):
    """Spectrogram in decibels with bands at equal musical intervals, and windows that are shorter for higher bands.

    The constant-Q transform of Brown 1991, "Calculation of a constant Q spectral transform", with Hann windows. Low
    octaves are computed at lower sample rates, as in Schörkhuber and Klapuri 2010, "Constant-Q transform toolbox for
    music processing". The values are those of nnAudio's `VQT` with gamma=0, whose bands get louder towards low
    frequencies, though, by 3 dB per octave. Unlike there, the frames need not be a whole number of samples apart, so
    that the frame rate of another sample rate can be kept. The computation is in float32. There is nothing to train or
    to save: the `state_dict` is empty.

    Args:
        sample_rate: Sample rate of the waveforms, in hertz.
        frame_rate: Frames per second. The default is that of 512 samples at 22,050 Hz.
        n_mels: Number of bands. The name is that of `MelSpectrogram`, because networks expect it.
        f_min: Centre of the lowest band, in hertz.
        bands_per_octave: Number of bands per octave.

    Attributes:
        hop_length: Samples from one frame to the next, rounded to a whole number.
        n_fft: Length of the longest window, in samples.

    Raises:
        ConfigError: If the highest band is above half the sample rate, or if there are more frames than samples.
    """

    def __init__(
        self,
        *,
        sample_rate: Count = 16_000,
        frame_rate: Positive = 22_050 / 512,
        n_mels: Count = 84,
        f_min: Positive = 27.5,
        bands_per_octave: Count = 12,
    ) -> None:
        super().__init__()
        self.settings = {
            "sample_rate": sample_rate,
            "frame_rate": frame_rate,
            "n_mels": n_mels,
            "f_min": f_min,
            "bands_per_octave": bands_per_octave,
        }
        periods = 1 / (2 ** (1 / bands_per_octave) - 1)  # in a window
        centres = [f_min * 2 ** (band / bands_per_octave) for band in range(n_mels)]
        if centres[-1] * (1 + 1 / periods) > sample_rate / 2:
            raise ConfigError(
                f"n_mels={n_mels}: from f_min={f_min} with bands_per_octave={bands_per_octave}, the bands reach up to "
                f"{centres[-1] * (1 + 1 / periods):.0f} Hz, which is above half of sample_rate={sample_rate}"
            )
        if frame_rate > sample_rate:
            raise ConfigError(
                f"frontend.frame_rate={frame_rate}: is above frontend.sample_rate={sample_rate}; give the frames per "
                "second, such as 43"
            )
        self.sample_rate, self.n_mels, self._hop = sample_rate, n_mels, sample_rate / frame_rate
        self.hop_length = round(self._hop)
        self._decimations: list[int] = []  # of the groups of bands, from the lowest: 1 is the rate of the waveform
        self.n_fft = 2
        for first in range(0, n_mels, bands_per_octave):
            group = centres[first : first + bands_per_octave]
            decimation = 1
            while (
                group[-1] * (1 + 1 / periods) <= _PASS_BAND * sample_rate / (4 * decimation)
                and self._hop / (2 * decimation) >= _STARTS_PER_FRAME
            ):
                decimation *= 2
            kernels = _kernels(group, periods=periods, sample_rate=sample_rate / decimation)
            self.register_buffer(f"kernels_{len(self._decimations)}", kernels.float(), persistent=False)
            self._decimations.append(decimation)
            self.n_fft = max(self.n_fft, decimation * kernels.shape[1])

    def forward(self, waveform: Tensor) -> Tensor:
        """Compute the spectrogram in decibels. A sine of full scale has 0 dB in its band.

        Args:
            waveform: (batch, samples), floating point in [-1, 1] or int16.

        Returns:
            (batch, 1, n_mels, samples * frame_rate // sample_rate + 1) float32.
        """
        return decibels(waveform, self.power, n_fft=self.n_fft, hop_length=self._hop)

    def power(self, waveform: Tensor) -> Tensor:
        """Return the power spectrogram (batch, n_mels, frames) of a waveform (batch, samples)."""
        if torch.jit.is_tracing():
            return self._power_without_fft(waveform)
        middles = torch.arange(int(waveform.shape[1] // self._hop) + 1, device=waveform.device) * self._hop
        margin = self.n_fft // 2
        lowest_rate = max(self._decimations)
        padded = F.pad(waveform[:, None], (margin, margin), mode="reflect")[:, 0]
        size = 2 * lowest_rate * next_fast_len(math.ceil(padded.shape[1] / (2 * lowest_rate)))
        spectrum = torch.fft.rfft(padded, n=size)
        at_rates = {1: padded}
        powers = []
        for group, decimation in enumerate(self._decimations):
            if decimation not in at_rates:
                low = spectrum[:, : size // decimation // 2 + 1]
                at_rates[decimation] = torch.fft.irfft(low, n=size // decimation) / decimation
            kernels = getattr(self, f"kernels_{group}")
            length = kernels.shape[1]
            starts = ((middles + margin) / decimation - length // 2).round().long()
            windows = at_rates[decimation].unfold(1, length, 1)[:, starts]
            parts = (windows @ kernels.T).unflatten(2, (2, -1))  # real and imaginary
            powers.append(parts.square().sum(dim=2))
        return torch.cat(powers, dim=2).transpose(1, 2)

    def _power_without_fft(self, waveform: Tensor) -> Tensor:
        """Return the same power for a graph of waveforms of one length, as ONNX has no exact FFT of such lengths.

        Lowering the rate and filtering are one filter at the rate of the waveform: the interpolated kernel. What is
        computed here in NumPy are constants of the graph.
        """
        middles = np.arange(int(int(waveform.shape[1]) // self._hop) + 1, dtype=np.float32) * np.float32(self._hop)
        zero = (waveform[:1, :1] * 0).long()  # makes places something to compute, instead of constants of 100 MB
        beyond = _TAIL * max(self._decimations)
        padded = F.pad(waveform[:, None], (self.n_fft // 2, self.n_fft // 2), mode="reflect")[:, 0]
        padded = F.pad(padded, (beyond, beyond))
        powers = []
        for group, decimation in enumerate(self._decimations):
            kernels = getattr(self, f"kernels_{group}").cpu().numpy().astype(np.float64)
            tail = _TAIL if decimation > 1 else 0
            starts = (middles + np.float32(self.n_fft // 2)) / np.float32(decimation) - kernels.shape[1] // 2
            starts = np.round(starts).astype(np.int64) - tail
            kernels = np.pad(kernels, ((0, 0), (tail, tail)))
            kernels = np.fft.irfft(np.fft.rfft(kernels), n=kernels.shape[1] * decimation)
            filters = torch.from_numpy(kernels.T.astype(np.float32)).to(waveform.device)
            first = torch.from_numpy(starts * decimation + beyond).to(waveform.device)
            places = first[:, None] + zero + torch.arange(len(filters), device=waveform.device)
            windows = padded.index_select(1, places.flatten()).reshape(-1, len(starts), len(filters))
            parts = windows @ filters
            bands = filters.shape[1] // 2
            powers.append(parts[..., :bands].square() + parts[..., bands:].square())
        return torch.cat(powers, dim=2).transpose(1, 2)

    def band_of(self, hertz: float) -> float:
        """Return the position of a frequency on the axis of bands, where 0 is the centre of the lowest band."""
        return self.settings["bands_per_octave"] * math.log2(hertz / self.settings["f_min"])


def _kernels(centres: list[float], *, periods: float, sample_rate: float) -> Tensor:
    """Return the real parts, then the imaginary parts of the filters of some bands, (2 * bands, length) float64.

    A sine of full scale has magnitude 1 in its band. All filters have their middle at `length // 2`.
    """
    lengths = [math.ceil(periods * sample_rate / hertz) for hertz in centres]
    length = max(lengths) + max(lengths) % 2
    kernels = torch.zeros(2, len(centres), length, dtype=torch.float64)
    for band, (hertz, own) in enumerate(zip(centres, lengths, strict=True)):
        window = torch.hann_window(own, dtype=torch.float64)
        phase = (torch.arange(own) - own // 2) * (2 * math.pi * hertz / sample_rate)
        start = length // 2 - own // 2
        waves = torch.stack([phase.cos(), -phase.sin()])
        kernels[:, band, start : start + own] = 2 * window / window.sum() * waves
    return kernels.flatten(0, 1)
