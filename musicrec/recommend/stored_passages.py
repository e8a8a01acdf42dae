"""Passages as a library stores them: projected to a few dimensions, one byte for each.

The projection is the same for all libraries, so that passages need not be stored again when a library grows: the sign
of each dimension is changed or not, and of the cosine transform of the result, as many evenly spaced terms are kept as
are wanted. It keeps distances about as well as a projection on random directions (Ailon & Chazelle 2006, "Approximate
nearest neighbors and the fast Johnson-Lindenstrauss transform").
"""

import hashlib
import struct
from dataclasses import replace
from functools import lru_cache

import numpy as np

from musicrec.errors import LibraryError
from musicrec.export.passages import END_S, Passages

SIZE = 64
"""Most dimensions of a stored passage."""
_HEADER = struct.Struct("<HHf")  # passages, dimensions, and what a stored number of 1 stands for
_MOST = 127


@lru_cache(maxsize=8)
def projection(size: int) -> np.ndarray | None:
    """Return the projection of embeddings, (size, SIZE) float32 with orthogonal columns; None if none is needed."""
    if size <= SIZE:
        return None
    coins = np.frombuffer(hashlib.shake_256(b"passages").digest(-(-size // 8)), np.uint8)
    signs = 1.0 - 2.0 * np.unpackbits(coins)[:size]
    terms = np.linspace(1, size - 1, SIZE).round()  # without the constant one
    angles = np.pi / size * (np.arange(size)[:, None] + 0.5) * terms
    return (np.sqrt(2 / size) * signs[:, None] * np.cos(angles)).astype(np.float32)


def projected(passages: Passages) -> Passages:
    """Return passages as they are compared, with at most `SIZE` dimensions."""
    matrix = projection(passages.values.shape[1])
    if matrix is None:
        return passages
    return replace(passages, values=passages.values @ matrix)


def to_bytes(passages: Passages) -> bytes:
    """Return passages as a library stores them; they are projected first."""
    kept = projected(passages)
    unit = float(np.abs(kept.values).max(initial=0)) / _MOST or 1.0
    numbers = np.rint(kept.values / np.float32(unit)).clip(-_MOST, _MOST).astype(np.int8)
    times = np.stack([kept.start_s, kept.end_s]).astype("<f4")
    return _HEADER.pack(*kept.values.shape, unit) + times.tobytes() + numbers.tobytes()


def from_bytes(stored: bytes) -> Passages:
    """Read what `to_bytes` returned, as passages to compare.

    Raises:
        LibraryError: It is damaged.
    """
    try:
        count, size, unit = _HEADER.unpack_from(stored)
        times = np.frombuffer(stored, "<f4", 2 * count, _HEADER.size).astype(np.float32)
        numbers = np.frombuffer(stored, np.int8, count * size, _HEADER.size + times.nbytes)
    except (struct.error, ValueError) as error:
        raise LibraryError(f"the passages of a track are damaged ({error}); index again") from None
    values = numbers.reshape(count, size).astype(np.float32) * np.float32(unit)
    return Passages(values=values, start_s=times[:count], end_s=times[count:])


def from_ends(stored: bytes, duration_s: float) -> Passages:
    """Read the passages of formats before 7, as passages to compare: the first and the last 30 s of a track.

    Args:
        stored: (2, size) float16.
        duration_s: Length of the track in seconds.
    """
    values = np.frombuffer(stored, "<f2").astype(np.float32).reshape(2, -1)
    if not values.size or not np.isfinite(values).all():
        return Passages.none()
    starts = np.array([0, max(0.0, duration_s - END_S)], np.float32)
    ends = np.array([min(END_S, duration_s), duration_s], np.float32)
    return projected(Passages(values=values, start_s=starts, end_s=ends, only_ends=True))


def stored_form(stored: bytes | None, ends: bytes | None, duration_s: float) -> Passages:
    """Return the passages of a recording, as passages to compare; none if they are unknown.

    Args:
        stored: What `to_bytes` returned; None if it is unknown.
        ends: What a library of a format before 7 knew instead; None if nothing.
        duration_s: Length of the track in seconds.
    """
    if stored is not None:
        return from_bytes(stored)
    return Passages.none() if ends is None else from_ends(ends, duration_s)
