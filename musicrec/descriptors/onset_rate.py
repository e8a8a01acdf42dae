"""Onset rate: how many notes and beats begin per second."""

import numpy as np

from musicrec.descriptors.descriptor import Descriptor
from musicrec.descriptors.spectrum import FRAME_S

ONSET_RATE = Descriptor(
    name="onset_rate",
    unit="/s",
    digits=1,
    low=1.7,
    high=6.8,
    source="spectral flux of Böck, Krebs and Schedl, Evaluating the online capabilities of onset detection methods, "
    "ISMIR 2012",
    meaning="How many notes or beats begin per second; notes that begin together count once.",
)

_COMPRESSION = 10.0  # of magnitudes relative to the mean of the track
_BEFORE_S, _AFTER_S = 0.1, 0.1  # the mean flux that a peak is compared with
_PEAK_S = 0.04  # a peak is the highest flux this far to both sides
_THRESHOLD = 2.0  # the count is right on average, and F is .93 within 50 ms, on rendered notes (docs/descriptors.md)


def onset_times(bands: np.ndarray, frame_rate: float) -> np.ndarray:
    """Return the times at which notes begin, in seconds.

    The logarithm of each band is compared with the frame before; what is louder is summed up. A frame is an onset if
    this flux is the highest within 40 ms and above the mean of its surroundings by a threshold. Magnitudes are relative
    to the mean of the track, so the level of the recording does not matter.

    Args:
        bands: (frames, bands) magnitudes, from a `Spectrum`.
        frame_rate: Frames per second.

    Returns:
        (onsets,) in seconds, ascending.
    """
    mean = float(bands.mean())
    if mean < 1e-7 or len(bands) < 3:
        return np.zeros(0)
    logarithms = np.log1p(bands * np.float32(_COMPRESSION / mean))
    flux = np.maximum(np.diff(logarithms, axis=0), 0).sum(axis=1)
    flux = np.concatenate([logarithms[:1].sum(axis=1), flux])
    reach = max(1, round(_PEAK_S * frame_rate))
    padded = np.pad(flux, reach)
    highest = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1).max(axis=1)
    before, after = round(_BEFORE_S * frame_rate), round(_AFTER_S * frame_rate)
    sums = np.concatenate([[0.0], np.cumsum(flux, dtype=np.float64)])
    at = np.arange(len(flux))
    first, stop = np.maximum(at - before, 0), np.minimum(at + after + 1, len(flux))
    means = (sums[stop] - sums[first]) / (stop - first)
    onsets = np.flatnonzero((flux == highest) & (flux > means + _THRESHOLD))
    return onsets / frame_rate + FRAME_S / 2


def onset_rate(bands: np.ndarray, frame_rate: float, duration_s: float) -> float:
    """Return the number of onsets per second; 0 for silence.

    Args:
        bands: As in `onset_times`.
        frame_rate: As in `onset_times`.
        duration_s: Length of the track in seconds.
    """
    return len(onset_times(bands, frame_rate)) / duration_s
