"""Selections from a library in SQLite. They only read, and the caller has begun the transaction that they read in."""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from musicrec.audio.remark import Remark
from musicrec.export.passages import Passages
from musicrec.heads import Head
from musicrec.recommend.library import LibraryFile, Listing, PresentTracks, Source
from musicrec.recommend.sqlite_schema import FILE_FACTS, has_beat_grids
from musicrec.recommend.stored_passages import stored_form
from musicrec.recommend.track import Track, folded

_AT_ONCE = 500  # values in a statement; SQLite has a limit
_ROWS_AT_ONCE = 8192
_OF_FILES = ", ".join(f"files.{name}" for name in FILE_FACTS)
_ANSWERS = "duration_s, descriptors, remarks, probabilities, embedding, variation"
_SOURCE = """(
    SELECT place FROM listings JOIN sources ON sources.id = listings.source WHERE listings.file = files.id
    ORDER BY sources.id DESC LIMIT 1
)"""


class _Answers(NamedTuple):
    """What the models said about a track, as `Track` has it."""

    probabilities: dict[str, np.ndarray]
    embedding: np.ndarray
    variation: np.ndarray


def count_tracks(connection: sqlite3.Connection) -> int:
    """Return the number of recordings with a file that is there."""
    selection = "SELECT count(DISTINCT audio_hash) FROM files WHERE missing_since IS NULL"
    return int(connection.execute(selection).fetchone()[0])


