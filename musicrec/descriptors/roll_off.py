"""Roll-off: the frequency below which most of the spectrum lies."""

import numpy as np

from musicrec.descriptors.descriptor import Descriptor

ROLL_OFF = Descriptor(
    name="roll_off",
    unit="Hz",
    digits=0,
    low=1050.0,
    high=4600.0,
    source="Peeters, A large set of audio features for sound description, IRCAM 2004, section 6.1.8; 85 % of the "
    "magnitude, as in librosa",
    meaning="Frequency below which 85 % of the spectrum lies, up to 8 kHz.",
)

SHARE = 0.85


def roll_off_frequencies(magnitudes: np.ndarray, frequencies_hz: np.ndarray) -> np.ndarray:
    """Return for each frame the first frequency at which 85 % of the magnitudes are reached.

    Args:
        magnitudes: (frames, bins).
        frequencies_hz: (bins,).

    Returns:
        (frames,) in Hz.
    """
    sums = np.cumsum(magnitudes, axis=1)
    return frequencies_hz[np.argmax(sums >= SHARE * sums[:, -1:], axis=1)]


def roll_off(frequencies_hz: np.ndarray) -> float | None:
    """Return the mean roll-off of the audible frames in Hz; None if there are none.

    Args:
        frequencies_hz: (frames,) from a `Spectrum`.
    """
    return float(frequencies_hz.mean()) if len(frequencies_hz) else None
