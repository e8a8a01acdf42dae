"""The outline of a waveform, as players draw it."""

import numpy as np

PEAKS = 1500
"""Number of values per track: more than a screen shows, few enough to send with every track."""


def peaks_of(waveform: np.ndarray, count: int = PEAKS) -> np.ndarray:
    """Return the largest amplitude in each of many equal stretches of a track.

    Args:
        waveform: (samples,) float32 in [-1, 1]; at least one sample.
        count: Number of stretches. A waveform with fewer samples repeats them.

    Returns:
        (count,) uint8, of which 255 is an amplitude of 1.
    """
    starts = np.arange(count, dtype=np.int64) * len(waveform) // count
    highest, lowest = np.maximum.reduceat(waveform, starts), np.minimum.reduceat(waveform, starts)
    return np.round(np.clip(np.maximum(highest, -lowest), 0.0, 1.0) * 255).astype(np.uint8)