def all_tracks(
    connection: sqlite3.Connection, heads: Mapping[str, Head], embedding_size: int
) -> tuple[list[Track], dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Return one track per recording with a file that is there, in the order of the paths.

    The answers are read in the order of the file and put where they belong, so that they are in memory only once.

    Returns:
        The tracks, {head: (tracks, classes) float32}, the embeddings, (tracks, embedding_size) float32, and the
        variations, (tracks, size) float32, NaN where there is none, of size 0 if no track has one.
    """
    rows: dict[str, tuple[int, tuple]] = {}
    for row in connection.execute(
        f"SELECT {_OF_FILES}, {_SOURCE} FROM files WHERE missing_since IS NULL ORDER BY path"
    ):
        rows.setdefault(row[1], (len(rows), row))  # of copies, the first
    by_head, whole = _empty_values(len(rows), heads)
    embeddings = np.zeros((len(rows), embedding_size), np.float32)
    variations = np.full((len(rows), _variation_size(connection)), np.nan, np.float32)
    found: list[Track | None] = [None] * len(rows)
    for (
        audio_hash,
        duration_s,
        descriptors,
        remarks,
        probabilities,
        embedding,
        variation,
    ) in connection.execute(f"SELECT audio_hash, {_ANSWERS} FROM recordings"):
        if audio_hash not in rows:
            continue
        number, row = rows[audio_hash]
        whole[number] = np.frombuffer(probabilities, "<f4")
        embeddings[number] = np.frombuffer(embedding, "<f4")
        values = {name: of_head[number] for name, of_head in by_head.items()}
        if variation is not None:
            variations[number] = np.frombuffer(variation, "<f4")
        answers = _Answers(values, embeddings[number], variations[number])
        found[number] = _track(row, duration_s, descriptors, remarks, answers)
    return [track for track in found if track is not None], by_head, embeddings, variations


def tracks_of(
    connection: sqlite3.Connection,
    heads: Mapping[str, Head],
    *,
    path: str | None = None,
    track_id: str | None = None,
    content_hash: str | None = None,
    name: str | None = None,
) -> list[Track]:
    """Return the tracks of all files with one of these, those that are there first."""
    wanted: list[str] = []
    given: list[Any] = []
    for column, value in (("path", path), ("content_hash", content_hash)):
        if value is not None:
            wanted.append(f"files.{column} = ?")
            given.append(value)
    if track_id is not None:
        wanted.append("(files.track_id = ? OR files.id IN (SELECT file FROM listings WHERE track_id = ?))")
        given += [track_id, track_id]
    if name is not None:
        wanted.append("files.id IN (SELECT file FROM names WHERE name = ?)")
        given.append(folded(name))
    return _select_tracks(
        connection,
        heads,
        f"WHERE {' AND '.join(wanted)} ORDER BY files.missing_since IS NOT NULL, files.path",
        given,
    )


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


def tracks_of_recordings(connection: sqlite3.Connection, heads: Mapping[str, Head], ids: Sequence[int]) -> list[Track]:
    """Return the tracks of recordings, in their order, by their first file that is there."""
    by_hash: dict[str, Track] = {}
    hashes: dict[int, str] = {}
    for some in _in_parts(ids):
        marks = ", ".join("?" * len(some))
        hashes |= dict(connection.execute(f"SELECT id, audio_hash FROM recordings WHERE id IN ({marks})", some))
        condition = f"WHERE recordings.id IN ({marks}) AND missing_since IS NULL ORDER BY files.path"
        for track in _select_tracks(connection, heads, condition, some):
            by_hash.setdefault(track.audio_hash, track)
    return [by_hash[hashes[number]] for number in ids]


def values_of_recordings(
    connection: sqlite3.Connection, heads: Mapping[str, Head], embedding_size: int, ids: Sequence[int]
) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Return the values of recordings: those of the heads and descriptors, the embeddings, and the variations."""
    places = {number: place for place, number in enumerate(ids)}
    by_head, whole = _empty_values(len(ids), heads)
    embeddings = np.zeros((len(ids), embedding_size), np.float32)
    variations = np.full((len(ids), _variation_size(connection)), np.nan, np.float32)
    described: dict[str, np.ndarray] = {}
    for some in _in_parts(ids):
        for number, descriptors, probabilities, embedding, variation in connection.execute(
            "SELECT id, descriptors, probabilities, embedding, variation FROM recordings "
            f"WHERE id IN ({', '.join('?' * len(some))})",
            some,
        ):
            place = places[number]
            whole[place] = np.frombuffer(probabilities, "<f4")
            embeddings[place] = np.frombuffer(embedding, "<f4")
            if variation is not None:
                variations[place] = np.frombuffer(variation, "<f4")
            for name, value in json.loads(descriptors).items():
                if name not in described:
                    described[name] = np.full((len(ids), 1), np.nan, np.float32)
                described[name][place] = value
    return described | by_head, embeddings, variations


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
    for some in _in_parts(ids):
        marks = ", ".join("?" * len(some))
        for number, *stored in connection.execute(
            f"SELECT id, passages, ends, duration_s FROM recordings WHERE id IN ({marks})", some
        ):
            found[number] = stored_form(*stored)
    return [found[int(number)] for number in ids]


def peaks_of_recordings(connection: sqlite3.Connection, ids: Sequence[int]) -> list[np.ndarray | None]:
    """Return the outlines of recordings, in their order, uint8; None if unknown."""
    found: dict[int, np.ndarray | None] = {}
    for some in _in_parts(ids):
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
    for some in _in_parts(ids):
        for number, length, remarks in connection.execute(
            f"SELECT id, duration_s, remarks FROM recordings WHERE id IN ({', '.join('?' * len(some))})", some
        ):
            place = places[number]
            duration_s[place], unreliable[place] = length, any(one.unreliable for one in _remarks(remarks))
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
    for some in _in_parts(ids):
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


def _in_parts(ids: Sequence[int]) -> Iterator[list[int]]:
    for start in range(0, len(ids), _AT_ONCE):
        yield [int(number) for number in ids[start : start + _AT_ONCE]]


def _select_tracks(
    connection: sqlite3.Connection, heads: Mapping[str, Head], condition: str, given: Sequence[Any]
) -> list[Track]:
    found, no_variation = [], np.full(_variation_size(connection), np.nan, np.float32)
    for *row, duration_s, descriptors, remarks, probabilities, embedding, variation in connection.execute(
        f"SELECT {_OF_FILES}, {_SOURCE}, {_ANSWERS} "
        f"FROM files JOIN recordings ON recordings.audio_hash = files.audio_hash {condition}",
        given,
    ):
        by_head, whole = _empty_values(1, heads)
        whole[0] = np.frombuffer(probabilities, "<f4")
        values = {name: of_head[0] for name, of_head in by_head.items()}
        varying = no_variation if variation is None else np.frombuffer(variation, "<f4")
        answers = _Answers(values, np.frombuffer(embedding, "<f4"), varying)
        found.append(_track(row, duration_s, descriptors, remarks, answers))
    return found


def all_files(connection: sqlite3.Connection) -> list[LibraryFile]:
    """Return all files in the order of their paths."""
    places = dict(connection.execute("SELECT id, place FROM sources").fetchall())
    listed: dict[int, list[str]] = defaultdict(list)
    for file, source in connection.execute("SELECT file, source FROM listings ORDER BY file, source"):
        listed[file].append(places[source])
    return [
        LibraryFile(**dict(zip(FILE_FACTS, facts, strict=True)), sources=tuple(listed.get(number, ())))
        for number, *facts in connection.execute(f"SELECT id, {_OF_FILES} FROM files ORDER BY path")
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
    return {audio_hash: _remarks(text) for audio_hash, text in connection.execute(selection)}


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


def _variation_size(connection: sqlite3.Connection) -> int:
    """Return the size of the variations; 0 if there are none of tracks with a file that is there."""
    selection = (
        "SELECT length(variation) FROM recordings WHERE variation IS NOT NULL AND EXISTS (SELECT 1 FROM files "
        "WHERE files.audio_hash = recordings.audio_hash AND missing_since IS NULL) LIMIT 1"
    )
    found = connection.execute(selection).fetchone()
    return found[0] // 4 if found else 0


def _empty_values(tracks: int, heads: Mapping[str, Head]) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return {head: (tracks, classes)}, which are columns of the second, (tracks, all classes); zeros."""
    sizes = [len(head.classes) for head in heads.values()]
    whole = np.zeros((tracks, sum(sizes)), np.float32)
    parts = np.split(whole, np.cumsum(sizes)[:-1], axis=1) if sizes else []
    return dict(zip(heads, parts, strict=True)), whole


def _track(
    row: Sequence[Any],
    duration_s: float,
    descriptors: str,
    remarks: str,
    answers: _Answers,
) -> Track:
    *facts, source = row
    named = dict(zip(FILE_FACTS, facts, strict=True))
    del named["missing_since"]
    return Track(
        **named,
        source=source or "",
        duration_s=duration_s,
        probabilities=answers.probabilities,
        embedding=answers.embedding,
        variation=answers.variation,
        descriptors=json.loads(descriptors),
        remarks=_remarks(remarks),
    )


def _remarks(text: str) -> tuple[Remark, ...]:
    return () if text == "[]" else tuple(Remark(text, unreliable) for text, unreliable in json.loads(text))
