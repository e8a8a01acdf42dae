"""Reads tracks and what models said about them from a library in SQLite.

All functions only read, and the caller has begun the transaction that they read in.
"""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from musicrec.heads import Head
from musicrec.recommend.sqlite_facts import OF_FILES, in_parts, remarks_in
from musicrec.recommend.sqlite_schema import FILE_FACTS
from musicrec.recommend.track import Track, folded

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
    for row in connection.execute(f"SELECT {OF_FILES}, {_SOURCE} FROM files WHERE missing_since IS NULL ORDER BY path"):
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


def tracks_of_recordings(connection: sqlite3.Connection, heads: Mapping[str, Head], ids: Sequence[int]) -> list[Track]:
    """Return the tracks of recordings, in their order, by their first file that is there."""
    by_hash: dict[str, Track] = {}
    hashes: dict[int, str] = {}
    for some in in_parts(ids):
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
    for some in in_parts(ids):
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


def _select_tracks(
    connection: sqlite3.Connection, heads: Mapping[str, Head], condition: str, given: Sequence[Any]
) -> list[Track]:
    found, no_variation = [], np.full(_variation_size(connection), np.nan, np.float32)
    for *row, duration_s, descriptors, remarks, probabilities, embedding, variation in connection.execute(
        f"SELECT {OF_FILES}, {_SOURCE}, {_ANSWERS} "
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
        remarks=remarks_in(remarks),
    )
