"""What a query searches in: the tracks of a library, narrowed down by conditions to those that are most similar."""

from collections.abc import Callable, Collection
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from musicrec.config.value_check import check_choice
from musicrec.recommend.conditions import Condition
from musicrec.recommend.search import SEARCHES, make_search
from musicrec.recommend.space import Space
from musicrec.recommend.summaries import SummaryLayout
from musicrec.recommend.tag_bits import TagBits
from musicrec.recommend.track_table import TrackTable, read_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from musicrec.recommend.library import Library


class LibraryIndex(Protocol):
    """Narrows the tracks of a library down.

    Attributes:
        space: The space of the vectors.
        tags: The tags, named as `filters.tag_key` does. A store that searches in tags itself has no rows here.
        genres: The genres of the tracks.
        ids: (tracks,) by which the library knows the recordings.
        layout: How facts of tracks are read off what the models said.
    """

    ids: np.ndarray
    layout: SummaryLayout
    space: Space
    tags: TagBits
    genres: frozenset[str]

    def __len__(self) -> int:
        """Return the number of tracks."""

    def names(self, kind: str) -> Collection[str]:
        """Return the artists, or the albums, of the tracks.

        Args:
            kind: "artist" or "album".
        """

    def with_tags(self, tags: TagBits) -> "LibraryIndex":
        """Return an index in which the tracks have other tags, given in the order of `ids`."""

    def count(self, condition: Condition, *, unreliable: bool = False) -> int:
        """Return the number of tracks that a condition holds for.

        Args:
            condition: The condition.
            unreliable: Whether silent and very short tracks count.
        """

    def table(self, ids: np.ndarray) -> TrackTable:
        """Return the tracks with these ids, without those that are not in the library."""

    def everything(self) -> TrackTable:
        """Return all tracks, with their vectors for closeness."""

    def sample(self, n: int) -> TrackTable:
        """Return n tracks that stand for the library; all if it has no more."""

    def shortlist(
        self,
        vector: np.ndarray,
        weights: "Mapping[str, float]",
        condition: Condition,
        *,
        n: int,
        unreliable: bool = False,
    ) -> TrackTable:
        """Return the n most similar tracks that a condition holds for, best first.

        Args:
            vector: (size,) the vector of the query, without weights.
            weights: {block: weight} of the blocks that the query has.
            condition: The condition.
            n: Number of tracks; fewer if there are fewer.
            unreliable: Whether silent and very short tracks may be among them.
        """


class MemoryIndex:
    """Holds the facts and vectors of all tracks in memory: 0.7 GB for a million tracks.

    Args:
        library: The library, which is read once.
        search: "exact", "kdtree" or "balltree"; they find the same.

    Attributes:
        all: The tracks.
    """

    def __init__(self, library: "Library", *, search: str = "exact") -> None:
        self._use(read_table(library))
        self.layout = SummaryLayout(list(library.heads.values()), self.space)
        self._search = make_search(search, self.all.vectors)

    def _use(self, table: TrackTable) -> None:
        self.all, self.ids, self.space, self.tags = table, table.ids, table.space, table.tags
        self.genres = frozenset(table.columns.text_codes("genre").numbers)
        self._patterns = np.unique(table.known)  # which blocks tracks have, mostly all

    def names(self, kind: str) -> Collection[str]:
        """Return the artists, or the albums, of the tracks."""
        return self.all.columns.text_codes(kind).numbers.keys()

    def with_tags(self, tags: TagBits) -> "MemoryIndex":
        """Return an index in which the tracks have other tags, given in the order of `ids`."""
        other = copy(self)
        other._use(replace(self.all, tags=tags))
        return other

    def __len__(self) -> int:
        """Return the number of tracks."""
        return len(self.all)

    def _allowed(self, condition: Condition, *, unreliable: bool) -> np.ndarray:
        passed = condition.mask(self.all.columns, self.tags)
        return passed if unreliable else passed & ~self.all.unreliable

    def count(self, condition: Condition, *, unreliable: bool = False) -> int:
        """Return the number of tracks that a condition holds for; see `LibraryIndex`."""
        return int(self._allowed(condition, unreliable=unreliable).sum())

    def table(self, ids: np.ndarray) -> TrackTable:
        """Return the tracks with these ids, without those that are not in the library."""
        rows = self.all.rows_of(ids)
        return self.all.take(rows[rows >= 0])

    def everything(self) -> TrackTable:
        """Return all tracks, with their vectors for closeness."""
        return self.all.with_closeness()

    def sample(self, n: int) -> TrackTable:
        """Return n tracks that stand for the library, evenly spaced; all if it has no more."""
        return self.all.take(np.unique(np.linspace(0, len(self.all) - 1, min(n, len(self.all))).astype(np.int64)))

    def shortlist(
        self,
        vector: np.ndarray,
        weights: "Mapping[str, float]",
        condition: Condition,
        *,
        n: int,
        unreliable: bool = False,
    ) -> TrackTable:
        """Return the n most similar tracks that a condition holds for; see `LibraryIndex`.

        A track is as similar as the weighted mean over the blocks that it has. Tracks that lack different blocks are
        searched one group after the other, as their sums are divided by different weights.
        """
        allowed = self._allowed(condition, unreliable=unreliable)
        query = self.space.weighted(vector, weights)
        of_blocks = np.array([weights.get(name, 0.0) for name in self.space.blocks])
        counts = np.bitwise_or.reduce(np.uint32(1) << np.flatnonzero(of_blocks).astype(np.uint32), initial=np.uint32(0))
        rows, scores = [], []
        for group in np.unique(self._patterns & counts):
            has = (group >> np.arange(len(of_blocks), dtype=np.uint32) & 1).astype(bool)
            weight = float(of_blocks[has].sum())
            here = allowed if len(self._patterns) == 1 else allowed & ((self.all.known & counts) == group)
            found, score = self._search.shortlist(query, n=n, allowed=here)
            rows.append(found)
            scores.append(score / weight if weight else np.zeros_like(score))
        if not rows:
            return self.all.take(np.zeros(0, np.int64))
        together, scored = np.concatenate(rows), np.concatenate(scores)
        best = np.lexsort((together, -scored))[:n]
        return self.all.take(together[best])


def open_index(library: "Library", search: str | None = None) -> LibraryIndex:
    """Return what queries search in.

    Args:
        library: The library. A store that searches itself, as LanceDB does, has a method `index`.
        search: "exact", "kdtree" or "balltree" for the tracks in memory, or "lance"; None for what suits the store.

    Raises:
        ConfigError: The library cannot be searched in this way.
    """
    own: Callable[[], LibraryIndex] | None = getattr(library, "index", None)
    if search is not None:
        check_choice("search", search, [*SEARCHES, *([] if own is None else ["lance"])])
    if own is not None and search in (None, "lance"):
        return own()
    return MemoryIndex(library, search=search or "exact")
