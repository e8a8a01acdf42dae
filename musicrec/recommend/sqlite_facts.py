"""What a library in SQLite knows of recordings, files and sources, short of whole tracks.

All functions only read, and the caller has begun the transaction that they read in.
"""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from musicrec.audio.remark import Remark
from musicrec.export.passages import Passages
from musicrec.heads import Head
from musicrec.recommend.library import LibraryFile, Listing, PresentTracks, Source
from musicrec.recommend.sqlite_schema import FILE_FACTS, has_beat_grids
from musicrec.recommend.stored_passages import stored_form

_AT_ONCE = 500  # values in a statement; SQLite has a limit
_ROWS_AT_ONCE = 8192
OF_FILES = ", ".join(f"files.{name}" for name in FILE_FACTS)


def count_tracks(connection: sqlite3.Connection) -> int:
    """Return the number of recordings with a file that is there."""
    selection = "SELECT count(DISTINCT audio_hash) FROM files WHERE missing_since IS NULL"
    return int(connection.execute(selection).fetchone()[0])


def present(connection: sqlite3.Connection) -> PresentTracks:
    """Return the recordings with a file that is there, in the order of the paths."""
    ids: list[int] = []
    names: tuple[list[str], list[str]] = ([], [])
    years: list[int] = []
    known: dict[str, str] = {}  # equal names are one text in memory
    for number, artist, album, year in connection.execute(
        "SELECT recordings.id, artist, album, year FROM files "
        "JOIN recordings ON recordings.audio_hash = files.audio_hash WHERE missing_since IS NULL ORDER BY path"
    ):
        ids.append(number)
        names[0].append(known.setdefault(artist or "", artist or ""))
        names[1].append(known.setdefault(album or "", album or ""))
        years.append(-1 if year is None else year)
    whole = np.array(ids, dtype=np.int64)
    first = np.sort(np.unique(whole, return_index=True)[1])  # of copies
    return PresentTracks(
        ids=whole[first],
        artists=np.array(names[0], dtype=object)[first],
        albums=np.array(names[1], dtype=object)[first],
        years=np.array(years, dtype=np.int16)[first],
        versions=_versions_of(connection, whole[first]),
    )


def _versions_of(connection: sqlite3.Connection, ids: np.ndarray) -> np.ndarray:
    """Return which recordings are versions of one, (recordings,) int64; see `PresentTracks`."""
    found = np.full(len(ids), -1)
    rows = connection.execute(
        "SELECT id, version_of FROM recordings WHERE version_of IS NOT NULL ORDER BY id"
    ).fetchall()
    if not rows:
        return found
    groups = ids_of(connection, [first for _, first in rows])  # the first one may have been pruned
    for number, first in rows:
        groups.setdefault(first, number)
    of_recordings = {number: groups[first] for number, first in rows} | {number: number for number in groups.values()}
    places = {number: place for place, number in enumerate(ids.tolist())}
    for number, group in of_recordings.items():
        if number in places:
            found[places[number]] = group
    return found


def space_of(connection: sqlite3.Connection) -> tuple[str, bytes] | None:
    """Return the space as it is stored; None if there is none."""
    found: tuple[str, bytes] | None = connection.execute("SELECT described, arrays FROM space").fetchone()
    return found


