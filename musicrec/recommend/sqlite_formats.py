"""The formats of a library in SQLite before the newest, which are read as they are, and how they become the newest.

Format 2 added the remarks on a track's audio. Format 3 added the descriptors of a track, the name and the embedding
size of each model, and the settings of the analysis. Format 4 added the variation of a track's sound. Until then a
track was a file; format 5 has recordings, files and sources. Format 6 added what queries search in: the space and the
summaries of the recordings; and fingerprints, and how a track begins and ends. Format 7 has passages of the whole
track, and outlines of waveforms. Files of older formats are read as they are, through views that look like the tables
of format 7, and the first write turns them into format 7; what they do not hold stays unknown.
"""

import sqlite3

from musicrec.recommend.sqlite_schema import RECORDINGS, TABLES, VERSION, format_of, run
from musicrec.recommend.track import folded_names

_UPGRADES = {  # {format: what turns the one before into it}
    2: "ALTER TABLE tracks ADD COLUMN remarks TEXT NOT NULL DEFAULT '[]';",
    3: """
        ALTER TABLE tracks ADD COLUMN descriptors TEXT NOT NULL DEFAULT '{}';
        ALTER TABLE exports ADD COLUMN name TEXT;
        ALTER TABLE exports ADD COLUMN embedding_size INTEGER;
        ALTER TABLE models ADD COLUMN analysis TEXT NOT NULL DEFAULT '{}';
    """,
    4: "ALTER TABLE tracks ADD COLUMN variation BLOB;",
}
_ANSWERS = "audio_hash, duration_s, descriptors, remarks, probabilities, embedding, variation"
_UNKNOWN = "NULL AS version_of, NULL AS fingerprint, NULL AS ends, NULL AS passages, NULL AS peaks"
_NOT_YET = {  # what formats before 6 do not have
    "names": "SELECT NULL AS name, NULL AS file WHERE 0",
    "space": "SELECT NULL AS described, NULL AS arrays WHERE 0",
    "summaries": "SELECT NULL AS recording, NULL AS content WHERE 0",
}
_OF_FORMAT_5 = {
    "recordings": f"SELECT rowid AS id, {_ANSWERS}, {_UNKNOWN} FROM main.recordings",
}
_OF_FORMAT_6 = {
    "recordings": (
        f"SELECT id, {_ANSWERS}, version_of, fingerprint, passages AS ends, NULL AS passages, NULL AS peaks "
        "FROM main.recordings"
    ),
}
# The tables of format 5 as selections from a table `tracks`. Of copies, the first that was described wins.
_FROM_TRACKS = {
    "recordings": """
        SELECT id, {answers}, {unknown} FROM (
            SELECT rowid AS id, audio_hash, duration_s, {descriptors} AS descriptors, {remarks} AS remarks,
                probabilities, embedding, {variation} AS variation, min(({descriptors} = '{{}}') << 60 | rowid)
            FROM main.tracks GROUP BY audio_hash
        )
    """,
    "files": """
        SELECT rowid AS id, path, audio_hash, size, mtime_ns, NULL AS content_hash, track_id, title, artist,
            NULL AS album, NULL AS year, NULL AS genre, NULL AS missing_since FROM main.tracks
    """,
    "sources": """
        SELECT min(rowid) AS id, source AS place, '' AS kind, NULL AS indexed_at, '{{}}' AS metadata
            FROM main.tracks WHERE source <> '' GROUP BY source
    """,
    "listings": """
        SELECT tracks.rowid AS file, of.id AS source, track_id, '{{}}' AS metadata FROM main.tracks JOIN
            (SELECT source AS place, min(rowid) AS id FROM main.tracks GROUP BY source) AS of
            ON tracks.source = of.place WHERE tracks.source <> ''
    """,
}
_OLD_MODELS = {
    "models": "SELECT heads, embedding_size, '{{}}' AS analysis FROM main.models",
    "exports": "SELECT rowid, path, sha256, NULL AS name, NULL AS embedding_size FROM main.exports",
}


def show_as_newest(connection: sqlite3.Connection, version: int) -> None:
    """Let an older format be read as the newest one: make views in place of its missing tables, for this connection.

    Args:
        connection: To the library.
        version: Its format; for the newest one the views are removed.
    """
    hide_views(connection)
    if version == VERSION:
        return
    columns = {
        "answers": _ANSWERS,
        "unknown": _UNKNOWN,
        "remarks": "remarks" if version > 1 else "'[]'",
        "descriptors": "descriptors" if version > 2 else "'{}'",
        "variation": "variation" if version > 3 else "NULL",
    }
    shown = _OF_FORMAT_6 if version == 6 else (_FROM_TRACKS if version < 5 else _OF_FORMAT_5) | _NOT_YET
    shown = shown | (_OLD_MODELS if version < 3 else {})
    for name, selection in shown.items():
        connection.execute(f"CREATE TEMP VIEW {name} AS {selection.format(**columns)}")


def hide_views(connection: sqlite3.Connection) -> None:
    """Remove the views of `show_as_newest`."""
    for name in (*_FROM_TRACKS, *_NOT_YET, *_OLD_MODELS):
        connection.execute(f"DROP VIEW IF EXISTS temp.{name}")


def upgrade(connection: sqlite3.Connection) -> None:
    """Turn an older format into the newest one, within the transaction of the caller.

    Foreign keys must not be enforced meanwhile: tables are replaced.
    """
    version = format_of(connection)
    hide_views(connection)
    if version == VERSION:
        return
    if version == 6:
        connection.execute("ALTER TABLE recordings RENAME COLUMN passages TO ends")
        connection.execute("ALTER TABLE recordings ADD COLUMN passages BLOB")
        connection.execute("ALTER TABLE recordings ADD COLUMN peaks BLOB")
        connection.execute(f"PRAGMA user_version={VERSION}")
        return
    if version == 5:
        run(connection, "ALTER TABLE recordings RENAME TO recordings_of_format_5;" + RECORDINGS)
        selection = f"SELECT rowid AS id, {_ANSWERS}, {_UNKNOWN} FROM recordings_of_format_5"
        _fill(connection, "recordings", selection)
        connection.execute("DROP TABLE recordings_of_format_5")
        connection.execute("CREATE INDEX listings_of_track_id ON listings (track_id)")
    else:
        for older in range(version + 1, 5):
            run(connection, _UPGRADES[older])
        run(connection, RECORDINGS + TABLES)
        for name, selection in _FROM_TRACKS.items():
            columns = {"descriptors": "descriptors", "remarks": "remarks", "variation": "variation"}
            _fill(connection, name, selection.format(answers=_ANSWERS, unknown=_UNKNOWN, **columns))
        connection.execute("DROP TABLE tracks")
    files = connection.execute("SELECT id, artist, title, track_id FROM files").fetchall()
    connection.executemany(
        "INSERT INTO names (name, file) VALUES (?, ?)",
        ((name, file) for file, *named in files for name in folded_names(*named)),
    )
    connection.execute(f"PRAGMA user_version={VERSION}")


def _fill(connection: sqlite3.Connection, table: str, selection: str) -> None:
    """Insert what a selection returns into the columns of the same names."""
    names = [column[0] for column in connection.execute(f"{selection} LIMIT 0").description]
    connection.execute(f"INSERT INTO {table} ({', '.join(names)}) {selection}")
