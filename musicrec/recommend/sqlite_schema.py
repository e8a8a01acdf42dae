"""The tables of a library in SQLite, and the connection to the file."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from musicrec.errors import LibraryError
from musicrec.recommend.library import ANOTHER

APPLICATION_ID = 0x6D757265  # "mure" in the header of the file: distinguishes libraries from other SQLite files
VERSION = 7
FILE_FACTS = (
    "path", "audio_hash", "size", "mtime_ns", "content_hash", "track_id", "title", "artist", "album", "year", "genre",
    "missing_since",
)  # fmt: skip
"""The columns of the table `files`, but its id."""

_MODELS = """
CREATE TABLE models (
    heads TEXT NOT NULL, embedding_size INTEGER NOT NULL,
    analysis TEXT NOT NULL       -- JSON, the settings of the analysis
);
CREATE TABLE exports (
    path TEXT NOT NULL, sha256 TEXT NOT NULL, name TEXT,
    embedding_size INTEGER       -- NULL: unknown, as format 2 did not have it
);
"""
RECORDINGS = """
CREATE TABLE recordings (
    id INTEGER PRIMARY KEY, audio_hash TEXT NOT NULL UNIQUE, duration_s REAL NOT NULL,
    version_of TEXT,             -- audio_hash of the recording that this is another encoding of; NULL: of none
    descriptors TEXT NOT NULL,   -- JSON, {name: value}
    remarks TEXT NOT NULL,       -- JSON, [[text, unreliable]]
    probabilities BLOB NOT NULL, -- float32, the heads in the order of models.heads
    embedding BLOB NOT NULL,     -- float32, the models in the order of exports
    variation BLOB,              -- float32, the models with tags in the order of exports; NULL: unknown
    fingerprint BLOB,            -- see musicrec.recommend.fingerprint; NULL: unknown
    ends BLOB,                   -- float16, the first and last 30 s, the models with tags; NULL except of format 6
    passages BLOB,               -- see musicrec.recommend.stored_passages; NULL: unknown. Last, as it is seldom read
    peaks BLOB                   -- see musicrec.audio.peaks; NULL: unknown
);
CREATE INDEX with_variation ON recordings (audio_hash) WHERE variation IS NOT NULL;
CREATE INDEX durations ON recordings (duration_s);
CREATE INDEX versions ON recordings (version_of) WHERE version_of IS NOT NULL;
CREATE TABLE names (             -- by which files are found; see musicrec.recommend.track.folded_names
    name TEXT NOT NULL, file INTEGER NOT NULL REFERENCES files (id) ON DELETE CASCADE,
    PRIMARY KEY (name, file)
) WITHOUT ROWID;
CREATE INDEX names_of_file ON names (file);
CREATE TABLE space (             -- one row, or none before the first fit
    described TEXT NOT NULL,     -- JSON
    arrays BLOB NOT NULL         -- safetensors
);
CREATE TABLE summaries (         -- of the recordings, in the space; a recording without one has not been summed up yet
    recording INTEGER PRIMARY KEY REFERENCES recordings (id) ON DELETE CASCADE,
    content BLOB NOT NULL        -- see musicrec.recommend.summaries
);
"""
TABLES = """
CREATE TABLE files (
    id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE,
    audio_hash TEXT NOT NULL REFERENCES recordings (audio_hash),
    size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, content_hash TEXT,
    track_id TEXT NOT NULL, title TEXT, artist TEXT, album TEXT, year INTEGER, genre TEXT,
    missing_since TEXT           -- NULL: it is there
);
CREATE INDEX files_of_recording ON files (audio_hash);
CREATE INDEX files_of_content ON files (content_hash);
CREATE INDEX files_of_track_id ON files (track_id);
CREATE TABLE sources (
    id INTEGER PRIMARY KEY, place TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, indexed_at TEXT,
    metadata TEXT NOT NULL       -- JSON
);
CREATE TABLE listings (
    file INTEGER NOT NULL REFERENCES files (id) ON DELETE CASCADE,
    source INTEGER NOT NULL REFERENCES sources (id) ON DELETE CASCADE,
    track_id TEXT NOT NULL,
    metadata TEXT NOT NULL,      -- JSON, what a collection says of the file
    PRIMARY KEY (file, source)
) WITHOUT ROWID;
CREATE INDEX listings_of_source ON listings (source);
CREATE INDEX listings_of_track_id ON listings (track_id);
"""

BEAT_GRIDS = """
CREATE TABLE IF NOT EXISTS main.beat_grids ( -- made with the first grid; versions that do not know it pass it over
    recording INTEGER PRIMARY KEY REFERENCES recordings (id) ON DELETE CASCADE,
    grid TEXT NOT NULL           -- JSON
);
"""


def connect(path: Path, *, mode: str = "rw") -> sqlite3.Connection:
    """Open the file.

    Args:
        path: The file.
        mode: "rw" never creates it, and repairs what a killed program left; "rwc" may create it; "ro&immutable=1" reads
            a file on a medium that cannot be written, beside which SQLite can make no file.

    Raises:
        LibraryError: It cannot be opened.
    """
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None, timeout=30
        )
        connection.execute("PRAGMA foreign_keys=ON")
        return connection
    except (sqlite3.Error, UnicodeEncodeError) as error:
        raise LibraryError(f"{path} cannot be opened: {error}; {ANOTHER}") from None


def open_file(path: Path) -> sqlite3.Connection:
    """Open an existing library.

    Raises:
        LibraryError: There is no library at `path`, or this version cannot read it.
    """
    if os.path.isdir(path):
        raise LibraryError(f"{path} is a folder; {ANOTHER}")
    if not os.path.isfile(path):
        raise LibraryError(f"{path}: no such library; create one with `musicrec index FOLDER`")
    if not os.access(path, os.R_OK):
        raise LibraryError(f"{path} cannot be read: permission denied; change its permissions, or name another library")
    connection = connect(path)
    try:
        try:
            application, version = _marks(connection)
        except sqlite3.OperationalError:
            connection.close()
            connection = _connect_to_read(path)
            application, version = _marks(connection)
    except sqlite3.Error as error:
        connection.close()
        raise LibraryError(f"{path} is not a library ({error}); {ANOTHER}") from None
    if application == APPLICATION_ID and 1 <= version <= VERSION:
        return connection
    connection.close()
    if application == APPLICATION_ID:
        raise LibraryError(
            f"{path} is a library of format {version}, but this version reads formats up to {VERSION}; update "
            "musicrec, or index again into a new file"
        )
    raise LibraryError(f"{path} is not a library of musicrec; {ANOTHER}")


def _marks(connection: sqlite3.Connection) -> tuple[int, int]:
    application, version = (
        int(connection.execute(f"PRAGMA {name}").fetchone()[0]) for name in ("application_id", "user_version")
    )
    connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return application, version


def _connect_to_read(path: Path) -> sqlite3.Connection:
    """Open a library in a folder that cannot be written, where SQLite cannot make the files that it shares."""
    journal = Path(f"{path}-wal")
    if journal.exists() and journal.stat().st_size:
        raise LibraryError(
            f"{path} cannot be read where it is: {journal.name} holds writes that were not finished, and the folder "
            "cannot be written; copy both files to a folder that can, and open the copy"
        )
    return connect(path, mode="ro&immutable=1")


def format_of(connection: sqlite3.Connection) -> int:
    """Return the format of the library in the file."""
    return int(connection.execute("PRAGMA main.user_version").fetchone()[0])


def create_tables(connection: sqlite3.Connection) -> None:
    """Make the tables of an empty library. The caller commits."""
    run(connection, _MODELS + RECORDINGS + TABLES)
    connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version={VERSION}")


def leave_mark(connection: sqlite3.Connection) -> None:
    """Note in the file that the library changes, within the transaction that changes it.

    What SQLite itself counts (PRAGMA data_version) also counts feedback, whose tables may be in the same file.
    """
    connection.execute("CREATE TABLE IF NOT EXISTS main.changes (mark INTEGER NOT NULL)")
    connection.execute("DELETE FROM main.changes")
    connection.execute("INSERT INTO main.changes VALUES (random())")


def mark_of(connection: sqlite3.Connection) -> int | None:
    """Return the mark of the last change; None if none has been left yet."""
    if not connection.execute("SELECT 1 FROM main.sqlite_master WHERE name = 'changes'").fetchone():
        return None
    found = connection.execute("SELECT mark FROM main.changes").fetchone()
    return None if found is None else int(found[0])


def has_beat_grids(connection: sqlite3.Connection) -> bool:
    """Return whether a beat grid has ever been saved."""
    return bool(connection.execute("SELECT 1 FROM main.sqlite_master WHERE name = 'beat_grids'").fetchone())


def run(connection: sqlite3.Connection, statements: str) -> None:
    """Execute several statements; `executescript` would commit the transaction first."""
    lines = [line.split("--")[0] for line in statements.splitlines()]
    for statement in "\n".join(lines).split(";"):
        if statement.strip():
            connection.execute(statement)


@contextmanager
def named_errors(path: Path) -> Iterator[None]:
    """Turn errors of SQLite into errors that name the file and what was kept.

    Raises:
        LibraryError: SQLite failed.
    """
    try:
        yield
    except sqlite3.DatabaseError as error:
        text = str(error)
        if "locked" in text:
            raise LibraryError(f"{path} is being written by another program ({text}); try again later") from None
        if "malformed" in text or "not a database" in text or isinstance(error, sqlite3.IntegrityError):
            raise LibraryError(
                f"{path} is damaged ({text}); `musicrec verify --library {path}` says where; put back a copy, or "
                "delete the file and index again"
            ) from None
        if "readonly" in text or "unable to open" in text:  # the second one if SQLite can make no file beside it
            raise LibraryError(
                f"{path} cannot be written: the file or its folder is read-only ({text}); earlier writes are kept; "
                "make both writable, or copy the library to a folder that is and name the copy (--library FILE)"
            ) from None
        raise LibraryError(f"{path}: {text}; earlier writes are kept") from None
