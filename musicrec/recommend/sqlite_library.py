"""A library in one SQLite file: the answers of the models for every track, and which models gave them.

Each write is one transaction. If a program is killed, the file stays as its last finished write left it.

Format 2 added the remarks on a track's audio. Format 3 added the descriptors of a track, the name and the embedding
size of each model, and the settings of the analysis. Format 4 added the variation of a track's sound. Libraries of
older formats are read as they are, and the first write turns them into the newest one; what they do not hold stays
unknown.
"""

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from musicrec.audio.remark import Remark
from musicrec.errors import LibraryError
from musicrec.heads import Head, from_dict, to_dict
from musicrec.recommend.exports import ExportRef, model_names
from musicrec.recommend.track import Track, split_embedding

_APPLICATION_ID = 0x6D757265  # "mure" in the header of the file: distinguishes libraries from other SQLite files
_VERSION = 4
_UPGRADES = {  # {format: what turns the one before into it}
    2: ("ALTER TABLE tracks ADD COLUMN remarks TEXT NOT NULL DEFAULT '[]'",),
    3: (
        "ALTER TABLE tracks ADD COLUMN descriptors TEXT NOT NULL DEFAULT '{}'",
        "ALTER TABLE exports ADD COLUMN name TEXT",
        "ALTER TABLE exports ADD COLUMN embedding_size INTEGER",
        "ALTER TABLE models ADD COLUMN analysis TEXT NOT NULL DEFAULT '{}'",
    ),
    4: ("ALTER TABLE tracks ADD COLUMN variation BLOB",),
}
_SCHEMA = """
CREATE TABLE models (
    heads TEXT NOT NULL, embedding_size INTEGER NOT NULL,
    analysis TEXT NOT NULL       -- JSON, the settings of the analysis
);
CREATE TABLE exports (
    path TEXT NOT NULL, sha256 TEXT NOT NULL, name TEXT,
    embedding_size INTEGER       -- NULL: unknown, as format 2 did not have it
);
CREATE TABLE tracks (
    path TEXT PRIMARY KEY, track_id TEXT NOT NULL, source TEXT NOT NULL, title TEXT, artist TEXT,
    size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, audio_hash TEXT NOT NULL, duration_s REAL NOT NULL,
    probabilities BLOB NOT NULL, -- float32, the heads in the order of models.heads
    embedding BLOB NOT NULL,     -- float32, the models in the order of exports
    remarks TEXT NOT NULL,       -- JSON, [[text, unreliable]]
    descriptors TEXT NOT NULL,   -- JSON, {name: value}
    variation BLOB               -- float32, the models with tags in the order of exports; NULL: unknown
);
"""
_FACTS = ("path", "track_id", "source", "title", "artist", "size", "mtime_ns", "audio_hash", "duration_s")
_COLUMNS = (*_FACTS, "variation", "descriptors", "remarks", "probabilities", "embedding")
_ANOTHER = "name the file of a library (--library FILE, or library=FILE of `musicrec recommend`)"


