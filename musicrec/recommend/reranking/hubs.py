"""Hubs: tracks that are near to very many others, and so are recommended for everything.

They come with many dimensions (Radovanović et al. 2010, "Hubs in space", JMLR 11). Mutual proximity (Schnitzer et al.
2012, "Local and global scaling reduce hubs in space", JMLR 13) asks how likely it is that a track is less similar to
the query than the candidate is, and less similar to the candidate than the query is. A hub is similar to many tracks,
so it has to be more similar to the query than others.

The similarities of a track to a library are taken as normally distributed. Their mean and deviation follow from the
mean vector and the mean outer product of the library's vectors, for every weighting, without a look at the library.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

LEAST_DEVIATION = 1e-6  # similarities that differ less do not tell how special one of them is


@dataclass(frozen=True, kw_only=True)
class Spread:
    """How similar tracks are to the tracks of a library.

    Attributes:
        mean: (tracks,) the mean of the similarities of each track.
        deviation: (tracks,) their standard deviation.
    """

    mean: np.ndarray
    deviation: np.ndarray


def spread(
    vectors: np.ndarray, weights: np.ndarray, known_weight: np.ndarray, *, mean: np.ndarray, second: np.ndarray
) -> Spread:
    """Return how similar tracks are to the tracks of a library.

    Exact if all tracks of the library have all blocks. A block that tracks of the library lack counts as 0 there.

    Args:
        vectors: (tracks, size), for example the query or the shortlist.
        weights: (size,) the weight of the block to which each dimension belongs; 0 for blocks that the query lacks.
        known_weight: (tracks,) the sum of the weights of the blocks that a track has.
        mean: (size,) the mean of the library's vectors.
        second: (size, size) the mean of their outer products.
    """
    scale = np.divide(1.0, known_weight, out=np.zeros(len(vectors)), where=np.asarray(known_weight) > 0)
    folded = (vectors * np.asarray(weights, dtype=np.float32)).astype(np.float32) * scale[:, None].astype(np.float32)
    of_mean = (folded @ np.asarray(mean, dtype=np.float32)).astype(np.float64)
    of_square = np.einsum("ij,ij->i", folded @ np.asarray(second, dtype=np.float32), folded, dtype=np.float64)
    return Spread(mean=of_mean, deviation=np.sqrt(np.maximum(of_square - of_mean**2, 0)))


def mutual_proximity(similarity: np.ndarray, *, query: Spread, candidates: Spread) -> np.ndarray:
    """Return similarities to a query in which hubs have lost their lead.

    Mutual proximity is a probability. It is expressed as the similarity to the query at which a track with the query's
    own spread would have it: a candidate that is no hub keeps its similarity, a hub loses some, and one that is near to
    few tracks gains.

    Args:
        similarity: (tracks,) the similarity of each candidate to the query.
        query: The spread of the query, (1,).
        candidates: The spread of the candidates, (tracks,).

    Returns:
        (tracks,) float64.
    """
    if query.deviation[0] < LEAST_DEVIATION:
        return np.asarray(similarity, dtype=np.float64)
    by_query = (similarity - query.mean[0]) / query.deviation[0]
    clear = candidates.deviation >= LEAST_DEVIATION
    by_candidate = np.where(
        clear, (similarity - candidates.mean) / np.where(clear, candidates.deviation, 1.0), by_query
    )
    p, q = _exceeded(by_query), _exceeded(by_candidate)
    missed = p + q - p * q  # 1 - mutual proximity, which is exact also where that is nearly 1
    # Of two equal spreads, each has the root of the mutual proximity.
    each = missed / (1 + np.sqrt(1 - missed))
    normal = NormalDist()
    standing = [-normal.inv_cdf(min(max(one, 1e-300), 1 - 1e-16)) for one in each]
    return query.mean[0] + query.deviation[0] * np.array(standing)


def without_hubs(similarity: np.ndarray, *, query: Spread, candidates: Spread, strength: float = 0.5) -> np.ndarray:
    """Return similarities to a query that are drawn towards mutual proximity.

    Args:
        similarity: (tracks,) the similarity of each candidate to the query.
        query: The spread of the query, (1,).
        candidates: The spread of the candidates, (tracks,).
        strength: From 0, the similarities as they are, to 1, `mutual_proximity`.

    Returns:
        (tracks,) float64.
    """
    similarity = np.asarray(similarity, dtype=np.float64)
    if not strength:
        return similarity
    corrected = mutual_proximity(similarity, query=query, candidates=candidates)
    return (1 - strength) * similarity + strength * corrected


def _exceeded(standing: np.ndarray) -> np.ndarray:
    """Return the probability that a standard normal variable is greater."""
    return np.array([0.5 * math.erfc(one / math.sqrt(2)) for one in standing])
