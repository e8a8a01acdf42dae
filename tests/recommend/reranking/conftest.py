"""A small space of two blocks, in which every track has unit vectors."""

from dataclasses import dataclass

import numpy as np
import pytest

BLOCKS = {"tempo": (slice(0, 3), 1.0), "embedding": (slice(3, 13), 3.0)}


@dataclass(frozen=True, kw_only=True)
class Tracks:
    """Vectors of tracks, (tracks, 13), the weight of each dimension, and the weight of the blocks that each has."""

    vectors: np.ndarray
    weights: np.ndarray
    known_weight: np.ndarray

    def similarity(self, one: int, other: int) -> float:
        """The weighted mean of the cosines of the blocks that both have, one block after the other."""
        total = counted = 0.0
        for block, weight in BLOCKS.values():
            x, y = self.vectors[one, block].astype(float), self.vectors[other, block].astype(float)
            if x.any() and y.any():
                total += weight * float(x @ y)
                counted += weight
        return total / counted if counted else 0.0


@pytest.fixture
def tracks() -> Tracks:
    """Sixty tracks that share a direction more or less, so that some are hubs."""
    rng = np.random.default_rng(1)
    vectors = np.zeros((60, 13), np.float32)
    for block, _ in BLOCKS.values():
        drawn = rng.normal(size=(60, block.stop - block.start)) + rng.uniform(0, 2, size=(60, 1))
        vectors[:, block] = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    weights = np.zeros(13, np.float32)
    for block, weight in BLOCKS.values():
        weights[block] = weight
    return Tracks(vectors=vectors, weights=weights, known_weight=np.full(60, 4.0))
