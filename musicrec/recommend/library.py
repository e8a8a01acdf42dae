"""The library: what the models said of every track, in one SQLite file, searched exactly with NumPy.

A write is a transaction: a program that is killed leaves the file as the last finished one left it. Searching reads all
rows into memory once (about 3 kB a track). Another store can take its place behind the same methods.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from musicrec.errors import LibraryError
from musicrec.heads import Head, from_dict, to_dict
from musicrec.recommend.exports import ExportRef
from musicrec.recommend.similarity import Similarity

_APPLICATION_ID = 0x6D757265  # "mure", in the file's header: tells our files from other SQLite files
_VERSION = 1
_SCHEMA = """
CREATE TABLE models (heads TEXT NOT NULL, embedding_size INTEGER NOT NULL);
CREATE TABLE exports (path TEXT NOT NULL, sha256 TEXT NOT NULL);
CREATE TABLE tracks (
    path TEXT PRIMARY KEY, track_id TEXT NOT NULL, source TEXT NOT NULL, title TEXT, artist TEXT,
    size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, audio_hash TEXT NOT NULL, duration_s REAL NOT NULL,
    probabilities BLOB NOT NULL, -- float32, one head after another in the order of models.heads
    embedding BLOB NOT NULL      -- float32
);
"""


@dataclass(frozen=True, kw_only=True)
class Track:
    """A row. path: absolute. source: the folder or manifest it was found through. audio_hash: of the decoded samples.

    probabilities: {head: (classes,) float32}. embedding: (size,) float32.
    """

    path: str
    track_id: str
    source: str
    title: str | None = None
    artist: str | None = None
    size: int
    mtime_ns: int
    audio_hash: str
    duration_s: float
    probabilities: dict[str, np.ndarray]
    embedding: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Match:
    """A row that was found. similarity and by_block: as in `Similarity.compare`."""

    row: int
    similarity: float
    by_block: dict[str, float]


class Library:
    """Open one with `Library.open` or `Library.create`; use it in a `with` statement or close it."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path, self._connection = path, connection
        with self._errors():
            heads, self.embedding_size = connection.execute("SELECT heads, embedding_size FROM models").fetchone()
            exports = connection.execute("SELECT path, sha256 FROM exports ORDER BY rowid").fetchall()
        self.heads: dict[str, Head] = {head["name"]: from_dict(head) for head in json.loads(heads)}
        self.exports = [ExportRef(path=path, sha256=sha256) for path, sha256 in exports]

    @classmethod
    def open(cls, path: str | Path) -> "Library":
        """Raises LibraryError if there is no library at `path`."""
        path = Path(path)
        if path.is_dir():
            raise LibraryError(f"{path}: is a folder; name the file of a library, as in library=my.sqlite")
        if not path.is_file():
            raise LibraryError(f"{path}: no such library; make one with action=index")
        connection = _connect(path)
        try:
            found = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")]
        except sqlite3.Error as error:
            connection.close()
            raise LibraryError(f"{path}: not a library ({error}); name another file with library=…") from None
        if found[0] == _APPLICATION_ID and found[1] == _VERSION:
            return cls(path, connection)
        connection.close()
        if found[0] == _APPLICATION_ID:
            raise LibraryError(f"{path}: a library of format {found[1]}, this version reads {_VERSION}; index again")
        raise LibraryError(f"{path}: not a library of this program; name another file with library=…")

    @classmethod
    def create(
        cls, path: str | Path, *, exports: Sequence[ExportRef], heads: Sequence[Head], embedding_size: int
    ) -> "Library":
        """An empty library. Raises LibraryError if the file is there already or cannot be written."""
        path = Path(path)
        if path.exists() and path.stat().st_size:
            raise LibraryError(f"{path}: there is already a file of this name")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LibraryError(f"{path}: cannot be written: {error.strerror}") from None
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
            if path.exists() and not path.stat().st_size:  # else another program made its library here meanwhile
                path.unlink(missing_ok=True)
            raise LibraryError(f"{path}: cannot be written: {error}") from None
        return cls(path, connection)

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> "Library":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __len__(self) -> int:
        with self._errors():
            return self._connection.execute("SELECT count(*) FROM tracks").fetchone()[0]

    # Writing: each method is one transaction.

    def add(self, tracks: Iterable[Track]) -> None:
        """Add tracks; one whose path is there already is replaced."""
        rows = [
            (t.path, t.track_id, t.source, t.title, t.artist, t.size, t.mtime_ns, t.audio_hash, t.duration_s,
             np.concatenate([t.probabilities[name] for name in self.heads]).astype("<f4").tobytes(),
             t.embedding.astype("<f4").tobytes())
            for t in tracks
        ]  # fmt: skip
        with self._transaction() as connection:
            connection.executemany("INSERT OR REPLACE INTO tracks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def remove(self, paths: Iterable[str]) -> None:
        with self._transaction() as connection:
            connection.executemany("DELETE FROM tracks WHERE path = ?", [(path,) for path in paths])

    def relabel(self, labels: Iterable[dict[str, str | None]]) -> None:
        """Set track_id, source, title and artist of tracks, each a dict of these and its path, without their audio."""
        with self._transaction() as connection:
            connection.executemany(
                "UPDATE tracks SET track_id = :track_id, source = :source, title = :title, artist = :artist "
                "WHERE path = :path",
                labels,
            )

    def move_exports(self, exports: Sequence[ExportRef]) -> None:
        """Remember where the exports, the same in content, lie now."""
        with self._transaction() as connection:
            connection.executemany(
                "UPDATE exports SET path = ? WHERE sha256 = ?", [(e.path, e.sha256) for e in exports]
            )
        self.exports = list(exports)

    # Reading. Rows are in the order of the paths and hold until the next write.

    @cached_property
    def tracks(self) -> list[Track]:
        """All rows."""
        names = (*Track.__dataclass_fields__,)
        with self._errors():
            rows = self._connection.execute(f"SELECT {', '.join(names)} FROM tracks ORDER BY path").fetchall()
        *columns, probabilities, embeddings = zip(*rows, strict=True) if rows else [()] * len(names)
        sizes = [len(head.classes) for head in self.heads.values()]
        table = np.frombuffer(b"".join(probabilities), "<f4").reshape(len(rows), sum(sizes))
        parts = np.split(table, np.cumsum(sizes)[:-1], axis=1)
        self._values = dict(zip(self.heads, parts, strict=True))
        self._values["embedding"] = np.frombuffer(b"".join(embeddings), "<f4").reshape(len(rows), self.embedding_size)
        return [
            Track(
                **dict(zip(names, cells, strict=False)),
                probabilities={name: self._values[name][row] for name in self.heads},
                embedding=self._values["embedding"][row],
            )
            for row, cells in enumerate(zip(*columns, strict=True))
        ]

    def values(self, block: str) -> np.ndarray:
        """(tracks, size) float32: the probabilities of a head, or the "embedding"."""
        _ = self.tracks
        return self._values[block]

    def search(
        self, query: dict[str, np.ndarray], *, similarity: Similarity, k: int, among: np.ndarray | None = None
    ) -> list[Match]:
        """The k most similar tracks, best first; equals in the order of their paths.

        query: {block: (size,)}. among: (tracks,) bool, the rows to choose from; None is all.
        """
        rows = np.arange(len(self.tracks)) if among is None else np.flatnonzero(among)
        if not len(rows):
            return []
        total, by_block = similarity.compare(query, {name: self.values(name)[rows] for name in similarity.weights})
        best = np.argsort(-total, kind="stable")[:k]
        return [
            Match(row=int(rows[i]), similarity=float(total[i]), by_block={n: float(s[i]) for n, s in by_block.items()})
            for i in best
        ]

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._errors(), self._connection as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
        self.__dict__.pop("tracks", None)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise LibraryError(f"{self.path}: {error}; what was written before is kept") from None


def _connect(path: Path, *, mode: str = "rw") -> sqlite3.Connection:
    """mode: "rw" (never makes a file; also repairs what a killed program left) or "rwc"."""
    try:
        return sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None, timeout=30)
    except (sqlite3.Error, UnicodeEncodeError) as error:
        raise LibraryError(f"{path}: cannot be opened: {error}") from None
