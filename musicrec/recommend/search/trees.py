"""The search in a tree, which skips groups of tracks that are too far away.

The largest product becomes the smallest distance with one dimension more (Bachrach et al. 2014, "Speeding up the Xbox
recommender system using a Euclidean transformation for inner-product spaces"): x is extended by √(M² - |x|²), where M
is the greatest length, and the query by 0. All extended vectors have the length M, so |x - q|² = M² + |q|² - 2xq.

A tree pays where few dimensions count, such as those of tempo and energy. In hundreds of dimensions it visits nearly
every track, and `FullScan` is faster.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import numpy as np

from musicrec.recommend.search.scores import best_of, checked, squared_lengths, weighted

_KEPT = 4  # weightings whose trees are kept
_SLACK = 1e-6  # scores this close, relative to the greatest possible one, may be equal once they are float32


@dataclass(frozen=True, kw_only=True)
class _Tree:
    """A tree over the vectors of the tracks under one weighting.

    Attributes:
        tree: KDTree or BallTree of scikit-learn.
        used: The dimensions whose weight is not 0.
        roots: The roots of their weights, by which vectors and query are multiplied.
        greatest: The greatest length of a vector.
    """

    tree: Any
    used: np.ndarray
    roots: np.ndarray
    greatest: float


class TreeSearch:
    """Finds tracks in a KD tree or a ball tree of scikit-learn.

    A tree is built when a weighting is used for the first time, and the trees of the last four weightings are kept. A
    tree takes 8 bytes per track and dimension with a weight.

    Args:
        vectors: (tracks, size) float16 or float32, finite.
        kind: "kdtree" or "balltree".
    """

    def __init__(self, vectors: np.ndarray, *, kind: str) -> None:
        self.vectors, self.kind = checked(vectors), kind
        self._trees: OrderedDict[bytes, _Tree] = OrderedDict()

    def shortlist(
        self, query: np.ndarray, *, n: int, allowed: np.ndarray | None = None, weights: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the n tracks with the highest scores, and the scores; see `Search`."""
        full = weighted(query, weights)
        count = len(self.vectors) if allowed is None else int(np.count_nonzero(allowed))
        if count <= n or not full.any():
            rows = np.arange(len(self.vectors)) if allowed is None else np.flatnonzero(allowed)
            return best_of(self.vectors, full, rows, n)
        tree = self._tree(weights)
        point = np.zeros(len(tree.used) + 1)
        point[:-1] = tree.roots * np.asarray(query, dtype=np.float64)[tree.used]
        # The order of the products does not depend on the length of the query. With that of the vectors, distances
        # are as exact as they can be.
        point *= tree.greatest / (np.linalg.norm(point) or 1.0)
        # Of the nearest rows, a share as large as that of the allowed tracks is expected to be allowed.
        fetched = n * len(self.vectors) // count + 16
        while True:
            fetched = min(fetched, len(self.vectors))
            distances, found = tree.tree.query(point[None], k=fetched)
            distances, found = distances[0], found[0]
            inside = np.ones(fetched, bool) if allowed is None else allowed[found]
            if fetched == len(self.vectors):
                break
            # Enough are found when the last one is farther away than the n-th by more than rounding can explain.
            squares = distances[inside] ** 2
            if len(squares) >= max(n, 1) and distances[-1] ** 2 > squares[max(n, 1) - 1] + self._slack(tree):
                break
            fetched *= 2
        return best_of(self.vectors, full, np.sort(found[inside]), n)

    @staticmethod
    def _slack(tree: _Tree) -> float:
        return 2 * _SLACK * tree.greatest**2

    def _tree(self, weights: np.ndarray | None) -> _Tree:
        size = self.vectors.shape[1]
        weights = np.ones(size) if weights is None else np.asarray(weights, dtype=np.float64)
        key = weights.tobytes()
        if key not in self._trees:
            self._trees[key] = self._build(weights)
        self._trees.move_to_end(key)
        while len(self._trees) > _KEPT:
            self._trees.popitem(last=False)
        return self._trees[key]

    def _build(self, weights: np.ndarray) -> _Tree:
        from sklearn.neighbors import BallTree, KDTree  # takes half a second to import

        if not (np.isfinite(weights).all() and (weights >= 0).all()):
            raise ValueError("weights: each must be finite, and 0 or more")
        used = np.flatnonzero(weights)
        roots = np.sqrt(weights[used])
        points = np.empty((len(self.vectors), len(used) + 1))
        np.multiply(self.vectors[:, used], roots, out=points[:, :-1])
        squares = squared_lengths(points[:, :-1])
        if not np.isfinite(squares).all():
            raise ValueError("vectors: some values are not finite; a value that is unknown has to be 0")
        points[:, -1] = np.sqrt(squares.max() - squares)
        tree = {"kdtree": KDTree, "balltree": BallTree}[self.kind](points)
        return _Tree(tree=tree, used=used, roots=roots, greatest=float(np.sqrt(squares.max())))
