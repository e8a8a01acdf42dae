"""The search that reads all vectors, in the format in which they are stored.

The products are computed in two steps. The first reads every vector once and is only as exact as its format allows. The
second computes the products of the best tracks again, in float64. It takes in so many of them that none of the true
best can be missing: all whose first score is within twice the largest possible error of the n-th best.
"""

import os
from functools import cached_property, lru_cache
from types import ModuleType

import numpy as np

from musicrec.recommend.search.scores import ROWS_AT_ONCE, best_of, checked, squared_lengths, weighted

_MOST_THREADS = 4  # a few threads already read as fast as the memory delivers
_FEW = 0.1  # a share of the tracks up to which copying them is faster than reading all
_ROUNDING = 2.0**-24  # the largest relative error of one operation in float32


class FullScan:
    """Compares a query with every track.

    The package simsimd multiplies float16 as fast as the memory delivers it; NumPy, which is used where simsimd has no
    wheel, is about ten times slower at that.

    Args:
        vectors: (tracks, size) float16 or float32, finite.
        threads: Number of threads of simsimd; None for one per core, up to four.
    """

    def __init__(self, vectors: np.ndarray, *, threads: int | None = None) -> None:
        self.vectors = checked(vectors)
        self.threads = threads or min(_MOST_THREADS, os.cpu_count() or 1)
        self._last: tuple[bytes, tuple[np.ndarray, float]] | None = None

    @cached_property
    def _greatest_length(self) -> float:
        simsimd = load_simsimd()
        if simsimd is None or not self.vectors.size:
            squares = squared_lengths(self.vectors)
        else:
            squares = np.atleast_1d(np.asarray(simsimd.dot(self.vectors, self.vectors)))
        # The sums may have been rounded down, by less than a thousandth.
        greatest = 1.001 * float(np.sqrt(squares.max(initial=0)))
        if not np.isfinite(greatest):
            raise ValueError("vectors: some values are not finite; a value that is unknown has to be 0")
        return greatest

    def shortlist(
        self, query: np.ndarray, *, n: int, allowed: np.ndarray | None = None, weights: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the n tracks with the highest scores, and the scores; see `Search`."""
        query = weighted(query, weights)
        rows = np.arange(len(self.vectors)) if allowed is None else np.flatnonzero(allowed)
        if len(rows) > n:
            few = len(rows) <= _FEW * len(self.vectors)
            scores, error = self._first_scores(self.vectors[rows], query) if few else self._first_scores_of_all(query)
            scores = scores if few or allowed is None else scores[rows]
            nth = np.partition(scores, len(rows) - max(n, 1))[len(rows) - max(n, 1)]
            rows = rows[scores >= nth - 2 * error]
        return best_of(self.vectors, query, rows, n)

    def _first_scores_of_all(self, query: np.ndarray) -> tuple[np.ndarray, float]:
        """Return the first scores of all vectors. Those of the last query are kept: often it has two conditions."""
        asked = query.tobytes()
        if self._last is None or self._last[0] != asked:
            self._last = asked, self._first_scores(self.vectors, query)
        return self._last[1]

    def _first_scores(self, vectors: np.ndarray, query: np.ndarray) -> tuple[np.ndarray, float]:
        """Return the scores of vectors up to a factor, (tracks,) float32, and the largest error that they can have."""
        query = query / (np.abs(query).max(initial=0) or 1.0)  # float16 reaches from 6e-8 to 65504 only
        simsimd = load_simsimd()
        stored = query.astype(vectors.dtype if simsimd else np.float32)
        scores = np.empty((1, len(vectors)), dtype=np.float32)
        if simsimd:
            simsimd.cdist(stored[None], vectors, metric="dot", out=scores, threads=self.threads)
        else:
            for start in range(0, len(vectors), ROWS_AT_ONCE):
                block = vectors[start : start + ROWS_AT_ONCE].astype(np.float32, copy=False)
                scores[0, start : start + ROWS_AT_ONCE] = block @ stored
        # Both by Cauchy and Schwarz: the products with what rounding took from the query, and the rounding of the sum
        # of `size` products, whose absolute values add up to |x||q| at most. The last 2 are for rounding the result.
        rounded = np.linalg.norm(query - stored) + (len(query) + 2) * _ROUNDING * np.linalg.norm(query)
        return scores[0], float(1.001 * rounded * self._greatest_length)


@lru_cache
def load_simsimd() -> ModuleType | None:
    """Return the module simsimd, set to add products of float16 in float32; None where it is not installed."""
    try:
        import simsimd
    except ImportError:
        return None
    for instructions in ("sapphire", "sve_f16"):  # these add in float16, with errors of several percent
        simsimd.disable_capability(instructions)
    return simsimd
