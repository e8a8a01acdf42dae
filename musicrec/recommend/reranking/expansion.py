"""Query expansion: a query sounds a little like the tracks around it, which makes up for what is by chance in it.

The query's vector becomes a weighted mean of itself and its neighbours, as in image retrieval (Chum et al. 2007, "Total
recall: automatic query expansion with a generative feature model for object retrieval"). A neighbour counts only if it
is mutual, one of the nearest tracks of the other and the other one of its own (Jégou et al. 2007, "A contextual
dissimilarity measure for accurate and efficient image search"): a hub is near to many tracks that are not near to it.
Neighbours are expanded in the same way, so neighbours of neighbours count, too. These are the first two steps of
diffusion (Iscen et al. 2017, "Efficient diffusion on region manifolds") without what it forgets of the query.
"""

import numpy as np

_STEPS = 2


def expanded_query(vectors: np.ndarray, *, neighbours: int) -> np.ndarray:
    """Return the vector of a query after the tracks around it have had their say.

    With A the similarities of mutual neighbours, negative ones as 0, and each row of I + A divided by its sum, each
    step replaces all vectors by their weighted means (I + A) X.

    Args:
        vectors: (1 + tracks, size), see `compared_vectors`: the query, and the tracks that are most similar to it.
        neighbours: How many of the nearest vectors each vector has as neighbours.

    Returns:
        (size,) float32. The query's own vector if no track is its mutual neighbour.
    """
    neighbours = min(neighbours, len(vectors) - 1)
    if neighbours < 1:
        return np.asarray(vectors[0], dtype=np.float32)
    similarity = (vectors @ vectors.T).astype(np.float64)
    others = np.where(np.eye(len(vectors), dtype=bool), -np.inf, similarity)
    near = np.zeros(others.shape, dtype=bool)
    np.put_along_axis(near, np.argsort(-others, axis=1, kind="stable")[:, :neighbours], True, axis=1)
    weights = np.where(near & near.T, np.maximum(similarity, 0), 0) + np.eye(len(vectors))
    weights /= weights.sum(axis=1, keepdims=True)
    of_query = weights[0]
    for _ in range(_STEPS - 1):
        of_query = of_query @ weights
    return np.asarray(of_query @ vectors, dtype=np.float32)
