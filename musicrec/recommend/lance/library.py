"""A library in LanceDB: the same as one in SQLite, in a folder or an object store, with an index of the vectors."""

import math
import os
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from musicrec.audio.remark import Remark
from musicrec.errors import LibraryError
from musicrec.export.passages import Passages
from musicrec.heads import Head, from_dict, to_dict
from musicrec.recommend.exports import ExportRef
from musicrec.recommend.lance import commits, package, reading, schema, search, summary_rows, writing
from musicrec.recommend.lance.commits import Database, Tables
from musicrec.recommend.lance.object_store import is_remote
from musicrec.recommend.library import (
    ANOTHER,
    Changes,
    LibraryFile,
    Listing,
    PresentTracks,
    Source,
)
from musicrec.recommend.space import Space
from musicrec.recommend.summaries import SummaryLayout
from musicrec.recommend.track import Track, split_embedding

if TYPE_CHECKING:
    from musicrec.recommend.library import Library
    from musicrec.recommend.library_index import LibraryIndex


_SUMMARIES_AT_ONCE = 65_536


class LanceLibrary:
    """Reads and writes a library in LanceDB; see `Library`.

    Create one with `LanceLibrary.open` or `LanceLibrary.create`, and close it or use it in a `with` statement.

    Attributes:
        path: The library as users name it, such as "lance:/music/library" or "s3://bucket/library".
        heads: The heads whose answers are stored, {name: head}.
        embedding_size: Size of the stored embeddings, which are those of all models side by side.
        exports: The models that gave the answers.
        analysis: The settings of the analysis, as `create` received them; {} if they are unknown.
    """

    def __init__(self, database: Database) -> None:
        self._database, self.path = database, database.name
        described = database.state().described
        self.heads: dict[str, Head] = {head["name"]: from_dict(head) for head in described["heads"]}
        self.embedding_size: int = described["embedding_size"]
        self.analysis: dict[str, Any] = described["analysis"]
        self.exports = [ExportRef(**export) for export in described["exports"]]
        self._space: tuple[int, Space | None] | None = None
        self._layouts: tuple[Space, SummaryLayout] | None = None

    @classmethod
    def open(cls, address: str | Path) -> "LanceLibrary":
        """Open an existing library.

        Args:
            address: A folder, or an address in an object store.

        Raises:
            LibraryError: There is no library, or this version cannot read it.
        """
        place = package.place_of(address)
        if not is_remote(place):
            _check_folder(place)
        return cls(Database(place))

    @classmethod
    def create(
        cls,
        address: str | Path,
        *,
        exports: Sequence[ExportRef],
        heads: Sequence[Head],
        embedding_size: int,
        analysis: Mapping[str, Any] | None = None,
    ) -> "LanceLibrary":
        """Create an empty library.

        Args:
            address: A folder, or an address in an object store; missing folders are created, too.
            exports: The models whose answers will be stored.
            heads: The heads of these models.
            embedding_size: Size of the embeddings of all models together.
            analysis: The settings of the analysis that change its answers, in plain JSON types.

        Raises:
            LibraryError: There is something at the address already, or it cannot be written.
        """
        place = package.place_of(address)
        _check_free(place)
        described = {
            "heads": [to_dict(head) for head in heads],
            "embedding_size": embedding_size,
            "analysis": dict(analysis or {}),
            "exports": [asdict(export) for export in exports],
        }
        commits.create(place, described)
        return cls(Database(place))

    def close(self) -> None:
        """Close the library."""
        if self._database.writes > 1:
            with suppress(LibraryError):  # another program joins the small files later
                self._database.tidy()
        self._database.close()

    def __enter__(self) -> "LanceLibrary":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __len__(self) -> int:
        """Return the number of tracks: recordings with a file that is there."""
        with self._database.reading() as tables:
            return reading.count_tracks(tables)

    @contextmanager
    def one_state(self) -> Iterator[None]:
        """See one state of the library in all that is read meanwhile. Nothing may be written."""
        with self._database.one_state():
            yield

    def version(self) -> Hashable:
        """Return what differs as soon as this or another program has changed the library."""
        return self._database.state().number

    def read(self) -> tuple[list[Track], dict[str, np.ndarray]]:
        """Return one track per recording that has a file which is there; see `SqliteLibrary.read`."""
        with self._database.reading() as tables:
            tracks, values = reading.all_tracks(tables, self.heads, self.embedding_size)
        return tracks, self._blocks(values)

    def present(self) -> PresentTracks:
        """Return the recordings that `read` returns, without what the models said."""
        with self._database.reading() as tables:
            return reading.present(tables)

    def tracks(self, ids: Sequence[int]) -> list[Track]:
        """Return the tracks of some recordings, in their order."""
        with self._database.reading() as tables:
            return reading.tracks_of_recordings(tables, self.heads, self.embedding_size, ids)

    def values(self, ids: Sequence[int]) -> dict[str, np.ndarray]:
        """Return the values of some recordings, in their order; see `read`."""
        with self._database.reading() as tables:
            return self._blocks(reading.values_of_recordings(tables, self.heads, self.embedding_size, ids))

    def audio_facts(self, ids: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """Return the lengths of some recordings in seconds, and whether the answers for them mean little."""
        with self._database.reading() as tables:
            return reading.audio_facts(tables, ids)

    def ids_of(self, audio_hashes: Iterable[str]) -> dict[str, int]:
        """Return {audio_hash: id} of the recordings that the library has, also of those without a file."""
        with self._database.reading() as tables:
            return reading.ids_of(tables, audio_hashes)

    def space(self) -> Space | None:
        """Return the space of the summaries; None if there is none yet, or one of another version of musicrec."""
        with self._database.reading() as tables:
            return self._space_of(tables)

    def summaries(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Return all summaries in parts; see `Library.summaries`."""
        with self._database.reading() as tables:
            space = self._space_of(tables)
            if space is None:
                return
            layout = self._layout(space)
            ids = np.sort(tables.rows("summaries", ["recording"])["recording"].to_numpy())
            for start in range(0, len(ids), _SUMMARIES_AT_ONCE):
                part = ids[start : start + _SUMMARIES_AT_ONCE]
                where = f"recording >= {part[0]} AND recording <= {part[-1]}"
                rows = tables.rows("summaries", summary_rows.STORED, where).sort_by("recording")
                found = summary_rows.to_summaries(rows, layout)
                yield rows["recording"].to_numpy(), found.view(np.uint8).reshape(len(found), -1)

    def save_summaries(self, ids: Sequence[int], rows: np.ndarray, *, space: Space | None = None) -> None:
        """Save summaries; a new space deletes all earlier ones. A recording without a file gets none."""
        with self._database.writing() as draft:
            kept = self._space_of(draft.tables) if space is None else space
            layout = None if kept is None else self._layout(kept)
            if layout is None or rows.shape[1] != layout.dtype.itemsize:
                raise LibraryError(f"{self.path}: summaries of another space than that of the library; index again")
            writing.save_summaries(draft, np.asarray(ids, np.int64), rows.view(layout.dtype)[:, 0], layout, space)

    def index(self) -> "LibraryIndex":
        """Return what queries search in: the tables.

        While some tracks have not been summed up, as after a program was killed, it is the tracks in memory.
        """
        from musicrec.recommend.lance.index import LanceIndex
        from musicrec.recommend.library_index import MemoryIndex

        space = self.space()
        found = None if space is None else LanceIndex(self, self._database, space, self._layout(space))
        return MemoryIndex(self) if found is None or len(found) < len(self) else found

    def passages(self, ids: Sequence[int]) -> list[Passages]:
        """Return the passages of some recordings, in their order, as passages to compare; none if unknown."""
        with self._database.reading() as tables:
            return reading.passages_of_recordings(tables, ids)

    def peaks(self, ids: Sequence[int]) -> list[np.ndarray | None]:
        """Return the outlines of some recordings, in their order; None if unknown."""
        with self._database.reading() as tables:
            return reading.peaks_of_recordings(tables, ids)

    def beat_grids(self, audio_hashes: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Return {audio_hash: beat grid} of the recordings that have one."""
        ids = self.ids_of(audio_hashes)
        with self._database.reading() as tables:
            return reading.beat_grids(tables, ids)

    def fingerprints(
        self, *, shortest_s: float = 0.0, longest_s: float = math.inf
    ) -> list[tuple[str, float, bytes, str | None]]:
        """Return audio hash, length, fingerprint and version_of of recordings; see `Library.fingerprints`."""
        with self._database.reading() as tables:
            return reading.fingerprints(tables, shortest_s, longest_s)

    def hashes_of(self, ids: Sequence[int]) -> list[str]:
        """Return the audio hashes of some recordings, in their order."""
        with self._database.reading() as tables:
            return reading.hashes_of(tables, ids)

    def blocks(self) -> list[str]:
        """Return the names of the blocks that `read` returns."""
        with self._database.reading() as tables:
            some = reading.some_ids(tables)
        return list(self.values(some))

    def find(
        self,
        *,
        path: str | None = None,
        track_id: str | None = None,
        content_hash: str | None = None,
        name: str | None = None,
    ) -> list[Track]:
        """Return the tracks of all files with this path, track_id, content or name; see `Library.find`."""
        wanted = {"path": path, "track_id": track_id, "content_hash": content_hash, "name": name}
        with self._database.reading() as tables:
            return reading.tracks_of(tables, self.heads, self.embedding_size, wanted)

    def files(self) -> list[LibraryFile]:
        """Return all files, missing ones too, in the order of their paths."""
        with self._database.reading() as tables:
            return reading.all_files(tables)

    def sources(self) -> list[Source]:
        """Return the sources, in the order of their places."""
        with self._database.reading() as tables:
            return reading.all_sources(tables)

    def listings(self, audio_hashes: Iterable[str]) -> dict[str, list[Listing]]:
        """Return {audio_hash: listings with metadata} of the files of some recordings."""
        with self._database.reading() as tables:
            return reading.listings_of(tables, audio_hashes)

    def remarks(self) -> dict[str, tuple[Remark, ...]]:
        """Return {audio_hash: remarks} of the recordings with remarks and a file that is there."""
        with self._database.reading() as tables:
            return reading.all_remarks(tables)

    def audio_hashes(self) -> set[str]:
        """Return the recordings, also those without a file."""
        with self._database.reading() as tables:
            return reading.audio_hashes(tables)

    def incomplete(self) -> set[str]:
        """Return the recordings that were analysed before something was known of a track."""
        with self._database.reading() as tables:
            return reading.incomplete(tables)

    def problems(self) -> list[str]:
        """Check that all tables can be read, that answers are complete and finite, and that rows fit together."""
        try:
            with self._database.reading() as tables:
                return reading.problems_of(tables, self.heads, self.embedding_size)
        except LibraryError as error:
            return [str(error)]

    def save(self, changes: Changes) -> None:
        """Save changes, all of them or none."""
        if changes:
            with self._database.writing() as draft:
                writing.save(draft, changes, heads=list(self.heads))

    def prune(self) -> tuple[int, int]:
        """Delete the missing files and the recordings without a file; return how many of both."""
        with self._database.writing() as draft:
            return writing.prune(draft)

    def relocate(self, moved: Mapping[str, str], *, present: Iterable[str]) -> None:
        """Change the paths of files and sources; see `Library.relocate`."""
        with self._database.writing() as draft:
            writing.relocate(draft, moved, present=present)

    def move_exports(self, exports: Sequence[ExportRef]) -> None:
        """Store where the exports are now. They keep the names that the library knows them by."""
        named = {export.sha256: export.name for export in self.exports}
        sizes = {export.sha256: export.embedding_size for export in self.exports}
        moved = [
            replace(one, name=named[one.sha256], embedding_size=sizes[one.sha256] or one.embedding_size)
            for one in exports
        ]
        if moved == self.exports:
            return
        with self._database.writing() as draft:
            draft.described = draft.described | {"exports": [asdict(export) for export in moved]}
        self.exports = moved

    def tidy(self) -> None:
        """Join small files, and make or extend the indices. After many writes it makes queries faster."""
        self._database.tidy(before=search.bring_indices_up_to_date)

    def _blocks(self, values: reading.Values) -> dict[str, np.ndarray]:
        varying = {"variation": values.variations} if values.variations.shape[1] else {}
        return values.described | values.by_head | split_embedding(values.embeddings, self.exports) | varying

    def _space_of(self, tables: Tables) -> Space | None:
        version = tables.open("space").version
        if self._space is None or self._space[0] != version:
            found = reading.space_of(tables)
            space = None if found is None else Space.from_bytes(*found, list(self.heads.values()))
            self._space = version, space
        return self._space[1]

    def _layout(self, space: Space) -> SummaryLayout:
        if self._layouts is None or self._layouts[0] is not space:
            self._layouts = space, SummaryLayout(list(self.heads.values()), space)
        return self._layouts[1]


if TYPE_CHECKING:
    _is_library: type[Library] = LanceLibrary


def exists(address: str | Path) -> bool:
    """Return whether there is a library, or something else, at an address.

    A first start that was killed leaves nothing.

    Raises:
        LibraryError: LanceDB is not installed, or the address cannot be reached.
    """
    place = package.place_of(address)
    if is_remote(place):
        return commits.exists(place)
    return os.path.lexists(place) and not _unfinished(place)


def delete(address: str | Path) -> None:
    """Delete a library."""
    place = package.place_of(address)
    commits.delete(place)
    if not is_remote(place):
        with suppress(OSError):  # a folder that holds something else stays
            (Path(place) / commits.LOCK).unlink(missing_ok=True)
            Path(place).rmdir()


def size_bytes(address: str | Path) -> int:
    """Return the size of a library on disk in bytes; 0 for one in an object store."""
    place = package.place_of(address)
    if is_remote(place):
        return 0
    return sum(file.stat().st_size for file in Path(place).rglob("*") if file.is_file())


def _unfinished(place: str) -> bool:
    """Return whether a folder is empty, or holds only what `create` writes before there is a library."""
    known = {f"{name}.lance" for name in schema.SCHEMAS} | {commits.LOCK}
    return os.path.isdir(place) and set(os.listdir(place)) <= known


def _check_free(place: str) -> None:
    named = package.name_of(place)
    try:
        if exists(place):
            raise LibraryError(f"{named} exists already; {ANOTHER}")
    except OSError as error:
        raise LibraryError(f"{named} cannot be written: {error.strerror}; {ANOTHER}") from None


def _check_folder(place: str) -> None:
    named = package.name_of(place)
    if not os.path.exists(place) or (os.path.isdir(place) and os.access(place, os.R_OK) and _unfinished(place)):
        raise LibraryError(package.none_at(named))
    if not os.path.isdir(place):
        raise LibraryError(f"{named} is a file, but a library in LanceDB is a folder; {ANOTHER}")
    if not os.access(place, os.R_OK | os.X_OK):
        raise LibraryError(
            f"{named} cannot be read: permission denied; change its permissions, or name another library"
        )
    if not os.path.isdir(os.path.join(place, f"{schema.STATE}.lance")):
        raise LibraryError(f"{named} is a folder, but not a library of musicrec; {ANOTHER}")
