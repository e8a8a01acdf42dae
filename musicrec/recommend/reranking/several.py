"""Several queries at once: tracks to be like, tracks to be unlike, and a playlist to continue.

The sum of the queries' vectors (Rocchio 1971, "Relevance feedback in information retrieval") finds what lies between
them. If they differ, that is like none of them. So the similarities are combined instead, by a soft maximum: a track is
wanted if it is like one of the queries, and a little more so if it is like several.

A query with common features is similar to everything, and would win against one with rare features. So a similarity is
measured in standard deviations above the mean of the query's similarities to the library, before it is compared with
that of another query.
"""

from dataclasses import dataclass

import numpy as np

from musicrec.recommend.reranking.hubs import LEAST_DEVIATION, Spread


@dataclass(frozen=True, kw_only=True)
class Queries:
    """Some queries, and how similar the candidates are to each.

    Attributes:
        similarity: (tracks, queries).
        spread: How similar each query is to the tracks of the library, (queries,).
        weights: (queries,) how much each counts, above 0; None for 1.
    """

    similarity: np.ndarray
    spread: Spread
    weights: np.ndarray | None = None

    def standing(self) -> np.ndarray:
        """Return the similarities in standard deviations above the mean of each query, (tracks, queries)."""
        return (self.similarity - self.spread.mean) / np.maximum(self.spread.deviation, LEAST_DEVIATION)

    def given_weights(self) -> np.ndarray:
        """Return the weights, (queries,)."""
        if self.weights is None:
            return np.ones(self.similarity.shape[1])
        return np.asarray(self.weights, dtype=np.float64)


def combined_similarity(
    alike: Queries, unlike: Queries | None = None, *, sharpness: float = 1.0, avoidance: float = 4.0
) -> np.ndarray:
    """Return one similarity to several queries.

    It has the scale of a similarity to one query. With a single query that is to be like, it is the similarity to that.

    Args:
        alike: The tracks to be like, at least one.
        unlike: The tracks to be unlike. A candidate that is closer to one of them than to those in `alike` loses by how
            much it is closer, times `avoidance` and the weight of that track. Others lose nothing.
        sharpness: From 0, the mean over the queries, to large values, the maximum.
        avoidance: How much a candidate loses for being closer to an unlike track.

    Returns:
        (tracks,) float64.
    """
    weights = alike.given_weights() / alike.given_weights().sum()
    combined = soft_maximum(alike.standing(), weights, sharpness=sharpness)
    if unlike is not None and unlike.similarity.shape[1]:
        closer = np.maximum(unlike.standing() - combined[:, None], 0) * unlike.given_weights()
        combined = combined - avoidance * closer.max(axis=1)
    return weights @ alike.spread.mean + weights @ np.maximum(alike.spread.deviation, LEAST_DEVIATION) * combined


def soft_maximum(values: np.ndarray, weights: np.ndarray, *, sharpness: float) -> np.ndarray:
    """Return log(Σ w exp(sharpness · value)) / sharpness, which lies between the mean and the maximum.

    Args:
        values: (rows, values per row).
        weights: (values per row,), which add up to 1.
        sharpness: 0 for the mean.

    Returns:
        (rows,).
    """
    if not sharpness:
        return np.asarray(values @ weights)
    greatest = values.max(axis=1, keepdims=True)
    summed = np.exp(sharpness * (values - greatest)) @ weights
    # A value with little weight may be so far above the others that nothing else is left of the sum.
    return np.asarray(greatest[:, 0] + np.log(np.maximum(summed, np.finfo(np.float64).tiny)) / sharpness)


def recency_weights(count: int, *, half_life: float = 3.0) -> np.ndarray:
    """Return the weights of the tracks of a playlist that is to be continued.

    Args:
        count: Number of tracks.
        half_life: A track counts half as much as one that comes this many tracks later.

    Returns:
        (count,), of the first to the last; the last has 1.
    """
    return np.asarray(0.5 ** (np.arange(count - 1, -1, -1) / half_life))
