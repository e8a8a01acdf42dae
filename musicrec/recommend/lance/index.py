"""What a query searches in, if the library is in LanceDB: conditions and vectors are searched where they are stored."""

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from musicrec.recommend.conditions import Condition
from musicrec.recommend.lance import search, summary_rows
from musicrec.recommend.lance.commits import Database, Tables
from musicrec.recommend.lance.sql import condition_sql, is_one_of
from musicrec.recommend.library_index import MemoryIndex
from musicrec.recommend.space import Space
from musicrec.recommend.summaries import SummaryLayout
from musicrec.recommend.tag_bits import TagBits
from musicrec.recommend.track_table import TrackTable

if TYPE_CHECKING:
    from musicrec.recommend.library import Library


class LanceIndex:
    """Narrows the tracks of a library down; see `LibraryIndex`. It keeps 8 bytes per track in memory.

    Small libraries are searched exactly; see `search`. The index sees recordings with a summary only.

    Args:
        library: The library.
        database: Its tables.
        space: The space of the summaries.
        layout: How summaries are laid out.

    Attributes:
        ids: (tracks,) by which the library knows the recordings, increasing.
        space: The space of the vectors.
        tags: The names of the tags, without rows.
        genres: The genres of the tracks.
        layout: How facts of tracks are read off what the models said.
    """

    def __init__(self, library: "Library", database: Database, space: Space, layout: SummaryLayout) -> None:
        self._library, self._database, self.layout, self.space = library, database, layout, space
        with database.reading() as tables:
            rows = tables.rows("summaries", ["recording", "known", "genre"])
        self.ids = np.sort(rows["recording"].to_numpy())
        self._patterns = np.unique(rows["known"].to_numpy())  # which blocks tracks have, mostly all
        names = np.array([*layout.genres, ""], dtype=object)
        self.genres = frozenset(names[np.unique(rows["genre"].to_numpy())].tolist()) - {""}
        self.tags = TagBits(layout.tags, np.zeros((0, -(-len(layout.tags) // 8)), np.uint8))

    def __len__(self) -> int:
        """Return the number of tracks."""
        return len(self.ids)

    def names(self, kind: str) -> Collection[str]:
        """Return the artists, or the albums, of the tracks."""
        with self._database.reading() as tables:
            return set(tables.rows("summaries", [kind])[kind].unique().to_pylist()) - {"", None}

    def with_tags(self, tags: TagBits) -> MemoryIndex:
        """Return an index in which the tracks have other tags, given in the order of `ids`. It is in memory."""
        index = MemoryIndex(self._library)
        known = np.isin(index.ids, self.ids)  # it also has recordings without a summary
        bits = np.zeros((len(index), tags.bits.shape[1]), np.uint8)
        bits[known] = tags.bits[np.searchsorted(self.ids, index.ids[known])]
        return index.with_tags(TagBits(tags.names, bits))

    def count(self, condition: Condition, *, unreliable: bool = False) -> int:
        """Return the number of tracks that a condition holds for; see `LibraryIndex`."""
        with self._database.reading() as tables:
            return tables.count("summaries", self._where(condition, unreliable=unreliable) or None)

    def table(self, ids: np.ndarray) -> TrackTable:
        """Return the tracks with these ids, without those that are not in the library."""
        wanted = [int(number) for number in ids]
        with self._database.reading() as tables:
            found = self._table(tables, list(dict.fromkeys(wanted)))
        rows = found.rows_of(np.array(wanted, dtype=np.int64))
        return found.take(rows[rows >= 0])

    def everything(self) -> TrackTable:
        """Return all tracks, with their vectors for closeness."""
        with self._database.reading() as tables:
            rows = tables.rows("summaries", summary_rows.ALL).sort_by("recording")
        return summary_rows.to_track_table(rows, self.layout, self.space)

    def sample(self, n: int) -> TrackTable:
        """Return n tracks that stand for the library, evenly spaced; all if it has no more."""
        places = np.unique(np.linspace(0, len(self) - 1, min(n, len(self))).astype(np.int64))
        return self.table(self.ids[places])

    def shortlist(
        self,
        vector: np.ndarray,
        weights: Mapping[str, float],
        condition: Condition,
        *,
        n: int,
        unreliable: bool = False,
    ) -> TrackTable:
        """Return the n most similar tracks that a condition holds for; see `LibraryIndex`.

        A track is as similar as the weighted mean over the blocks that it has. Tracks that lack different blocks are
        searched one group after the other, as their sums are divided by different weights.
        """
        query, where = self.space.weighted(vector, weights), self._where(condition, unreliable=unreliable)
        of_blocks = np.array([weights.get(name, 0.0) for name in self.space.blocks])
        counts = np.bitwise_or.reduce(np.uint32(1) << np.flatnonzero(of_blocks).astype(np.uint32), initial=np.uint32(0))
        groups = np.unique(self._patterns & counts)
        found = []
        with self._database.reading() as tables:
            for group in groups:
                same = self._patterns[self._patterns & counts == group].tolist()
                parts = [where] if len(groups) == 1 else [where, is_one_of("known", same)]
                narrowed = " AND ".join(part for part in parts if part)
                found.append(search.nearest(tables.open("summaries"), query, where=narrowed, n=n))
        if not found:
            return self.table(np.zeros(0, np.int64))
        rows = summary_rows.joined(found)
        table = summary_rows.to_track_table(rows, self.layout, self.space)
        has = (table.known[:, None] >> np.arange(len(of_blocks), dtype=np.uint32) & 1).astype(bool)
        weight = has @ of_blocks
        scores = np.einsum("ij,j->i", table.vectors.astype(np.float64), query.astype(np.float64))
        scores = np.divide(scores, weight, out=np.zeros_like(scores), where=weight > 0).astype(np.float32)
        return table.take(np.lexsort((table.ids, -scores))[:n])

    def _where(self, condition: Condition, *, unreliable: bool) -> str:
        parts = [condition_sql(condition, **summary_rows.names_in_sql(self.layout))]
        parts += [] if unreliable else ["unreliable = false"]
        return " AND ".join(part for part in parts if part)

    def _table(self, tables: Tables, ids: Sequence[int]) -> TrackTable:
        rows = tables.among("summaries", summary_rows.ALL, "recording", ids)
        return summary_rows.to_track_table(rows, self.layout, self.space)
