"""Summaries: what a query needs of a recording, in a few hundred bytes, so that a library opens fast and stays small.

A summary holds the facts that filters ask for, the tags as bits, and the vector in the space of the library. It is made
of the stored answers of the models, and can be made again at any time. `bring_up_to_date` does so after a library has
been indexed; a recording that has no summary yet is summed up when the library is read.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from musicrec.errors import LibraryError
from musicrec.export.passages import Passages
from musicrec.heads import Head
from musicrec.recommend.filters import TagFilter, tag_values
from musicrec.recommend.library_columns import genres, keys_of, tempi
from musicrec.recommend.passage_statistics import share_of_ends
from musicrec.recommend.space import MOST_FITTED, Space
from musicrec.recommend.tag_bits import TagBits
from musicrec.system.progress import StepListener, track_progress

if TYPE_CHECKING:
    from musicrec.recommend.library import Library

_AT_ONCE = 4096  # recordings whose answers are in memory
_MOST_BLOCKS = 32  # as many as `known` has bits
_SMALL = 5_000  # a library of so many tracks gets a new space whenever it has changed
_GROWTH = 1.25  # a larger one, when it has grown by this factor
_FEWER_ENDS = 0.1  # smaller differences may be those of the sample
_MOST_HEARD = 2_000  # tracks whose passages tell how passages are distributed: up to 48,000 passages


class SummaryLayout:
    """How the summaries of a library are laid out in bytes.

    Args:
        heads: The heads of the library.
        space: The space of the vectors.

    Attributes:
        tags: Names of the tags that tracks have and may have, in the order of the bits; see `filters.tag_key`.
        genres: Names of the genres, by their number.
        dtype: The type of a summary.

    Raises:
        LibraryError: There are too many blocks.
    """

    def __init__(self, heads: Sequence[Head], space: Space) -> None:
        self._heads, self._space = list(heads), space
        if len(space.blocks) > _MOST_BLOCKS:
            raise LibraryError(f"the models have {len(space.blocks)} blocks; a library holds up to {_MOST_BLOCKS}")
        none = {head.name: np.zeros((0, len(head.classes)), np.float32) for head in heads}
        self.tags = TagFilter().tags_of_tracks(*tag_values(heads, none)).names
        self.genres = genres(none, heads)[0]
        self.dtype = np.dtype(
            [
                ("bpm", "<f4"),
                ("energy", "<f4"),
                ("loudness", "<f4"),
                ("duration_s", "<f4"),
                ("genre", "<i2"),
                ("key", "i1"),
                ("unreliable", "u1"),
                ("known", "<u4"),
                ("tags", "u1", (-(-len(self.tags) // 8),)),
                ("vector", "<f2", (space.size,)),
            ]
        )

    def rows(self, values: Mapping[str, np.ndarray], duration_s: np.ndarray, unreliable: np.ndarray) -> np.ndarray:
        """Return the summaries of recordings, (recordings,) of `dtype`.

        Args:
            values: {block: (recordings, size)}; see `Library.read`.
            duration_s: (recordings,) float32.
            unreliable: (recordings,) bool.
        """
        count = len(duration_s)
        found = np.zeros(count, self.dtype)
        unknown = np.full((count, 1), np.nan, np.float32)
        bpm, keys = tempi(values, self._heads), keys_of(values, self._heads)
        found["bpm"] = np.nan if bpm is None else bpm
        found["key"] = -1 if keys is None else keys
        loudness = values.get("loudness", unknown)[:, 0]
        found["energy"] = np.clip(values.get("energy", unknown)[:, 0], 1, 10)
        found["loudness"] = np.where(np.isfinite(loudness), loudness, np.nan)
        found["duration_s"], found["unreliable"] = duration_s, unreliable
        found["genre"] = genres(values, self._heads)[1]
        found["vector"], known = self._space.vectors(values)
        found["known"] = known @ (1 << np.arange(known.shape[1], dtype=np.uint32))
        heads, probabilities = tag_values(self._heads, values)
        if heads:
            found["tags"] = TagFilter().tags_of_tracks(heads, probabilities).bits
        return found


def bring_up_to_date(library: "Library", *, progress: bool | StepListener = True) -> None:
    """Give each recording with a file a summary, and fit a new space if the library has grown.

    Args:
        library: The library, which is written.
        progress: Show the progress on standard error.
    """
    ids = library.present().ids
    if not len(ids):
        return
    try:
        space = library.space()
    except LibraryError:  # damaged: made anew
        space = None
    new = None
    if space is None or _outgrown(space, len(ids)) or _knows_more_passages(space, library, ids):
        space = new = fit_space(library, ids)
        missing = ids
    else:
        size = SummaryLayout(list(library.heads.values()), space).dtype.itemsize
        whole = [part for part, rows in library.summaries() if rows.shape[1] == size]
        missing = np.setdiff1d(ids, np.concatenate([np.zeros(0, np.int64), *whole]))
    with track_progress(
        "summing up", "summed up", len(missing), shown=progress if len(missing) > _SMALL else False
    ) as advance:
        for part, rows in summed_up(library, missing, space):
            library.save_summaries(part.tolist(), rows.view(np.uint8).reshape(len(part), -1), space=new)
            new = None
            for _ in part:
                advance()
    if len(missing):
        library.tidy()


def fit_space(library: "Library", ids: np.ndarray) -> Space:
    """Return a space that is fitted on some recordings, or on a sample of them."""
    chosen = ids if len(ids) <= MOST_FITTED else np.random.default_rng(0).choice(ids, MOST_FITTED, replace=False)
    numbers = chosen.tolist()
    _, unreliable = library.audio_facts(numbers)
    space = Space.fit(
        list(library.heads.values()),
        library.values(numbers),
        reliable=~unreliable,
        passages=_some_passages(library, chosen if unreliable.all() else chosen[~unreliable]),
    )
    space.fitted_on = len(ids)
    return space


def summed_up(library: "Library", ids: np.ndarray, space: Space) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the summaries of recordings in parts: (recordings,) ids, and (recordings,) of `SummaryLayout.dtype`."""
    layout = SummaryLayout(list(library.heads.values()), space)
    for start in range(0, len(ids), _AT_ONCE):
        part = ids[start : start + _AT_ONCE]
        numbers = part.tolist()
        yield part, layout.rows(library.values(numbers), *library.audio_facts(numbers))


