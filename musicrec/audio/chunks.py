"""How a whole track is cut into the chunks that a network takes."""

import math

import numpy as np


def chunk_starts(length: int, chunk_samples: int, count: int | None = None) -> np.ndarray:
    """Where the chunks of a track begin: as few as cover it, evenly spread, the last ending where it ends.

    length: of the track, in samples. count: instead so many, a `count`-th of the room apart, from the beginning; that,
    with 16, is the rule of sota-music-tagging-models (Won et al. 2020), whose last chunk ends before the track does.
    Returns (chunks,) int64; one chunk, to be padded, for a track shorter than it.
    """
    if count is not None:
        hop = max(0, length - chunk_samples) // count
        return np.arange(count if hop else 1, dtype=np.int64) * hop
    count = max(1, math.ceil(length / chunk_samples))
    return np.linspace(0, max(0, length - chunk_samples), count).round().astype(np.int64)


def all_chunk_starts(
    lengths: np.ndarray, chunk_samples: int, count: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """`chunk_starts` of many tracks: the track, and the start, of every chunk, (chunks,) int64 each."""
    room = np.maximum(lengths - chunk_samples, 0)
    if count is not None:
        hops = room // count
        counts = np.where(hops > 0, count, 1)
    else:
        counts = np.maximum(1, -(-lengths // chunk_samples))
        hops = room / np.maximum(counts - 1, 1)
    tracks = np.repeat(np.arange(len(lengths)), counts)
    number = np.arange(len(tracks)) - np.repeat(np.cumsum(counts) - counts, counts)
    return tracks, (number * hops[tracks]).round().astype(np.int64)
