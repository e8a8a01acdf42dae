"""Brightness: the centre of gravity of the spectrum."""

import numpy as np

from musicrec.descriptors.descriptor import Descriptor

BRIGHTNESS = Descriptor(
    name="brightness",
    unit="Hz",
    digits=0,
    low=600.0,
    high=2000.0,
    source="spectral centroid: Peeters, A large set of audio features for sound description, IRCAM 2004, section 6.1.1",
    meaning="Centre of gravity of the spectrum, up to 8 kHz; cymbals and distortion raise it.",
)


def brightness(centroids: np.ndarray) -> float | None:
    """Return the mean of the centroids of the audible frames in Hz; None if there are none.

    Args:
        centroids: (frames,) in Hz, from a `Spectrum`.
    """
    return float(centroids.mean()) if len(centroids) else None
