"""A library in one SQLite file: the answers of the models for every track, and which models gave them.

Each write is one transaction. If a program is killed, the file stays as its last finished write left it.

Format 2 keeps the remarks on a track's audio. A library of format 1 has none; it is read as it is, and the first write
turns it into format 2.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from musicrec.audio.remark import Remark
from musicrec.errors import LibraryError
from musicrec.heads import Head, from_dict, to_dict
from musicrec.recommend.exports import ExportRef
from musicrec.recommend.track import Track

_APPLICATION_ID = 0x6D757265  # "mure" in the header of the file: distinguishes libraries from other SQLite files
_VERSION = 2
_ADD_REMARKS = "ALTER TABLE tracks ADD COLUMN remarks TEXT NOT NULL DEFAULT '[]'"
_SCHEMA = """
CREATE TABLE models (heads TEXT NOT NULL, embedding_size INTEGER NOT NULL);
CREATE TABLE exports (path TEXT NOT NULL, sha256 TEXT NOT NULL);
CREATE TABLE tracks (
    path TEXT PRIMARY KEY, track_id TEXT NOT NULL, source TEXT NOT NULL, title TEXT, artist TEXT,
    size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, audio_hash TEXT NOT NULL, duration_s REAL NOT NULL,
    probabilities BLOB NOT NULL, -- float32, the heads in the order of models.heads
    embedding BLOB NOT NULL,     -- float32
    remarks TEXT NOT NULL        -- JSON, [[text, unreliable]]
);
"""
_FACTS = ("path", "track_id", "source", "title", "artist", "size", "mtime_ns", "audio_hash", "duration_s")
_COLUMNS = (*_FACTS, "remarks", "probabilities", "embedding")


class SqliteLibrary:
    """Reads and writes the file of a library.

    Create one with `SqliteLibrary.open` or `SqliteLibrary.create`, and close it or use it in a `with` statement.

    Attributes:
        path: The file.
        heads: The heads whose answers are stored, {name: head}.
        embedding_size: Size of the stored embeddings.
        exports: The models that gave the answers.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path, self._connection = path, connection
        with self._errors():
            heads, embedding_size = connection.execute("SELECT heads, embedding_size FROM models").fetchone()
            exports = connection.execute("SELECT path, sha256 FROM exports ORDER BY rowid").fetchall()
        self.heads: dict[str, Head] = {head["name"]: from_dict(head) for head in json.loads(heads)}
        self.embedding_size: int = embedding_size
        self.exports = [ExportRef(path=path, sha256=sha256) for path, sha256 in exports]

    @classmethod
    def open(cls, path: str | Path) -> "SqliteLibrary":
        """Open an existing library.

        Raises:
            LibraryError: There is no library at `path`, or this version cannot read it.
        """
        path = Path(path)
        if path.is_dir():
            raise LibraryError(f"{path} is a folder; name the file of a library, as in library=my.sqlite")
        if not path.is_file():
            raise LibraryError(f"{path}: no such library; create one with action=index")
        connection = _connect(path)
        try:
            found = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")]
        except sqlite3.Error as error:
            connection.close()
            raise LibraryError(f"{path} is not a library ({error}); name another file with library=…") from None
        if found[0] == _APPLICATION_ID and 1 <= found[1] <= _VERSION:
            return cls(path, connection)
        connection.close()
        if found[0] == _APPLICATION_ID:
            raise LibraryError(
                f"{path} is a library of format {found[1]}, but this version reads formats up to {_VERSION}; update "
                "musicrec, or index again into a new file"
            )
        raise LibraryError(f"{path} is not a library of musicrec; name another file with library=…")

    @classmethod
    def create(
        cls, path: str | Path, *, exports: Sequence[ExportRef], heads: Sequence[Head], embedding_size: int
    ) -> "SqliteLibrary":
        """Create an empty library.

        Args:
            path: The file to create; missing folders are created, too. An empty file is overwritten.
            exports: The models whose answers will be stored.
            heads: The heads of these models.
            embedding_size: Size of the embeddings of all models together.

        Raises:
            LibraryError: The file exists already or cannot be written.
        """
        path = Path(path)
        if path.exists() and path.stat().st_size:
            raise LibraryError(f"{path} exists already; name another file with library=…")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LibraryError(f"{path} cannot be written: {error.strerror}") from None
        connection = _connect(path, mode="rwc")
        try:
            connection.executescript(
                f"BEGIN;{_SCHEMA} PRAGMA application_id={_APPLICATION_ID}; PRAGMA user_version={_VERSION};"
            )
            described = json.dumps([to_dict(head) for head in heads])
            connection.execute("INSERT INTO models VALUES (?, ?)", (described, embedding_size))
            connection.executemany("INSERT INTO exports VALUES (?, ?)", [(e.path, e.sha256) for e in exports])
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            connection.close()
            if path.exists() and not path.stat().st_size:  # otherwise another program has created its library here
                path.unlink(missing_ok=True)
            raise LibraryError(f"{path} cannot be written: {error}") from None
        return cls(path, connection)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def __enter__(self) -> "SqliteLibrary":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __len__(self) -> int:
        with self._errors():
            return int(self._connection.execute("SELECT count(*) FROM tracks").fetchone()[0])

    def add(self, tracks: Iterable[Track]) -> None:
        """Add tracks in one transaction. A track whose path is already there is replaced."""
        rows = [
            (
                *(getattr(track, name) for name in _FACTS),
                json.dumps([[remark.text, remark.unreliable] for remark in track.remarks]),
                np.concatenate([track.probabilities[name] for name in self.heads]).astype("<f4").tobytes(),
                track.embedding.astype("<f4").tobytes(),
            )
            for track in tracks
        ]
        with self._transaction() as connection:
            columns, marks = ", ".join(_COLUMNS), ", ".join("?" * len(_COLUMNS))
            connection.executemany(f"INSERT OR REPLACE INTO tracks ({columns}) VALUES ({marks})", rows)

    def remove(self, paths: Iterable[str]) -> None:
        """Remove the tracks with these paths in one transaction. Unknown paths are ignored."""
        with self._transaction() as connection:
            connection.executemany("DELETE FROM tracks WHERE path = ?", [(path,) for path in paths])

    def relabel(self, labels: Iterable[dict[str, str | None]]) -> None:
        """Change the names of tracks in one transaction; what the models answered stays.

        Args:
            labels: Per track a dict with its `path` and the new `track_id`, `source`, `title` and `artist`.
        """
        with self._transaction() as connection:
            connection.executemany(
                "UPDATE tracks SET track_id = :track_id, source = :source, title = :title, artist = :artist "
                "WHERE path = :path",
                labels,
            )

    def move_exports(self, exports: Sequence[ExportRef]) -> None:
        """Store where the exports are now. Their content must be the same."""
        with self._transaction() as connection:
            connection.executemany(
                "UPDATE exports SET path = ? WHERE sha256 = ?", [(e.path, e.sha256) for e in exports]
            )
        self.exports = list(exports)

    def read(self, *, track_id: str | None = None) -> tuple[list[Track], dict[str, np.ndarray]]:
        """Read the tracks, in the order of their paths.

        Args:
            track_id: Read only the tracks with this track_id.

        Returns:
            The tracks, and their values in matrices: {block: (tracks, size) float32}, where a block is a head or
            "embedding". The values in the tracks are rows of these matrices.
        """
        chosen, arguments = ("", ()) if track_id is None else ("WHERE track_id = ?", (track_id,))
        with self._errors():
            columns = ", ".join(_COLUMNS)
            if self._format() == 1:
                columns = columns.replace("remarks", "'[]'")
            rows = self._connection.execute(
                f"SELECT {columns} FROM tracks {chosen} ORDER BY path", arguments
            ).fetchall()
        sizes = [len(head.classes) for head in self.heads.values()]
        probabilities = _matrix([row[-2] for row in rows], sum(sizes))
        by_head = dict(zip(self.heads, np.split(probabilities, np.cumsum(sizes)[:-1], axis=1), strict=True))
        embeddings = _matrix([row[-1] for row in rows], self.embedding_size)
        tracks = [
            Track(
                **dict(zip(_FACTS, row, strict=False)),
                remarks=tuple(Remark(text, unreliable) for text, unreliable in json.loads(row[-3])),
                probabilities={name: values[number] for name, values in by_head.items()},
                embedding=embeddings[number],
            )
            for number, row in enumerate(rows)
        ]
        return tracks, by_head | {"embedding": embeddings}

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._errors(), self._connection as connection:
            connection.execute("BEGIN IMMEDIATE")
            if self._format() == 1:
                connection.execute(_ADD_REMARKS)
                connection.execute(f"PRAGMA user_version={_VERSION}")
            yield connection

    def _format(self) -> int:
        return int(self._connection.execute("PRAGMA user_version").fetchone()[0])

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise LibraryError(f"{self.path}: {error}; earlier writes are kept") from None


def _connect(path: Path, *, mode: str = "rw") -> sqlite3.Connection:
    """Open the file. mode: "rw" never creates it, and repairs what a killed program left; "rwc" may create it."""
    try:
        return sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None, timeout=30)
    except (sqlite3.Error, UnicodeEncodeError) as error:
        raise LibraryError(f"{path} cannot be opened: {error}") from None


def _matrix(rows: Sequence[bytes], size: int) -> np.ndarray:
    """(rows, size) float32 from one blob per row."""
    return np.frombuffer(b"".join(rows), "<f4").reshape(len(rows), size)
