"""Functions that all front ends share: compression with padding and exact float32, and the power spectrum by FFT."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor

from musicrec.errors import ConfigError

INT16_SCALE = 2.0**-15
_OPERATIONS = (
    torch.backends.cudnn.conv,
    torch.backends.cuda.matmul,
    torch.backends.mkldnn.conv,
    torch.backends.mkldnn.matmul,
)
_lock, _users, _previous = threading.Lock(), list[int](), list[str]()  # of `_exact_float32`

POWER_FLOOR = 1e-10  # -100 dB, the level of digital silence


def check_hop(hop_length: int, n_fft: int) -> None:
    """Check that the hop is not longer than the window.

    Args:
        hop_length: Samples from one frame to the next.
        n_fft: Length of the window, in samples.

    Raises:
        ConfigError: If the hop is longer, so that samples between two windows would be ignored.
    """
    if hop_length > n_fft:
        raise ConfigError(
            f"frontend.hop_length={hop_length}: samples between two windows of frontend.n_fft={n_fft} samples would be "
            "ignored; use a shorter hop"
        )


def to_decibels(power: Tensor) -> Tensor:
    """Return 10·log10(power), at least -100 dB."""
    return 10.0 * torch.log10(power.clamp(min=POWER_FLOOR))


def decibels(
    waveform: Tensor,
    power: Callable[[Tensor], Tensor],
    *,
    n_fft: int,
    hop_length: float,
    compress: Callable[[Tensor], Tensor] = to_decibels,
) -> Tensor:
    """Compute the spectrogram of a batch of waveforms, in decibels unless told otherwise.

    Args:
        waveform: (batch, samples), floating point in [-1, 1] or int16. Input of half a window or less is padded with
            zeros.
        power: Computes the power spectrogram (batch, bands, frames) of a waveform (batch, samples) float32.
        n_fft: Length of the window, in samples.
        hop_length: Samples from one frame to the next.
        compress: Maps power to the values of the spectrogram.

    Returns:
        (batch, 1, bands, samples // hop_length + 1) float32; in decibels, at least -100 dB.

    Raises:
        ValueError: If the waveform has another shape or type.
    """
    waveform = to_floating_point(waveform)
    samples = waveform.shape[1]
    shortest = n_fft // 2 + 1  # the reflection at both ends needs more than half a window
    # Quiet bands are up to 100 dB below loud ones, so reduced precision could change them by 10 dB.
    with torch.autocast(waveform.device.type, enabled=False), _exact_float32():
        if torch.jit.is_tracing():  # a graph for waveforms that need no padding, and, if the front end can, any length
            return compress(power(waveform)).unsqueeze(1)
        spectrum = power(F.pad(waveform.float(), (0, max(0, shortest - samples))))
        spectrum = spectrum[..., : int(samples // hop_length) + 1]
        return compress(spectrum).unsqueeze(1)


def power_spectrum(
    waveform: Tensor, n_fft: int, hop_length: int, window: Tensor, bins: int | None = None, padding: str = "reflect"
) -> Tensor:
    """Compute the power spectrum with an FFT.

    Args:
        waveform: (batch, samples).
        n_fft: Length of the transform, in samples.
        hop_length: Samples from one frame to the next.
        window: (n_fft,).
        bins: Number of bins to keep, from the lowest; None for all n_fft // 2 + 1.
        padding: What the windows at both ends see beyond the waveform, as in `torch.nn.functional.pad`: "reflect" or
            "constant" (zeros).

    Returns:
        (batch, bins, frames).
    """
    if torch.jit.is_tracing():  # ONNX has no complex numbers
        padded = F.pad(waveform[:, None], (n_fft // 2, n_fft // 2), mode=padding)[:, 0]
        parts = torch.stft(padded, n_fft, hop_length, window=window, center=False, return_complex=False)
        return parts[:, :bins].square().sum(dim=3)
    transform = torch.stft(waveform, n_fft, hop_length, window=window, pad_mode=padding, return_complex=True)
    spectrum = transform[:, :bins]
    return spectrum.real.square() + spectrum.imag.square()


def to_floating_point(waveform: Tensor) -> Tensor:
    """Convert int16 to floating point. Raises ValueError for other integers, and for shapes but (batch, samples)."""
    if waveform.ndim != 2:
        raise ValueError(f"waveform must be (batch, samples), not {tuple(waveform.shape)}")
    if waveform.dtype == torch.int16:
        return waveform.float() * INT16_SCALE
    if not waveform.is_floating_point():
        raise ValueError(f"waveform must be floating point or int16, not {waveform.dtype}")
    return waveform


@contextmanager
def _exact_float32() -> Iterator[None]:
    """Compute matrix products and convolutions without TF32 or bfloat16, whatever the program allows elsewhere.

    The setting belongs to the process. Of several threads, the first one changes it and the last one restores it.
    """
    with _lock:
        if not _users:
            _previous[:] = [operation.fp32_precision for operation in _OPERATIONS]
            for operation in _OPERATIONS:
                operation.fp32_precision = "ieee"
        _users.append(threading.get_ident())
    try:
        yield
    finally:
        with _lock:
            _users.pop()
            if not _users:
                for operation, precision in zip(_OPERATIONS, _previous, strict=True):
                    operation.fp32_precision = precision
