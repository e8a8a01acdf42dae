"""A library in one SQLite file: what the models said about each recording, where its files are, and who lists them.

Each write is one transaction. If a program is killed, the file stays as its last finished write left it. While one
program writes, others read (write-ahead logging); for that, SQLite keeps two files beside the library while it is open.
"""

import json
import math
import sqlite3
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from musicrec.audio.remark import Remark
from musicrec.errors import LibraryError
from musicrec.export.passages import Passages
from musicrec.heads import Head, from_dict, to_dict
from musicrec.recommend import sqlite_facts, sqlite_formats, sqlite_reading, sqlite_schema, sqlite_writing
from musicrec.recommend.exports import ExportRef, model_names
from musicrec.recommend.library import (
    ANOTHER,
    Changes,
    LibraryFile,
    Listing,
    PresentTracks,
    Recording,
    Source,
    values_of,
)
from musicrec.recommend.space import Space
from musicrec.recommend.track import Track, split_embedding
from musicrec.system.atomic_write import may_write_in

BESIDE = ("-wal", "-shm", ".lock")
"""What the names of the files beside a library end with: two of SQLite, and the lock of the program that writes."""


class SqliteLibrary:
    """Reads and writes the file of a library; see `Library`.

    Create one with `SqliteLibrary.open` or `SqliteLibrary.create`, and close it or use it in a `with` statement.

    Attributes:
        path: The file.
        heads: The heads whose answers are stored, {name: head}.
        embedding_size: Size of the stored embeddings, which are those of all models side by side.
        exports: The models that gave the answers.
        analysis: The settings of the analysis, as `create` received them; {} if they are unknown.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path, self._connection = path, connection
        self._shown = sqlite_schema.VERSION  # the format that the views of the connection are made for
        self._writes, self._prepared = 0, False
        with self._reading():
            heads, embedding_size, analysis = connection.execute(
                "SELECT heads, embedding_size, analysis FROM models"
            ).fetchone()
            exports = connection.execute(
                "SELECT path, sha256, name, embedding_size FROM exports ORDER BY rowid"
            ).fetchall()
        self.heads: dict[str, Head] = {head["name"]: from_dict(head) for head in json.loads(heads)}
        self.embedding_size: int = embedding_size
        self.analysis: dict[str, Any] = json.loads(analysis)
        names = model_names([path for path, *_ in exports])
        self.exports = [
            ExportRef(
                path=path,
                sha256=sha256,
                name=name or named,
                embedding_size=embedding_size if size is None and len(exports) == 1 else size,
            )
            for (path, sha256, name, size), named in zip(exports, names, strict=True)
        ]

    @classmethod
    def open(cls, path: str | Path) -> "SqliteLibrary":
        """Open an existing library.

        Raises:
            LibraryError: There is no library at `path`, or this version cannot read it.
        """
        connection = sqlite_schema.open_file(Path(path))
        try:
            return cls(Path(path), connection)
        except BaseException:
            connection.close()
            raise

    @classmethod
    def create(
        cls,
        path: str | Path,
        *,
        exports: Sequence[ExportRef],
        heads: Sequence[Head],
        embedding_size: int,
        analysis: Mapping[str, Any] | None = None,
    ) -> "SqliteLibrary":
        """Create an empty library.

        Args:
            path: The file to create; missing folders are created, too. An empty file is overwritten.
            exports: The models whose answers will be stored.
            heads: The heads of these models.
            embedding_size: Size of the embeddings of all models together.
            analysis: The settings of the analysis that change its answers, in plain JSON types.

        Raises:
            LibraryError: The file exists already or cannot be written.
        """
        path = Path(path)
        try:
            if path.exists() and path.stat().st_size:
                raise LibraryError(f"{path} exists already; {ANOTHER}")
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LibraryError(f"{path} cannot be written: {error.strerror}; {ANOTHER}") from None
        if not may_write_in(path.parent):
            raise LibraryError(f"{path} cannot be made: nothing may be written in the folder {path.parent}; {ANOTHER}")
        connection = sqlite_schema.connect(path, mode="rwc")
        try:
            connection.execute("BEGIN")
            sqlite_schema.create_tables(connection)
            described = json.dumps([to_dict(head) for head in heads])
            settings = json.dumps(dict(analysis or {}))
            connection.execute("INSERT INTO models VALUES (?, ?, ?)", (described, embedding_size, settings))
            connection.executemany(
                "INSERT INTO exports VALUES (?, ?, ?, ?)",
                [(e.path, e.sha256, e.name, e.embedding_size) for e in exports],
            )
            connection.execute("COMMIT")
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.Error as error:
            connection.close()
            if path.exists() and not path.stat().st_size:  # otherwise another program has created its library here
                path.unlink(missing_ok=True)
            raise LibraryError(f"{path} cannot be written: {error}; {ANOTHER}") from None
        return cls(path, connection)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def __enter__(self) -> "SqliteLibrary":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __len__(self) -> int:
        """Return the number of tracks: recordings with a file that is there."""
        with self._reading() as connection:
            return sqlite_facts.count_tracks(connection)

    @property
    def format(self) -> int:
        """The format of the file; the first write changes an older one to the newest."""
        with sqlite_schema.named_errors(self.path):
            return sqlite_schema.format_of(self._connection)

    @contextmanager
    def one_state(self) -> Iterator[None]:
        """See one state of the library in all that is read meanwhile. Nothing may be written."""
        with self._reading():
            yield

    def version(self) -> Hashable:
        """Return what differs as soon as this or another program has changed the library; feedback does not count."""
        with sqlite_schema.named_errors(self.path):
            mark = sqlite_schema.mark_of(self._connection)
            if mark is not None:
                return mark
            return self._writes, self._connection.execute("PRAGMA data_version").fetchone()[0]

    def read(self) -> tuple[list[Track], dict[str, np.ndarray]]:
        """Return one track per recording that has a file which is there, in the order of the paths.

        Of copies, the first path stands for all.

        Returns:
            The tracks, and their values in matrices: {block: (tracks, size) float32}. A block is a head; "embedding",
            the embeddings of all models side by side; "embedding.NAME", that of one model; "variation", NaN for a track
            without it; or a descriptor, of size 1, NaN for a track without it. The values in the tracks are rows of
            these matrices.
        """
        with self._reading() as connection:
            tracks, by_head, embeddings, variations = sqlite_reading.all_tracks(
                connection, self.heads, self.embedding_size
            )
        described = dict.fromkeys(name for track in tracks for name in track.descriptors)
        descriptors = {
            name: np.array([[track.descriptors.get(name, np.nan)] for track in tracks], np.float32)
            for name in described
        }
        return tracks, self._blocks(descriptors | by_head, embeddings, variations)

    def _blocks(
        self, values: dict[str, np.ndarray], embeddings: np.ndarray, variations: np.ndarray
    ) -> dict[str, np.ndarray]:
        varying = {"variation": variations} if variations.shape[1] else {}
        return values | split_embedding(embeddings, self.exports) | varying

    def present(self) -> PresentTracks:
        """Return the recordings that `read` returns, without what the models said."""
        with self._reading() as connection:
            return sqlite_facts.present(connection)

    def tracks(self, ids: Sequence[int]) -> list[Track]:
        """Return the tracks of some recordings, in their order."""
        with self._reading() as connection:
            return sqlite_reading.tracks_of_recordings(connection, self.heads, ids)

    def values(self, ids: Sequence[int]) -> dict[str, np.ndarray]:
        """Return the values of some recordings, in their order; see `read`."""
        with self._reading() as connection:
            found = sqlite_reading.values_of_recordings(connection, self.heads, self.embedding_size, ids)
        return self._blocks(*found)

    def hashes_of(self, ids: Sequence[int]) -> list[str]:
        """Return the audio hashes of some recordings, in their order."""
        with self._reading() as connection:
            return sqlite_facts.hashes_of(connection, ids)

    def blocks(self) -> list[str]:
        """Return the names of the blocks that `read` returns."""
        with self._reading() as connection:
            some = sqlite_facts.some_ids(connection)
        return list(self.values(some))

    def space(self) -> Space | None:
        """Return the space of the summaries; None if there is none yet, or one of another version of musicrec."""
        with self._reading() as connection:
            found = sqlite_facts.space_of(connection)
        return None if found is None else Space.from_bytes(*found, list(self.heads.values()))

    def passages(self, ids: Sequence[int]) -> list[Passages]:
        """Return the passages of some recordings, in their order, as passages to compare; none if unknown."""
        with self._reading() as connection:
            return sqlite_facts.passages_of_recordings(connection, ids)

    def peaks(self, ids: Sequence[int]) -> list[np.ndarray | None]:
        """Return the outlines of some recordings, in their order; None if unknown."""
        with self._reading() as connection:
            return sqlite_facts.peaks_of_recordings(connection, ids)

    def beat_grids(self, audio_hashes: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Return {audio_hash: beat grid} of the recordings that have one."""
        with self._reading() as connection:
            return sqlite_facts.beat_grids(connection, audio_hashes)

    def fingerprints(
        self, *, shortest_s: float = 0.0, longest_s: float = math.inf
    ) -> list[tuple[str, float, bytes, str | None]]:
        """Return audio hash, length, fingerprint and version_of of recordings; see `Library.fingerprints`."""
        with self._reading() as connection:
            return sqlite_facts.fingerprints(connection, shortest_s, longest_s)

    def audio_facts(self, ids: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """Return the lengths of some recordings in seconds, and whether the answers for them mean little."""
        with self._reading() as connection:
            return sqlite_facts.audio_facts(connection, ids)

    def ids_of(self, audio_hashes: Iterable[str]) -> dict[str, int]:
        """Return {audio_hash: id} of the recordings that the library has, also of those without a file."""
        with self._reading() as connection:
            return sqlite_facts.ids_of(connection, audio_hashes)

    def summaries(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Return all summaries in parts; see `Library.summaries`. Nothing else may be read meanwhile."""
        with self._reading() as connection:
            yield from sqlite_facts.summaries(connection)

    def save_summaries(self, ids: Sequence[int], rows: np.ndarray, *, space: Space | None = None) -> None:
        """Save summaries; a new space deletes all earlier ones."""
        with self._transaction() as connection:
            sqlite_writing.save_summaries(connection, ids, rows, space=None if space is None else space.to_bytes())

    def find(
        self,
        *,
        path: str | None = None,
        track_id: str | None = None,
        content_hash: str | None = None,
        name: str | None = None,
    ) -> list[Track]:
        """Return the tracks of all files with this path, track_id in any source, content, or name."""
        with self._reading() as connection:
            return sqlite_reading.tracks_of(
                connection, self.heads, path=path, track_id=track_id, content_hash=content_hash, name=name
            )

    def files(self) -> list[LibraryFile]:
        """Return all files, missing ones too, in the order of their paths."""
        with self._reading() as connection:
            return sqlite_facts.all_files(connection)

    def sources(self) -> list[Source]:
        """Return the sources, in the order of their places."""
        with self._reading() as connection:
            return sqlite_facts.all_sources(connection)

    def listings(self, audio_hashes: Iterable[str]) -> dict[str, list[Listing]]:
        """Return {audio_hash: listings with metadata} of the files of some recordings."""
        with self._reading() as connection:
            return sqlite_facts.listings_of(connection, audio_hashes)

    def remarks(self) -> dict[str, tuple[Remark, ...]]:
        """Return {audio_hash: remarks} of the recordings with remarks and a file that is there."""
        with self._reading() as connection:
            return sqlite_facts.all_remarks(connection)

    def audio_hashes(self) -> set[str]:
        """Return the recordings, also those without a file."""
        with self._reading() as connection:
            return {audio_hash for (audio_hash,) in connection.execute("SELECT audio_hash FROM recordings")}

    def incomplete(self) -> set[str]:
        """Return the recordings that were analysed before something was known of a track."""
        with self._reading() as connection:
            return sqlite_facts.incomplete(connection)

    def problems(self) -> list[str]:
        """Check what SQLite checks, and that the answers are complete and finite."""
        with self._reading() as connection:
            return sqlite_facts.problems_of(connection, self.heads, self.embedding_size)

    def save(self, changes: Changes) -> None:
        """Save changes in one transaction."""
        with self._transaction() as connection:
            sqlite_writing.save(connection, changes, heads=list(self.heads))

    def add(self, tracks: Iterable[Track]) -> None:
        """Add tracks in one transaction: a recording, a file and its source for each."""
        tracks = list(tracks)
        with self._transaction() as connection:
            for place in dict.fromkeys(track.source for track in tracks):
                changes = Changes(place=place or None, source=Source(place=place) if place else None)
                for track in tracks:
                    if track.source == place:
                        _add(changes, track)
                sqlite_writing.save(connection, changes, heads=list(self.heads))

    def remove(self, paths: Iterable[str]) -> None:
        """Remove the files with these paths in one transaction. Unknown paths are ignored."""
        with self._transaction() as connection:
            sqlite_writing.remove(connection, paths)

    def prune(self) -> tuple[int, int]:
        """Delete the missing files and the recordings without a file; return how many of both."""
        with self._transaction() as connection:
            counts = sqlite_writing.prune(connection)
        with suppress(sqlite3.Error):  # the space is given back another time
            self._connection.execute("VACUUM")
        return counts

    def tidy(self) -> None:
        """Let SQLite look at what is in the tables, so that it plans its searches better."""
        with suppress(sqlite3.Error):
            self._connection.execute("PRAGMA optimize")

    def relocate(self, moved: Mapping[str, str], *, present: Iterable[str]) -> None:
        """Change the paths of files and sources in one transaction; see `Library.relocate`."""
        with self._transaction() as connection:
            sqlite_writing.relocate(connection, moved, present=present)

    def move_exports(self, exports: Sequence[ExportRef]) -> None:
        """Store where the exports are now, and their embedding sizes if the library did not know them.

        Their content must be the same. They keep the names that the library knows them by.
        """
        sizes = [(export.path, export.embedding_size, export.sha256) for export in exports]
        with self._transaction() as connection:
            connection.executemany(
                "UPDATE exports SET path = ?, embedding_size = COALESCE(embedding_size, ?) WHERE sha256 = ?", sizes
            )
            connection.executemany(
                "UPDATE exports SET name = ? WHERE sha256 = ?", [(e.name, e.sha256) for e in self.exports]
            )
        named = {export.sha256: export.name for export in self.exports}
        self.exports = [replace(export, name=named[export.sha256]) for export in exports]

    def values_of(self, track: Track) -> dict[str, np.ndarray]:
        """Return the values of a track, also of one that is not in the library, {block: (size,)}, as `read` does."""
        return values_of(self, track)

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """See one state of the library, whatever another program writes meanwhile."""
        with sqlite_schema.named_errors(self.path):
            if self._connection.in_transaction:  # within `one_state`
                yield self._connection
                return
            self._connection.execute("BEGIN")
            try:
                if (found := sqlite_schema.format_of(self._connection)) != self._shown:
                    self._shown = 0
                    sqlite_formats.show_as_newest(self._connection, found)
                yield self._connection
                self._connection.execute("COMMIT")
                self._shown = found
            finally:
                if self._connection.in_transaction:
                    self._shown = 0
                    self._connection.execute("ROLLBACK")

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with sqlite_schema.named_errors(self.path):
            self._prepare_to_write()
            with self._connection as connection:
                connection.execute("BEGIN IMMEDIATE")
                sqlite_schema.leave_mark(connection)
                yield connection
        self._writes += 1

    def _prepare_to_write(self) -> None:
        """Turn an older format into the newest, once."""
        if self._prepared:
            return
        with self._connection as connection:
            connection.execute("PRAGMA foreign_keys=OFF")  # tables are replaced
            connection.execute("PRAGMA legacy_alter_table=ON")  # references to a renamed table keep its old name
            connection.execute("BEGIN IMMEDIATE")
            sqlite_formats.upgrade(connection)
        self._connection.execute("PRAGMA legacy_alter_table=OFF")
        self._connection.execute("PRAGMA foreign_keys=ON")
        self._shown = self.format
        with suppress(sqlite3.Error):  # where it cannot be, as readers hold the file, another program does it later
            self._connection.execute("PRAGMA journal_mode=WAL")
        self._prepared = True


def _add(changes: Changes, track: Track) -> None:
    changes.recordings.append(
        Recording(
            audio_hash=track.audio_hash,
            duration_s=track.duration_s,
            probabilities=track.probabilities,
            embedding=track.embedding,
            variation=track.variation,
            passages=track.passages,
            descriptors=track.descriptors,
            remarks=track.remarks,
        )
    )
    names = ("path", "audio_hash", "size", "mtime_ns", "content_hash", "track_id", "title", "artist", "album", "year")
    changes.files.append(LibraryFile(**{name: getattr(track, name) for name in names}, genre=track.genre))
    if track.source:
        changes.listed.append(Listing(path=track.path, track_id=track.track_id))