class SqliteLibrary:
    """Reads and writes the file of a library.

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
        with self._errors():
            old = self._format() < 3
            model, export = ("'{}'", "NULL, NULL") if old else ("analysis", "name, embedding_size")
            heads, embedding_size, analysis = connection.execute(
                f"SELECT heads, embedding_size, {model} FROM models"
            ).fetchone()
            exports = connection.execute(f"SELECT path, sha256, {export} FROM exports ORDER BY rowid").fetchall()
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
        path = Path(path)
        if os.path.isdir(path):
            raise LibraryError(f"{path} is a folder; {_ANOTHER}")
        if not os.path.isfile(path):
            raise LibraryError(f"{path}: no such library; create one with `musicrec index FOLDER`")
        connection = _connect(path)
        try:
            found = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")]
        except sqlite3.Error as error:
            connection.close()
            raise LibraryError(f"{path} is not a library ({error}); {_ANOTHER}") from None
        if found[0] == _APPLICATION_ID and 1 <= found[1] <= _VERSION:
            return cls(path, connection)
        connection.close()
        if found[0] == _APPLICATION_ID:
            raise LibraryError(
                f"{path} is a library of format {found[1]}, but this version reads formats up to {_VERSION}; update "
                "musicrec, or index again into a new file"
            )
        raise LibraryError(f"{path} is not a library of musicrec; {_ANOTHER}")

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
        if os.path.exists(path) and os.path.getsize(path):
            raise LibraryError(f"{path} exists already; {_ANOTHER}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LibraryError(f"{path} cannot be written: {error.strerror}; {_ANOTHER}") from None
        connection = _connect(path, mode="rwc")
        try:
            connection.executescript(
                f"BEGIN;{_SCHEMA} PRAGMA application_id={_APPLICATION_ID}; PRAGMA user_version={_VERSION};"
            )
            described = json.dumps([to_dict(head) for head in heads])
            settings = json.dumps(dict(analysis or {}))
            connection.execute("INSERT INTO models VALUES (?, ?, ?)", (described, embedding_size, settings))
            connection.executemany(
                "INSERT INTO exports VALUES (?, ?, ?, ?)",
                [(e.path, e.sha256, e.name, e.embedding_size) for e in exports],
            )
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            connection.close()
            if path.exists() and not path.stat().st_size:  # otherwise another program has created its library here
                path.unlink(missing_ok=True)
            raise LibraryError(f"{path} cannot be written: {error}; {_ANOTHER}") from None
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
                None if _unknown(track.variation) else track.variation.astype("<f4").tobytes(),
                json.dumps(track.descriptors),
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

    def read(
        self, *, track_id: str | None = None, path: str | None = None
    ) -> tuple[list[Track], dict[str, np.ndarray]]:
        """Read the tracks, in the order of their paths.

        Args:
            track_id: Read only the tracks with this track_id.
            path: Read only the track with this path.

        Returns:
            The tracks, and their values in matrices: {block: (tracks, size) float32}. A block is a head; "embedding",
            the embeddings of all models side by side; "embedding.NAME", that of one model; "variation", NaN for a track
            without it; or a descriptor, of size 1, NaN for a track without it. The values in the tracks are rows of
            these matrices.
        """
        wanted = {name: value for name, value in (("track_id", track_id), ("path", path)) if value is not None}
        chosen = f"WHERE {' AND '.join(f'{name} = ?' for name in wanted)}" if wanted else ""
        with self._errors():
            columns = ", ".join(_COLUMNS)
            if (found := self._format()) < 4:
                columns = columns.replace("variation", "NULL")
            if found < 3:
                columns = columns.replace("descriptors", "'{}'")
            if found < 2:
                columns = columns.replace("remarks", "'[]'")
            rows = self._connection.execute(
                f"SELECT {columns} FROM tracks {chosen} ORDER BY path", list(wanted.values())
            ).fetchall()
        sizes = [len(head.classes) for head in self.heads.values()]
        probabilities = _matrix([row[-2] for row in rows], sum(sizes))
        by_head = dict(zip(self.heads, np.split(probabilities, np.cumsum(sizes)[:-1], axis=1), strict=True))
        embeddings = _matrix([row[-1] for row in rows], self.embedding_size)
        variations = _known_rows([row[-5] for row in rows])
        tracks = [
            Track(
                **dict(zip(_FACTS, row, strict=False)),
                descriptors=json.loads(row[-4]),
                remarks=tuple(Remark(text, unreliable) for text, unreliable in json.loads(row[-3])),
                probabilities={name: values[number] for name, values in by_head.items()},
                embedding=embeddings[number],
                variation=variations[number],
            )
            for number, row in enumerate(rows)
        ]
        described = dict.fromkeys(name for track in tracks for name in track.descriptors)
        descriptors = {
            name: np.array([[track.descriptors.get(name, np.nan)] for track in tracks], np.float32)
            for name in described
        }
        varying = {"variation": variations} if variations.shape[1] else {}
        return tracks, descriptors | by_head | split_embedding(embeddings, self.exports) | varying

    def values_of(self, track: Track) -> dict[str, np.ndarray]:
        """Return the values of a track, also of one that is not in the library, {block: (size,)}, as `read` does."""
        descriptors = {name: np.array([value], np.float32) for name, value in track.descriptors.items()}
        varying = {"variation": track.variation} if len(track.variation) else {}
        return descriptors | track.probabilities | split_embedding(track.embedding, self.exports) | varying

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._errors(), self._connection as connection:
            connection.execute("BEGIN IMMEDIATE")
            for version in range(self._format() + 1, _VERSION + 1):
                for change in _UPGRADES[version]:
                    connection.execute(change)
                connection.execute(f"PRAGMA user_version={version}")
            yield connection

    def _format(self) -> int:
        return int(self._connection.execute("PRAGMA user_version").fetchone()[0])

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            way_out = "; make it and its folder writable, or " + _ANOTHER if "readonly" in str(error) else ""
            raise LibraryError(f"{self.path}: {error}; earlier writes are kept{way_out}") from None


def _connect(path: Path, *, mode: str = "rw") -> sqlite3.Connection:
    """Open the file. mode: "rw" never creates it, and repairs what a killed program left; "rwc" may create it."""
    try:
        return sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None, timeout=30)
    except (sqlite3.Error, UnicodeEncodeError) as error:
        raise LibraryError(f"{path} cannot be opened: {error}; {_ANOTHER}") from None


def _matrix(rows: Sequence[bytes], size: int) -> np.ndarray:
    """(rows, size) float32 from one blob per row."""
    return np.frombuffer(b"".join(rows), "<f4").reshape(len(rows), size)


def _known_rows(rows: Sequence[bytes | None]) -> np.ndarray:
    """(rows, size) float32 from one blob per row, NaN where there is none; of size 0 if there are no blobs."""
    size = max((len(row) // 4 for row in rows if row is not None), default=0)
    return _matrix([np.full(size, np.nan, "<f4").tobytes() if row is None else row for row in rows], size)


def _unknown(values: np.ndarray) -> bool:
    """Whether a track has no variation."""
    return not len(values) or bool(np.isnan(values).any())
