"""The tracks of a library as a query sees them: facts, tags and vectors side by side, one row per track."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from musicrec.errors import LibraryError
from musicrec.recommend.columns import Columns
from musicrec.recommend.space import Space
from musicrec.recommend.summaries import SummaryLayout, fit_space, summed_up
from musicrec.recommend.tag_bits import TagBits

if TYPE_CHECKING:
    from musicrec.recommend.library import Library, PresentTracks

_BLOCK_ROWS = 8192


@dataclass(frozen=True, kw_only=True, eq=False)
class TrackTable:
    """The tracks of a library, or some of them.

    Attributes:
        space: The space of the vectors.
        ids: (tracks,) int64, by which the library knows the recordings.
        columns: Their facts. Its `vectors` are left out, as (tracks, 0), unless the table was made by `take` or
            `with_closeness`.
        tags: Their tags, named as `filters.tag_key` does.
        vectors: (tracks, size) float16, how they sound in the space.
        known: (tracks,) uint32, a bit per block of the space: whether the track has it.
        unreliable: (tracks,) bool, whether the track is silent or very short.
    """

    space: Space
    ids: np.ndarray
    columns: Columns
    tags: TagBits
    vectors: np.ndarray
    known: np.ndarray
    unreliable: np.ndarray

    def __len__(self) -> int:
        """Return the number of tracks."""
        return len(self.ids)

    @property
    def rows(self) -> np.ndarray:
        """(tracks,) the numbers of all rows."""
        return np.arange(len(self))

    @cached_property
    def _by_id(self) -> tuple[np.ndarray, np.ndarray]:
        order = np.argsort(self.ids, kind="stable")
        return self.ids[order], order

    def rows_of(self, ids: np.ndarray) -> np.ndarray:
        """Return the rows of some recordings, (recordings,) int64; -1 for one that is not in the table."""
        ids = np.asarray(ids, dtype=np.int64)
        if not len(self):
            return np.full(len(ids), -1)
        in_order, order = self._by_id
        places = np.minimum(np.searchsorted(in_order, ids), len(order) - 1)
        return np.where(in_order[places] == ids, order[places], -1)

    def known_blocks(self, rows: np.ndarray) -> np.ndarray:
        """Return which blocks some tracks have, (tracks, blocks) bool."""
        return (self.known[rows, None] >> np.arange(len(self.space.blocks), dtype=np.uint32) & 1).astype(bool)

    def with_closeness(self) -> "TrackTable":
        """Return all tracks with their vectors of unit length for closeness; everything else is shared, not copied."""
        return replace(self, columns=replace(self.columns, vectors=closeness(self.space, self.vectors)))

    def take(self, rows: np.ndarray) -> "TrackTable":
        """Return some tracks, with their facts and their vectors of unit length for closeness.

        Args:
            rows: Numbers of rows.
        """
        vectors = self.vectors[rows]
        return TrackTable(
            space=self.space,
            ids=self.ids[rows],
            columns=self.columns.take(rows, vectors=closeness(self.space, vectors)),
            tags=self.tags.take(rows),
            vectors=vectors,
            known=self.known[rows],
            unreliable=self.unreliable[rows],
        )


def closeness(space: Space, vectors: np.ndarray) -> np.ndarray:
    """Return how tracks sound, as vectors of unit length: their embeddings.

    Args:
        space: The space.
        vectors: (tracks, size) in it.

    Returns:
        (tracks, dimensions) float32; zeros where it is unknown.
    """
    part = space.blocks.get("embedding")
    if part is None:
        return np.zeros((len(vectors), 0), np.float32)
    found = vectors[:, part].astype(np.float32)
    for begin in range(0, len(found), _BLOCK_ROWS):  # in place: no second array as large
        block = found[begin : begin + _BLOCK_ROWS]
        lengths = np.linalg.norm(block, axis=1, keepdims=True)
        found[begin : begin + _BLOCK_ROWS] = np.divide(block, lengths, out=np.zeros_like(block), where=lengths > 1e-6)
    return found


def read_table(library: "Library") -> TrackTable:
    """Read the tracks of a library.

    A recording without a summary is summed up from the answers of the models, which takes longer. Nothing is written.
    """
    with library.one_state():  # otherwise vectors of a new space may be read with an old one
        return _read(library)


def _read(library: "Library") -> TrackTable:
    here, space = library.present(), library.space()
    stored = space is not None
    if space is None:
        space = fit_space(library, here.ids) if len(here) else Space.empty(list(library.heads.values()))
    layout = SummaryLayout(list(library.heads.values()), space)
    order = np.argsort(here.ids, kind="stable")
    in_order = here.ids[order]
    facts = np.zeros(len(here), _without_vector(layout.dtype))
    vectors = np.zeros((len(here), space.size), np.float16)
    found = np.zeros(len(here), dtype=bool)

    def fill(ids: np.ndarray, rows: np.ndarray) -> None:
        places = np.searchsorted(in_order, ids).clip(max=max(len(order) - 1, 0))
        is_here = in_order[places] == ids if len(order) else np.zeros(len(ids), dtype=bool)
        targets = order[places[is_here]] if len(order) else places[is_here]
        for name in facts.dtype.names or ():
            facts[name][targets] = rows[name][is_here]
        vectors[targets] = rows["vector"][is_here]
        found[targets] = True

    for ids, rows in library.summaries() if stored else ():
        if rows.shape[1] != layout.dtype.itemsize:
            raise LibraryError(
                f"{library.path} is damaged: a summary has {rows.shape[1]} bytes instead of {layout.dtype.itemsize}; "
                "index again, which makes new ones"
            )
        fill(ids, rows.view(layout.dtype)[:, 0])
    for ids, rows in summed_up(library, here.ids[~found], space):
        fill(ids, rows)
    return TrackTable(
        space=space,
        ids=here.ids,
        columns=_columns(here, facts, layout),
        tags=TagBits(layout.tags, facts["tags"]),
        vectors=vectors,
        known=facts["known"],
        unreliable=facts["unreliable"].astype(bool),
    )


def _without_vector(dtype: np.dtype) -> np.dtype:
    return np.dtype([(name, dtype[name]) for name in dtype.names or () if name != "vector"])


def _columns(here: "PresentTracks", facts: np.ndarray, layout: SummaryLayout) -> Columns:
    return Columns(
        bpm=facts["bpm"],
        key=facts["key"],
        energy=facts["energy"],
        loudness=facts["loudness"],
        year=here.years,
        duration_s=facts["duration_s"],
        artist=here.artists,
        album=here.albums,
        genre=np.array([*layout.genres, ""], dtype=object)[facts["genre"]],
        vectors=np.zeros((len(here), 0), np.float32),
        recording=here.versions,
    )