def tags_by(library: "Library", ids: np.ndarray, tag_filter: TagFilter) -> TagBits:
    """Return the tags that a filter gives to recordings. All their answers are read, which takes a while."""
    heads = list(library.heads.values())
    parts = [
        tag_filter.tags_of_tracks(*tag_values(heads, library.values(ids[start : start + _AT_ONCE].tolist())))
        for start in range(0, len(ids), _AT_ONCE)
    ]
    return TagBits(parts[0].names, np.concatenate([part.bits for part in parts]))


def _some_passages(library: "Library", ids: np.ndarray) -> list[Passages]:
    """Return the passages of some recordings, or of an evenly spaced sample of them."""
    chosen = np.unique(np.linspace(0, len(ids) - 1, min(len(ids), _MOST_HEARD)).astype(np.int64))
    return library.passages(ids[chosen].tolist())


def _knows_more_passages(space: Space, library: "Library", ids: np.ndarray) -> bool:
    """Return whether the library knows passages, and the space does not know how they are distributed.

    It may have been fitted while a library of an older version was half analysed again, so that it knows only the
    beginnings and ends of many tracks. It is fitted again when these have become clearly fewer, and when none is left.
    """
    before = 1.0 if space.passages is None else space.passages.share_of_ends
    if not before:
        return False
    known = _some_passages(library, ids)
    if space.passages is None:
        return any(len(one) for one in known)
    now = share_of_ends(known)
    return now < before and (not now or now <= before - _FEWER_ENDS)


def _outgrown(space: Space, tracks: int) -> bool:
    if tracks <= _SMALL:
        return tracks != space.fitted_on
    return not space.fitted_on / _GROWTH < tracks < space.fitted_on * _GROWTH
