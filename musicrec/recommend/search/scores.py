"""The scores that all searches agree on."""

import numpy as np

ROWS_AT_ONCE = 4096  # few enough that a block of float64 vectors stays in the cache of a processor


def checked(vectors: np.ndarray) -> np.ndarray:
    """Return vectors as a search reads them, one after the other in memory; copied only if they are not.

    Raises:
        ValueError: They are no matrix of float16 or float32.
    """
    if vectors.ndim != 2 or vectors.dtype not in (np.float16, np.float32):
        raise ValueError(f"vectors: a matrix of float16 or float32 is needed, not {vectors.dtype} {vectors.shape}")
    return np.ascontiguousarray(vectors)


def weighted(query: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """Return the query times the weights, (size,) float64."""
    query = np.asarray(query, dtype=np.float64)
    return query if weights is None else query * np.asarray(weights, dtype=np.float64)


def squared_lengths(vectors: np.ndarray) -> np.ndarray:
    """Return the squares of the lengths of vectors, (tracks,) float64."""
    found = np.empty(len(vectors))
    for start in range(0, len(vectors), ROWS_AT_ONCE):
        block = vectors[start : start + ROWS_AT_ONCE].astype(np.float64)
        found[start : start + ROWS_AT_ONCE] = np.einsum("ij,ij->i", block, block)
    return found


def best_of(vectors: np.ndarray, query: np.ndarray, rows: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the n best of some rows, and their scores.

    Args:
        vectors: (tracks, size).
        query: (size,) float64, with the weights.
        rows: Candidates, in ascending order.
        n: Number of rows to return.

    Returns:
        (n,) int64 and (n,) float32, best first, equal scores in the order of the rows.
    """
    scores = np.empty(len(rows), dtype=np.float32)
    for start in range(0, len(rows), ROWS_AT_ONCE):
        block = vectors[rows[start : start + ROWS_AT_ONCE]].astype(np.float64)
        # einsum adds every row in the same order, wherever it stands, so copies of a track get equal scores; BLAS may
        # not.
        scores[start : start + ROWS_AT_ONCE] = np.einsum("ij,j->i", block, query)
    best = np.argsort(-scores, kind="stable")[:n]
    return rows[best].astype(np.int64), scores[best]
