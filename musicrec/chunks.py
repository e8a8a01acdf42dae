"""How a whole track is cut into the chunks that a network takes."""

import math

import numpy as np


def chunk_starts(length: int, chunk_samples: int) -> np.ndarray:
    """Where the chunks of a track begin: as few as cover it, evenly spread, the last ending where it ends.

    length: of the track, in samples. Returns (chunks,) int64; one chunk, to be padded, for a track shorter than it.
    """
    count = max(1, math.ceil(length / chunk_samples))
    return np.linspace(0, max(0, length - chunk_samples), count).round().astype(np.int64)
