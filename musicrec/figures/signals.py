"""Spectral roll-off and zero-crossing rate, with the definitions and defaults of librosa 0.11.

Frames have 2048 samples and a hop of 512 samples; frame i is centred on sample 512 · i.
"""

import numpy as np
import torch

FRAME_LENGTH, HOP_LENGTH = 2048, 512
_ZERO_THRESHOLD = 1e-10  # samples of a smaller magnitude count as zero, which is positive


def zero_crossing_rate(
    waveform: np.ndarray, *, frame_length: int = FRAME_LENGTH, hop_length: int = HOP_LENGTH
) -> np.ndarray:
    """Return the share of samples whose sign differs from that of the previous sample.

    A sine of f hertz has a rate of 2 f / sample_rate.

    Args:
        waveform: (samples,) floating point. It is padded with its first and last sample.
        frame_length: Length of a frame in samples.
        hop_length: Distance between frames in samples.

    Returns:
        (samples // hop_length + 1,): one share per frame.
    """
    padded = np.pad(waveform, frame_length // 2, mode="edge")
    negative = np.signbit(np.where(np.abs(padded) <= _ZERO_THRESHOLD, 0.0, padded))
    crossings = np.append(0, np.cumsum(negative[1:] != negative[:-1]))  # up to and including each sample
    starts = np.arange(0, len(waveform) // hop_length + 1) * hop_length
    return (crossings[starts + frame_length - 1] - crossings[starts]) / frame_length


def spectral_rolloff(
    waveform: np.ndarray,
    *,
    sample_rate: int,
    n_fft: int = FRAME_LENGTH,
    hop_length: int = HOP_LENGTH,
    share: float = 0.85,
) -> np.ndarray:
    """Return the frequency at or below which a share of the spectral magnitudes lies.

    Args:
        waveform: (samples,) floating point. It is padded with zeros.
        sample_rate: Samples per second.
        n_fft: Length of a frame in samples.
        hop_length: Distance between frames in samples.
        share: Share of the sum of the magnitudes of a frame.

    Returns:
        (samples // hop_length + 1,) Hz: the lowest such frequency of each frame; 0 in digital silence.
    """
    spectrum = torch.stft(
        torch.as_tensor(np.asarray(waveform, dtype=np.float32)),
        n_fft,
        hop_length=hop_length,
        window=torch.hann_window(n_fft),
        center=True,
        pad_mode="constant",
        return_complex=True,
    ).abs()
    sums = spectrum.double().cumsum(dim=0)
    bins = (sums >= share * sums[-1]).int().argmax(dim=0)  # the first bin that reaches the share
    return bins.numpy() * sample_rate / n_fft
