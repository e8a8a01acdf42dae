"""Filtering in the frequency domain, padded so that the end of an example does not wrap to its beginning."""

from collections.abc import Callable

import torch
from scipy.fft import next_fast_len
from torch import Tensor


def filtered(waveform: Tensor, sample_rate: int, response: Callable[[Tensor], Tensor]) -> Tensor:
    """Multiply the spectrum of a batch by a frequency response. A real response causes no delay.

    Args:
        waveform: (batch, samples).
        sample_rate: In hertz.
        response: Maps frequencies (bins,) in hertz to gains, (bins,) or (batch, bins).
    """
    samples = waveform.shape[1]
    size = next_fast_len(samples + sample_rate // 4, real=True)  # silence for the filter to ring into
    frequencies = torch.fft.rfftfreq(size, 1 / sample_rate, device=waveform.device)
    spectrum = torch.fft.rfft(waveform, n=size) * response(frequencies)
    return torch.fft.irfft(spectrum, n=size)[:, :samples]


def low_pass_gain(frequencies: Tensor, cutoff_hz: Tensor, *, order: int) -> Tensor:
    """Return the magnitude of a Butterworth low-pass: -3 dB at cutoff_hz, then 6 dB × order per octave down."""
    return (1 + (frequencies / cutoff_hz) ** (2 * order)) ** -0.5


def high_pass_gain(frequencies: Tensor, cutoff_hz: Tensor, *, order: int) -> Tensor:
    """Return the magnitude of a Butterworth high-pass: -3 dB at cutoff_hz, 6 dB × order per octave down below it."""
    return (1 + (cutoff_hz / frequencies.clamp(min=1e-3)) ** (2 * order)) ** -0.5
