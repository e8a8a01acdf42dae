"""A map of the library: each track a point, and what sounds alike is near.

Some tracks, evenly chosen, are placed by t-SNE (van der Maaten & Hinton 2008). Every other track lies between those of
them that sound most like it, so that a library of any size takes seconds.
"""

import asyncio
from collections.abc import Hashable

import numpy as np

LANDMARKS = 1_500
_NEAREST = 5
_AT_ONCE = 4_096


def place_tracks(vectors: np.ndarray, *, landmarks: int = LANDMARKS) -> np.ndarray:
    """Return a place for each track; equal input gives equal places.

    Args:
        vectors: (tracks, size) float32 of unit length, how they sound; zeros if unknown.
        landmarks: How many are placed by t-SNE.

    Returns:
        (tracks, 2) float32 from 0 to 1.
    """
    count = len(vectors)
    if count < 3 or vectors.shape[1] < 1:
        return np.stack([np.linspace(0, 1, count), np.full(count, 0.5)], axis=1).astype(np.float32)
    chosen = np.unique(np.linspace(0, count - 1, min(count, landmarks)).astype(np.int64))
    anchors = vectors[chosen]
    placed = _tsne(anchors)
    places = np.empty((count, 2), np.float32)
    nearest = min(_NEAREST, len(chosen))
    for begin in range(0, count, _AT_ONCE):
        likeness = vectors[begin : begin + _AT_ONCE] @ anchors.T
        best = np.argpartition(-likeness, nearest - 1, axis=1)[:, :nearest]
        values = np.take_along_axis(likeness, best, axis=1)
        weights = np.exp(20 * (values - values.max(axis=1, keepdims=True)))
        weights /= weights.sum(axis=1, keepdims=True)
        places[begin : begin + _AT_ONCE] = (placed[best] * weights[:, :, None]).sum(axis=1)
    places[chosen] = placed
    spread = np.random.default_rng(0).normal(scale=0.004, size=places.shape).astype(np.float32)
    others = np.ones(count, dtype=bool)
    others[chosen] = False
    low, high = placed.min(axis=0), placed.max(axis=0)
    scaled = (places - low) / np.maximum(high - low, 1e-6)
    scaled[others] += spread[others]  # tracks with the same neighbours do not hide each other
    return np.clip(scaled, 0.0, 1.0)


def _tsne(vectors: np.ndarray) -> np.ndarray:
    from sklearn.decomposition import PCA  # here: it takes a second to import
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    begin = np.zeros((len(vectors), 2))
    if (vectors != vectors[0]).any():
        dimensions = min(2, *vectors.shape)
        begin[:, :dimensions] = PCA(dimensions, svd_solver="full").fit_transform(vectors)
        begin *= 1e-4 / begin[:, 0].std()
    perplexity = min(30.0, (len(vectors) - 1) / 3)
    made = TSNE(perplexity=perplexity, init=begin.astype(np.float32), max_iter=500, random_state=0, n_jobs=1)
    # Its steps are tiny: with several threads, which wait for each other, they take 40 times as long on a busy machine.
    with threadpool_limits(1):
        return np.asarray(made.fit_transform(vectors.astype(np.float32)), np.float32)


class TrackMaps:
    """The map of the library as it is sent; it is drawn again when the library has changed. It is for one event loop.

    Attributes:
        turn: Is held by whoever looks for the map or draws it, so that the vectors are in memory once.
    """

    def __init__(self) -> None:
        self.turn = asyncio.Lock()
        self._newest: tuple[Hashable, bytes] | None = None

    def known(self, version: Hashable) -> bytes | None:
        """Return the map of a library if it has been drawn."""
        newest = self._newest
        return newest[1] if newest is not None and newest[0] == version else None

    def keep(self, version: Hashable, content: bytes) -> None:
        """Keep the map of a library.

        Args:
            version: Of the library.
            content: What is sent.
        """
        self._newest = version, content