def summaries(connection: sqlite3.Connection) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the summaries in parts: (recordings,) ids and (recordings, bytes) uint8."""
    selection = connection.execute("SELECT recording, content FROM summaries ORDER BY recording")
    while some := selection.fetchmany(_ROWS_AT_ONCE):
        joined = np.frombuffer(b"".join([content for _, content in some]), np.uint8)
        yield np.array([number for number, _ in some], dtype=np.int64), joined.reshape(len(some), -1)


def passages_of_recordings(connection: sqlite3.Connection, ids: Sequence[int]) -> list[Passages]:
    """Return the passages of recordings, in their order, as passages to compare; none if they are unknown."""
    found: dict[int, Passages] = {}
    for some in in_parts(ids):
        marks = ", ".join("?" * len(some))
        for number, *stored in connection.execute(
            f"SELECT id, passages, ends, duration_s FROM recordings WHERE id IN ({marks})", some
        ):
            found[number] = stored_form(*stored)
    return [found[int(number)] for number in ids]


def peaks_of_recordings(connection: sqlite3.Connection, ids: Sequence[int]) -> list[np.ndarray | None]:
    """Return the outlines of recordings, in their order, uint8; None if unknown."""
    found: dict[int, np.ndarray | None] = {}
    for some in in_parts(ids):
        marks = ", ".join("?" * len(some))
        for number, stored in connection.execute(f"SELECT id, peaks FROM recordings WHERE id IN ({marks})", some):
            found[number] = None if stored is None else np.frombuffer(stored, np.uint8)
    return [found[int(number)] for number in ids]


def beat_grids(connection: sqlite3.Connection, audio_hashes: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return {audio_hash: beat grid} of the recordings that have one."""
    found: dict[str, dict[str, Any]] = {}
    if not has_beat_grids(connection):
        return found
    wanted = list(dict.fromkeys(audio_hashes))
    for start in range(0, len(wanted), _AT_ONCE):
        some = wanted[start : start + _AT_ONCE]
        marks = ", ".join("?" * len(some))
        for audio_hash, grid in connection.execute(
            "SELECT audio_hash, grid FROM recordings JOIN beat_grids ON recording = recordings.id "
            f"WHERE audio_hash IN ({marks})",
            some,
        ):
            found[audio_hash] = json.loads(grid)
    return found


def some_ids(connection: sqlite3.Connection) -> list[int]:
    """Return a recording with a file that is there, if possible one with descriptors."""
    selection = (
        "SELECT id FROM recordings WHERE audio_hash IN (SELECT audio_hash FROM files WHERE missing_since IS NULL "
        "LIMIT 100) ORDER BY length(descriptors) DESC LIMIT 1"
    )
    return [number for (number,) in connection.execute(selection)]


def fingerprints(
    connection: sqlite3.Connection, shortest_s: float, longest_s: float
) -> list[tuple[str, float, bytes, str | None]]:
    """Return audio hash, length in seconds, fingerprint and version_of of recordings of some length, oldest first."""
    return connection.execute(
        "SELECT audio_hash, duration_s, fingerprint, version_of FROM recordings "
        "WHERE duration_s BETWEEN ? AND ? AND fingerprint IS NOT NULL AND fingerprint <> x'' ORDER BY id",
        (shortest_s, longest_s),
    ).fetchall()


