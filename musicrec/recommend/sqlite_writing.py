"""Changes of a library in SQLite, each within a transaction of the caller."""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from musicrec.recommend.library import Changes, LibraryFile, Recording, Source, now
from musicrec.recommend.sqlite_schema import BEAT_GRIDS, FILE_FACTS, has_beat_grids, run
from musicrec.recommend.stored_passages import to_bytes
from musicrec.recommend.track import folded_names

_WITHOUT_FILE = "audio_hash NOT IN (SELECT audio_hash FROM files)"


def save(connection: sqlite3.Connection, changes: Changes, *, heads: Sequence[str]) -> None:
    """Save changes in their order.

    Args:
        connection: To the library.
        changes: What to save.
        heads: Names of the heads in the order in which the library stores them.
    """
    place = changes.place
    if changes.source is not None:
        _save_source(connection, changes.source)
    _move_files(connection, changes.moved)
    _save_recordings(connection, changes.recordings, heads=heads)
    _save_files(connection, changes.files)
    connection.executemany(
        "INSERT INTO listings (file, source, track_id, metadata) SELECT files.id, sources.id, ?, ? FROM files, sources "
        "WHERE files.path = ? AND sources.place = ? "
        "ON CONFLICT DO UPDATE SET track_id = excluded.track_id, metadata = excluded.metadata",
        [(one.track_id, json.dumps(one.metadata), one.path, place) for one in changes.listed],
    )
    connection.executemany(
        "DELETE FROM listings WHERE file = (SELECT id FROM files WHERE path = ?) "
        "AND source = (SELECT id FROM sources WHERE place = ?)",
        [(path, place) for path in changes.unlisted],
    )
    since = now()
    connection.executemany(
        "UPDATE files SET missing_since = coalesce(missing_since, ?) WHERE path = ? "
        "AND id NOT IN (SELECT file FROM listings)",
        [(since, path) for path in changes.unlisted],
    )
    connection.executemany(
        "UPDATE files SET missing_since = coalesce(missing_since, ?) WHERE path = ?",
        [(since, path) for path in changes.missing],
    )


def prune(connection: sqlite3.Connection) -> tuple[int, int]:
    """Delete the missing files and the recordings without a file; return how many of both."""
    files = connection.execute("DELETE FROM files WHERE missing_since IS NOT NULL").rowcount
    return files, connection.execute(f"DELETE FROM recordings WHERE {_WITHOUT_FILE}").rowcount


def relocate(connection: sqlite3.Connection, moved: Mapping[str, str], *, present: Iterable[str]) -> None:
    """Change the paths of files and the places of sources; see `Library.relocate`."""
    places = {place for (place,) in connection.execute("SELECT place FROM sources")}
    of_sources = {old: new for old, new in moved.items() if old in places}
    _move_files(connection, {old: new for old, new in moved.items() if old not in of_sources})
    for old, new in of_sources.items():
        if new in places:  # it was indexed there, too
            connection.execute(
                "UPDATE OR IGNORE listings SET source = (SELECT id FROM sources WHERE place = ?) "
                "WHERE source = (SELECT id FROM sources WHERE place = ?)",
                (new, old),
            )
            connection.execute("DELETE FROM sources WHERE place = ?", (old,))
        else:
            connection.execute("UPDATE sources SET place = ? WHERE place = ?", (new, old))
    there, since = set(present), now()
    connection.executemany(
        "UPDATE files SET missing_since = CASE WHEN ? THEN NULL ELSE coalesce(missing_since, ?) END WHERE path = ?",
        [(new in there, since, new) for old, new in moved.items() if old not in of_sources],
    )


def remove(connection: sqlite3.Connection, paths: Iterable[str]) -> None:
    """Delete files, and the recordings that are then without a file."""
    connection.executemany("DELETE FROM files WHERE path = ?", [(path,) for path in paths])
    connection.execute(f"DELETE FROM recordings WHERE {_WITHOUT_FILE}")


def _save_source(connection: sqlite3.Connection, source: Source) -> None:
    connection.execute(
        "INSERT INTO sources (place, kind, indexed_at, metadata) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
        "kind = excluded.kind, indexed_at = coalesce(excluded.indexed_at, indexed_at), metadata = excluded.metadata",
        (source.place, source.kind, source.indexed_at, json.dumps(source.metadata)),
    )


