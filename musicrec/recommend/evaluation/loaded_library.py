"""A library whose tracks and values are in memory, for thousands of queries."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np

from musicrec.recommend.library import Library
from musicrec.recommend.track import Track


def in_memory(library: Library, tracks: Sequence[Track], values: Mapping[str, np.ndarray]) -> Library:
    """Return a library that answers what a query reads of the tracks from memory; see `LoadedLibrary`."""
    return cast(Library, LoadedLibrary(library, tracks, values))


class LoadedLibrary:
    """Answers what a query reads of the tracks from memory, and everything else from the library.

    Args:
        library: The library, which must stay open.
        tracks: Its tracks, as `Library.read` returns them.
        values: {block: (tracks, size)} their values; blocks that the library does not have are left out.
    """

    def __init__(self, library: Library, tracks: Sequence[Track], values: Mapping[str, np.ndarray]) -> None:
        self._library, self._tracks, self._blocks = library, tracks, library.blocks()
        self._of_blocks = {name: values[name] for name in self._blocks}
        self._heads, self._exports = library.heads, library.exports
        self._ids = library.ids_of([track.audio_hash for track in tracks])
        self._rows = {self._ids[track.audio_hash]: row for row, track in reversed(list(enumerate(tracks)))}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._library, name)

    def __len__(self) -> int:
        """Return the number of tracks."""
        return len(self._rows)

    @property
    def heads(self) -> dict[str, Any]:
        """The heads of the library."""
        return self._heads

    @property
    def exports(self) -> list[Any]:
        """The models of the library."""
        return self._exports

    def blocks(self) -> list[str]:
        """Return the names of the blocks."""
        return self._blocks

    def ids_of(self, audio_hashes: Sequence[str]) -> dict[str, int]:
        """Return {audio_hash: id} of the tracks."""
        return {audio_hash: self._ids[audio_hash] for audio_hash in audio_hashes if audio_hash in self._ids}

    def tracks(self, ids: Sequence[int]) -> list[Track]:
        """Return some tracks, in their order."""
        return [self._tracks[self._rows[number]] for number in ids]

    def values(self, ids: Sequence[int]) -> dict[str, np.ndarray]:
        """Return the values of some tracks, in their order."""
        rows = [self._rows[number] for number in ids]
        return {name: of_block[rows] for name, of_block in self._of_blocks.items()}