def audio_facts(connection: sqlite3.Connection, ids: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Return the lengths of recordings in seconds, and whether the answers for them mean little."""
    places = {number: place for place, number in enumerate(ids)}
    duration_s, unreliable = np.zeros(len(ids), np.float32), np.zeros(len(ids), dtype=bool)
    for some in in_parts(ids):
        for number, length, remarks in connection.execute(
            f"SELECT id, duration_s, remarks FROM recordings WHERE id IN ({', '.join('?' * len(some))})", some
        ):
            place = places[number]
            duration_s[place], unreliable[place] = length, any(one.unreliable for one in remarks_in(remarks))
    return duration_s, unreliable


def incomplete(connection: sqlite3.Connection) -> set[str]:
    """Return the audio hashes of recordings with a file that were analysed before something was known of a track."""
    found = connection.execute(
        "SELECT audio_hash FROM recordings WHERE (passages IS NULL OR fingerprint IS NULL) AND audio_hash IN "
        "(SELECT audio_hash FROM files WHERE missing_since IS NULL)"
    )
    return {audio_hash for (audio_hash,) in found}


def hashes_of(connection: sqlite3.Connection, ids: Sequence[int]) -> list[str]:
    """Return the audio hashes of recordings, in their order."""
    found: dict[int, str] = {}
    for some in in_parts(ids):
        marks = ", ".join("?" * len(some))
        found |= dict(connection.execute(f"SELECT id, audio_hash FROM recordings WHERE id IN ({marks})", some))
    return [found[int(number)] for number in ids]


def ids_of(connection: sqlite3.Connection, audio_hashes: Iterable[str]) -> dict[str, int]:
    """Return {audio_hash: id} of the recordings that are known."""
    wanted = list(dict.fromkeys(audio_hashes))
    found: dict[str, int] = {}
    for start in range(0, len(wanted), _AT_ONCE):
        some = wanted[start : start + _AT_ONCE]
        marks = ", ".join("?" * len(some))
        found |= dict(connection.execute(f"SELECT audio_hash, id FROM recordings WHERE audio_hash IN ({marks})", some))
    return found


def in_parts(ids: Sequence[int]) -> Iterator[list[int]]:
    """Yield the ids in parts that fit into a statement."""
    for start in range(0, len(ids), _AT_ONCE):
        yield [int(number) for number in ids[start : start + _AT_ONCE]]


def all_files(connection: sqlite3.Connection) -> list[LibraryFile]:
    """Return all files in the order of their paths."""
    places = dict(connection.execute("SELECT id, place FROM sources").fetchall())
    listed: dict[int, list[str]] = defaultdict(list)
    for file, source in connection.execute("SELECT file, source FROM listings ORDER BY file, source"):
        listed[file].append(places[source])
    return [
        LibraryFile(**dict(zip(FILE_FACTS, facts, strict=True)), sources=tuple(listed.get(number, ())))
        for number, *facts in connection.execute(f"SELECT id, {OF_FILES} FROM files ORDER BY path")
    ]


def all_sources(connection: sqlite3.Connection) -> list[Source]:
    """Return the sources in the order of their places."""
    return [
        Source(
            place=place,
            kind=kind,
            indexed_at=indexed_at,
            metadata=json.loads(metadata),
            files=files,
            missing=missing,
        )
        for place, kind, indexed_at, metadata, files, missing in connection.execute(
            "SELECT place, kind, indexed_at, sources.metadata, count(files.id), count(files.missing_since) "
            "FROM sources LEFT JOIN listings ON listings.source = sources.id "
            "LEFT JOIN files ON files.id = listings.file GROUP BY sources.id ORDER BY place"
        )
    ]


def listings_of(connection: sqlite3.Connection, audio_hashes: Iterable[str]) -> dict[str, list[Listing]]:
    """Return {audio_hash: the listings with metadata} of the files of some recordings."""
    wanted, found = list(dict.fromkeys(audio_hashes)), defaultdict(list)
    for start in range(0, len(wanted), _AT_ONCE):
        some = wanted[start : start + _AT_ONCE]
        for audio_hash, path, place, track_id, metadata in connection.execute(
            "SELECT audio_hash, path, place, listings.track_id, listings.metadata FROM files "
            "JOIN listings ON listings.file = files.id JOIN sources ON sources.id = listings.source "
            f"WHERE audio_hash IN ({', '.join('?' * len(some))}) AND listings.metadata <> '{{}}' ORDER BY path, place",
            some,
        ):
            listing = Listing(path=path, source=place, track_id=track_id, metadata=json.loads(metadata))
            found[audio_hash].append(listing)
    return dict(found)


def all_remarks(connection: sqlite3.Connection) -> dict[str, tuple[Remark, ...]]:
    """Return {audio_hash: remarks} of the recordings with remarks and a file that is there."""
    selection = (
        "SELECT audio_hash, remarks FROM recordings WHERE remarks <> '[]' AND audio_hash IN "
        "(SELECT audio_hash FROM files WHERE missing_since IS NULL)"
    )
    return {audio_hash: remarks_in(text) for audio_hash, text in connection.execute(selection)}


def problems_of(connection: sqlite3.Connection, heads: Mapping[str, Head], embedding_size: int) -> list[str]:
    """Check what SQLite checks, and that answers are complete and finite; return one sentence per problem."""
    found = [str(text) for (text,) in connection.execute("PRAGMA integrity_check") if text != "ok"]
    found += [
        f"a row of the table {table} refers to a row of {other} that is not there"
        for table, _, other, _ in connection.execute("PRAGMA foreign_key_check")
    ]
    sizes = {"probabilities": sum(len(head.classes) for head in heads.values()), "embedding": embedding_size}
    for audio_hash, *blobs in connection.execute(
        "SELECT audio_hash, CAST(probabilities AS BLOB), CAST(embedding AS BLOB) FROM recordings"
    ):
        for (name, size), blob in zip(sizes.items(), blobs, strict=True):
            if len(blob) != 4 * size:
                found.append(f"recording {audio_hash}: {name} of {len(blob)} bytes instead of {4 * size}")
            elif not np.isfinite(np.frombuffer(blob, "<f4")).all():
                found.append(f"recording {audio_hash}: {name} with values that are no numbers")
    return found


def remarks_in(text: str) -> tuple[Remark, ...]:
    """Return the remarks of a recording, as they are stored."""
    return () if text == "[]" else tuple(Remark(text, unreliable) for text, unreliable in json.loads(text))
