"""Chunk positions: where to cut a whole track into the chunks that a network takes."""

import math

import numpy as np


def chunk_starts(length: int, chunk_samples: int, count: int | None = None) -> np.ndarray:
    """Return the start of every chunk of a track.

    By default, as few chunks as cover the track are spread evenly over it; the last one ends where the track ends.

    Args:
        length: Length of the track in samples.
        chunk_samples: Length of a chunk in samples.
        count: Take this number of chunks instead, starting at multiples of `(length - chunk_samples) // count`. With
            16, this is the rule of sota-music-tagging-models (Won et al. 2020). Its last chunk ends before the track.

    Returns:
        Starts in samples, (chunks,) int64. A track shorter than a chunk has one chunk, which the caller must pad.
    """
    if count is not None:
        hop = max(0, length - chunk_samples) // count
        return np.arange(count if hop else 1, dtype=np.int64) * hop
    count = max(1, math.ceil(length / chunk_samples))
    return np.linspace(0, max(0, length - chunk_samples), count).round().astype(np.int64)


def all_chunk_starts(
    lengths: np.ndarray, chunk_samples: int, count: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Apply `chunk_starts` to many tracks at once.

    Args:
        lengths: Lengths of the tracks in samples, (tracks,) int.
        chunk_samples: As in `chunk_starts`.
        count: As in `chunk_starts`.

    Returns:
        The index of the track and the start in samples of every chunk, (chunks,) int64 each.
    """
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
