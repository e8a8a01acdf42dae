"""Spectral roll-off and zero-crossing rate as librosa 0.11 defines them, with its defaults: frames of 2048 samples, 512
apart, so that frame i is centred on sample 512 · i."""

import numpy as np
import torch

FRAME_LENGTH, HOP_LENGTH = 2048, 512
_ZERO = 1e-10  # what is quieter counts as zero, which is positive


def zero_crossing_rate(
    waveform: np.ndarray, *, frame_length: int = FRAME_LENGTH, hop_length: int = HOP_LENGTH
) -> np.ndarray:
    """(samples // hop_length + 1,): the share of the samples of each frame whose sign is not that of the sample before.

    waveform: (samples,) floating point. Before and after it its first and last sample go on. A sine of f hertz has a
    rate of 2 f / sample_rate.
    """
    padded = np.pad(waveform, frame_length // 2, mode="edge")
    negative = np.signbit(np.where(np.abs(padded) <= _ZERO, 0.0, padded))
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
    """(samples // hop_length + 1,) Hz: below it lies `share` of the sum of each frame's spectral magnitudes.

    waveform: (samples,) floating point. It is the lowest frequency of the transform for which that holds, and 0 in
    digital silence.
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
    bins = (sums >= share * sums[-1]).int().argmax(dim=0)  # the first
    return bins.numpy() * sample_rate / n_fft
