"""Exact search: compare a query with every track, on matrices in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from musicrec.recommend.similarity import Similarity
from musicrec.recommend.track import Track


@dataclass(frozen=True, kw_only=True)
class Match:
    """A track that was found.

    Attributes:
        row: Its index in `ExactSearch.tracks`.
        similarity: Similarity to the query over all blocks.
        by_block: Similarity per block, {block: similarity}.
    """

    row: int
    similarity: float
    by_block: dict[str, float]


class ExactSearch:
    """Finds the tracks that are most similar to a query by comparing it with all of them.

    Takes about 3 kB of memory per track. Build it from a library with `ExactSearch(*library.read())`; later changes of
    the library do not reach it.

    Args:
        tracks: The tracks, in the order in which equally similar ones are returned.
        values: What to compare them by, {block: (tracks, size) float32}. A block is a head or "embedding".
    """

    def __init__(self, tracks: Sequence[Track], values: Mapping[str, np.ndarray]) -> None:
        self.tracks = list(tracks)
        self.values = dict(values)

    def search(
        self, query: Mapping[str, np.ndarray], *, similarity: Similarity, k: int, among: np.ndarray | None = None
    ) -> list[Match]:
        """Return the k most similar tracks, best first.

        Args:
            query: {block: (size,)}.
            similarity: How to compare; its weights choose the blocks.
            k: Number of tracks to return; fewer if there are fewer.
            among: (tracks,) bool, the tracks to choose from; None for all.
        """
        rows = np.arange(len(self.tracks)) if among is None else np.flatnonzero(among)
        if not len(rows):
            return []
        total, by_block = similarity.compare(query, {name: self.values[name][rows] for name in similarity.weights})
        best = np.argsort(-total, kind="stable")[:k]
        return [
            Match(row=int(rows[i]), similarity=float(total[i]), by_block={n: float(s[i]) for n, s in by_block.items()})
            for i in best
        ]
