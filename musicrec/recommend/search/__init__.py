"""The search for the tracks whose vectors have the largest product with a query, in several ways with one answer.

Every way returns the same rows and the same scores. They differ in the time and the memory that they take.
"""

from collections.abc import Callable
from typing import Protocol

import numpy as np

from musicrec.config.value_check import check_choice
from musicrec.recommend.search.exact import FullScan
from musicrec.recommend.search.trees import TreeSearch

SEARCHES: dict[str, Callable[[np.ndarray], "Search"]] = {
    "exact": FullScan,
    "kdtree": lambda vectors: TreeSearch(vectors, kind="kdtree"),
    "balltree": lambda vectors: TreeSearch(vectors, kind="balltree"),
}


class Search(Protocol):
    """Finds tracks by the product of their vectors with a query.

    Attributes:
        vectors: (tracks, size) float16 or float32, finite.
    """

    vectors: np.ndarray

    def shortlist(
        self, query: np.ndarray, *, n: int, allowed: np.ndarray | None = None, weights: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the n tracks with the highest scores, best first.

        The score of a track is `vectors @ (weights * query)`, computed in float64 and rounded to float32. Tracks with
        equal scores are in the order of their rows.

        Args:
            query: (size,), finite.
            n: Number of tracks to return; fewer if fewer are allowed.
            allowed: (tracks,) bool, the tracks to choose from; None for all.
            weights: (size,), 0 or more; None for 1. They may as well be multiplied into the query. A tree prunes
                better if it knows them.

        Returns:
            The rows, (n,) int64, and their scores, (n,) float32.
        """


def make_search(name: str, vectors: np.ndarray) -> Search:
    """Return a search over the vectors of a library.

    Args:
        name: "exact", "kdtree" or "balltree".
        vectors: (tracks, size) float16 or float32, finite. The search keeps them and copies nothing before it is used.

    Raises:
        ConfigError: There is no search of this name.
    """
    check_choice("search", name, list(SEARCHES))
    return SEARCHES[name](vectors)
