"""What front ends share: padding, exact float32, decibels, and the power spectrum by FFT."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor

from musicrec.errors import ConfigError

INT16_SCALE = 2.0**-15
POWER_FLOOR = 1e-10  # -100 dB: what digital silence becomes


def check_hop(hop_length: int, n_fft: int) -> None:
    """Raise ConfigError for a hop that is longer than the window: samples between two windows would not be heard."""
    if hop_length > n_fft:
        raise ConfigError(
            f"frontend.hop_length={hop_length}: what lies between two windows of frontend.n_fft={n_fft} samples "
            "would not be heard; give a shorter hop"
        )


def decibels(waveform: Tensor, power: Callable[[Tensor], Tensor], *, n_fft: int, hop_length: int) -> Tensor:
    """Decibels of a batch of waveforms.

    Args:
        waveform: (batch, samples), floating point in [-1, 1] or int16. Input of half a window or less is padded with
            zeros.
        power: (batch, samples) float32 to (batch, bands, frames).
        n_fft: window length in samples.
        hop_length: samples from one frame to the next.

    Returns:
        (batch, 1, bands, samples // hop_length + 1) float32, at least -100 dB.
    """
    waveform = _floating(waveform)
    samples = waveform.shape[1]
    shortest = n_fft // 2 + 1  # reflection at both ends needs more than half a window
    # Quiet bands lie 100 dB below loud ones: reduced precision would move them by 10 dB.
    with torch.autocast(waveform.device.type, enabled=False), _exact_float32():
        spectrum = power(F.pad(waveform.float(), (0, max(0, shortest - samples))))
        spectrum = spectrum[..., : samples // hop_length + 1]
        return 10.0 * torch.log10(spectrum.clamp(min=POWER_FLOOR)).unsqueeze(1)


def power_spectrum(waveform: Tensor, n_fft: int, hop_length: int, window: Tensor, bins: int | None = None) -> Tensor:
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
