"""One spectrum that several descriptors share."""

from dataclasses import dataclass

import numpy as np

from musicrec.descriptors.roll_off import roll_off_frequencies

FRAME_S, HOP_S = 0.032, 0.02
EVERY = 3  # of the frames, for the centroid and the roll-off: one each 60 ms
BANDS = 24
_AUDIBLE = 1e-3  # sum of the magnitudes of a sine of -60 dBFS
_BATCH = 512  # frames; their spectra stay in the cache of the processor
_LOWEST_HZ = 60.0


@dataclass(frozen=True)
class Spectrum:
    """What is kept of the spectrum of a track.

    Attributes:
        bands: (frames, bands) float32, magnitude per frame of 20 ms in bands of equal width on the mel scale.
        centroids: (frames,) in Hz, of every third frame, where it is not silent.
        roll_offs: (frames,) in Hz, likewise.
        frame_rate: Frames of `bands` per second.
    """

    bands: np.ndarray
    centroids: np.ndarray
    roll_offs: np.ndarray
    frame_rate: float


def spectrum_of(waveform: np.ndarray, sample_rate: int) -> Spectrum:
    """Compute the spectrum in Hann windows of 32 ms, one each 20 ms.

    A waveform that is shorter than a window is padded with zeros.

    Args:
        waveform: (samples,) float32 in [-1, 1].
        sample_rate: In Hz.
    """
    from scipy.fft import rfft, rfftfreq  # twice as fast as NumPy's

    size, hop = round(FRAME_S * sample_rate), round(HOP_S * sample_rate)
    if len(waveform) < size:
        waveform = np.pad(waveform, (0, size - len(waveform)))
    frequencies = rfftfreq(size, 1 / sample_rate).astype(np.float32)
    # A sine of amplitude 1 has magnitudes of the sum 1.
    window = (np.hanning(size + 1)[:-1] * 2 / size).astype(np.float32)
    columns = np.column_stack([_mel_bands(frequencies), frequencies, np.ones_like(frequencies)]).astype(np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(waveform, size)[::hop]
    bands, centroids, roll_offs = [], [], []
    for first in range(0, len(frames), _BATCH * EVERY):
        magnitudes = np.abs(rfft(frames[first : first + _BATCH * EVERY] * window, axis=1))
        sums = magnitudes @ columns
        bands.append(sums[:, :-2])
        kept = np.flatnonzero(sums[::EVERY, -1] > _AUDIBLE) * EVERY
        centroids.append(sums[kept, -2] / sums[kept, -1])
        roll_offs.append(roll_off_frequencies(magnitudes[kept], frequencies))
    return Spectrum(np.concatenate(bands), np.concatenate(centroids), np.concatenate(roll_offs), sample_rate / hop)


def _mel_bands(frequencies: np.ndarray) -> np.ndarray:
    """Return the weights of triangular bands on the HTK mel scale, (bins, bands)."""
    mel = 2595 * np.log10(1 + frequencies / 700)
    edges = np.linspace(2595 * np.log10(1 + _LOWEST_HZ / 700), mel[-1], BANDS + 2)
    rising = (mel[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - mel[:, None]) / (edges[2:] - edges[1:-1])
    return np.maximum(0.0, np.minimum(rising, falling))
