"""Diversity: an order in which each track is similar to the query, and not to those before it."""

import numpy as np


def diverse_order(scores: np.ndarray, vectors: np.ndarray, *, balance: float, k: int) -> np.ndarray:
    """Return the k tracks with maximal marginal relevance, in the order in which they were chosen.

    Each choice is the track with the highest `balance · score - (1 - balance) · similarity`, where the similarity is
    that to the nearest track chosen before (Carbonell & Goldstein 1998, "The use of MMR, diversity-based reranking",
    SIGIR). The first is the one with the highest score. Of equally good tracks, the first in the shortlist is chosen.

    Args:
        scores: (tracks,) similarity to the query, on the scale of the products of `vectors`.
        vectors: (tracks, size) float32, see `compared_vectors`.
        balance: λ, from 0, as different as possible, to 1, the order of the scores.
        k: Number of tracks to choose; fewer if there are fewer.

    Returns:
        (k,) rows of the shortlist.
    """
    relevance = balance * np.asarray(scores, dtype=np.float64)
    nearest = np.full(len(relevance), -np.inf)
    left = np.ones(len(relevance), dtype=bool)
    chosen: list[int] = []
    for place in range(min(k, len(relevance))):
        marginal = relevance - (1 - balance) * nearest if place else np.asarray(scores, dtype=np.float64)
        chosen.append(int(np.argmax(np.where(left, marginal, -np.inf))))
        left[chosen[-1]] = False
        np.maximum(nearest, vectors @ vectors[chosen[-1]], out=nearest)
    return np.array(chosen, dtype=np.int64)


def mean_distance(vectors: np.ndarray) -> float:
    """Return the mean of 1 - similarity over all pairs of tracks, NaN for fewer than two.

    Args:
        vectors: (tracks, size), see `compared_vectors`.
    """
    if len(vectors) < 2:
        return float("nan")
    pairs = np.triu_indices(len(vectors), 1)
    return float(1 - (vectors @ vectors.T)[pairs].mean())