def _move_files(connection: sqlite3.Connection, moved: Mapping[str, str]) -> None:
    """Rename files. A file that is known at a new path stays, and is listed where the old one was."""
    pairs = [(new, old) for old, new in moved.items() if new not in moved]
    connection.executemany(
        "UPDATE OR IGNORE listings SET file = (SELECT id FROM files WHERE path = ?1) "
        "WHERE file = (SELECT id FROM files WHERE path = ?2) AND EXISTS (SELECT 1 FROM files WHERE path = ?1)",
        pairs,
    )
    connection.executemany("DELETE FROM files WHERE path = ?2 AND EXISTS (SELECT 1 FROM files WHERE path = ?1)", pairs)
    # In two steps, as one file may get the old path of another. No path has a NUL in it.
    renamed = [(new, old) for old, new in moved.items()]
    connection.executemany("UPDATE files SET path = char(0) || ? WHERE path = ?", renamed)
    connection.executemany("UPDATE files SET path = ?1 WHERE path = char(0) || ?1", [(new,) for new, _ in renamed])


def _save_recordings(connection: sqlite3.Connection, recordings: Iterable[Recording], *, heads: Sequence[str]) -> None:
    recordings = list(recordings)
    columns = (
        "audio_hash", "duration_s", "version_of", "descriptors", "remarks", "probabilities", "embedding", "variation",
        "fingerprint", "ends", "passages", "peaks",
    )  # fmt: skip
    connection.executemany(
        f"INSERT INTO recordings ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))}) "
        "ON CONFLICT DO UPDATE SET " + ", ".join(f"{name} = excluded.{name}" for name in columns[1:]),
        [
            (
                one.audio_hash,
                one.duration_s,
                one.version_of,
                json.dumps(dict(one.descriptors)),
                json.dumps([[remark.text, remark.unreliable] for remark in one.remarks]),
                np.concatenate([one.probabilities[name] for name in heads]).astype("<f4").tobytes(),
                one.embedding.astype("<f4").tobytes(),
                None if _unknown(one.variation) else one.variation.astype("<f4").tobytes(),
                one.fingerprint,
                None,
                None if one.passages is None else to_bytes(one.passages),
                None if one.peaks is None else one.peaks.astype(np.uint8).tobytes(),
            )
            for one in recordings
        ],
    )
    connection.executemany(
        "DELETE FROM summaries WHERE recording = (SELECT id FROM recordings WHERE audio_hash = ?)",
        [(one.audio_hash,) for one in recordings],
    )
    _save_beat_grids(connection, recordings)


def _save_beat_grids(connection: sqlite3.Connection, recordings: Sequence[Recording]) -> None:
    grids = [(json.dumps(dict(one.beat_grid)), one.audio_hash) for one in recordings if one.beat_grid is not None]
    if not grids and not has_beat_grids(connection):
        return
    run(connection, BEAT_GRIDS)
    connection.executemany(
        "DELETE FROM beat_grids WHERE recording = (SELECT id FROM recordings WHERE audio_hash = ?)",
        [(one.audio_hash,) for one in recordings],
    )
    connection.executemany(
        "INSERT INTO beat_grids (grid, recording) VALUES (?, (SELECT id FROM recordings WHERE audio_hash = ?))", grids
    )


def save_summaries(
    connection: sqlite3.Connection, ids: Sequence[int], rows: np.ndarray, *, space: tuple[str, bytes] | None
) -> None:
    """Save summaries; a new space deletes all earlier ones."""
    if space is not None:
        connection.execute("DELETE FROM summaries")
        connection.execute("DELETE FROM space")
        connection.execute("INSERT INTO space (described, arrays) VALUES (?, ?)", space)
    connection.executemany(  # a recording that was deleted meanwhile is left out
        "INSERT OR REPLACE INTO summaries (recording, content) SELECT ?1, ?2 "
        "WHERE EXISTS (SELECT 1 FROM recordings WHERE id = ?1)",
        ((int(number), row.tobytes()) for number, row in zip(ids, rows, strict=True)),
    )


def _unknown(values: np.ndarray) -> bool:
    """Return whether a track has no variation."""
    return not len(values) or bool(np.isnan(values).any())


def _save_files(connection: sqlite3.Connection, files: Sequence[LibraryFile]) -> None:
    connection.executemany(
        f"INSERT INTO files ({', '.join(FILE_FACTS)}) VALUES ({', '.join('?' * len(FILE_FACTS))}) "
        "ON CONFLICT (path) DO UPDATE SET " + ", ".join(f"{name} = excluded.{name}" for name in FILE_FACTS[1:]),
        [tuple(getattr(file, name) for name in FILE_FACTS) for file in files],
    )
    id_of = "(SELECT id FROM files WHERE path = ?)"
    connection.executemany(f"DELETE FROM names WHERE file = {id_of}", [(file.path,) for file in files])
    connection.executemany(
        f"INSERT INTO names (name, file) VALUES (?, {id_of})",
        [(name, file.path) for file in files for name in folded_names(file.artist, file.title, file.track_id)],
    )
