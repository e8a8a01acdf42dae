"""Selections from a library in LanceDB. They only read, and all see the same moment of the library."""

import json
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from musicrec.export.passages import Passages
from musicrec.heads import Head
from musicrec.recommend.lance.commits import Tables
from musicrec.recommend.lance.schema import BEAT_GRID, FILE_FACTS, SCHEMAS, SUMMARISED, descriptors_of, remarks_of
from musicrec.recommend.lance.sql import literal
from musicrec.recommend.library import LibraryFile, Listing, PresentTracks, Source
from musicrec.recommend.stored_passages import stored_form
from musicrec.recommend.track import Track, folded

_HERE = "missing_since IS NULL"
_ANSWERS = ("id", "duration_s", "descriptors", "remarks", "probabilities", "embedding", "variation")


class Values:
    """Values of recordings in matrices, with one row per recording.

    Args:
        count: Number of recordings.
        heads: The heads of the library.
        embedding_size: Size of the embeddings.
        variation_size: Size of the variations; 0 if there are none.

    Attributes:
        by_head: {head: (recordings, classes) float32}.
        embeddings: (recordings, embedding_size) float32.
        variations: (recordings, variation_size) float32, NaN where there is none.
        described: {descriptor: (recordings, 1) float32}, NaN where there is none.
    """

    def __init__(self, count: int, *, heads: Mapping[str, Head], embedding_size: int, variation_size: int) -> None:
        sizes = [len(head.classes) for head in heads.values()]
        self._whole = np.zeros((count, sum(sizes)), np.float32)
        parts = np.split(self._whole, np.cumsum(sizes)[:-1], axis=1) if sizes else []
        self.by_head = dict(zip(heads, parts, strict=True))
        self.embeddings = np.zeros((count, embedding_size), np.float32)
        self.variations = np.full((count, variation_size), np.nan, np.float32)
        self.described: dict[str, np.ndarray] = {}

    def fill(self, place: int, row: Mapping[str, Any]) -> None:
        """Take the values of a recording from its row in the table `recordings`."""
        self._whole[place] = np.frombuffer(row["probabilities"], "<f4")
        self.embeddings[place] = np.frombuffer(row["embedding"], "<f4")
        if row["variation"] is not None and self.variations.shape[1]:
            self.variations[place] = np.frombuffer(row["variation"], "<f4")
        for name, value in descriptors_of(row["descriptors"]).items():
            if name not in self.described:
                self.described[name] = np.full((len(self.embeddings), 1), np.nan, np.float32)
            self.described[name][place] = value

    def track(self, place: int, row: Mapping[str, Any], file: Mapping[str, Any]) -> Track:
        """Return a track, whose values are rows of the matrices.

        Args:
            place: The row of its recording in the matrices.
            row: Its recording.
            file: Its file, with the place of its "source".
        """
        named = {name: file[name] for name in FILE_FACTS if name != "missing_since"}
        return Track(
            **named,
            source=file["source"],
            duration_s=row["duration_s"],
            probabilities={name: values[place] for name, values in self.by_head.items()},
            embedding=self.embeddings[place],
            variation=self.variations[place],
            descriptors=descriptors_of(row["descriptors"]),
            remarks=remarks_of(row["remarks"]),
        )


def count_tracks(tables: Tables) -> int:
    """Return the number of recordings with a file that is there."""
    found = tables.rows("files", ["recording"], _HERE)["recording"]
    return len(np.unique(found.to_numpy()))


def all_tracks(tables: Tables, heads: Mapping[str, Head], embedding_size: int) -> tuple[list[Track], Values]:
    """Return one track per recording with a file that is there, in the order of the paths, and their values."""
    first: dict[int, dict[str, Any]] = {}
    for file in _files(tables, _HERE):
        first.setdefault(file["recording"], file)  # of copies, the first path
    places = {number: place for place, number in enumerate(first)}
    values = Values(len(places), heads=heads, embedding_size=embedding_size, variation_size=variation_size(tables))
    found: list[Track | None] = [None] * len(places)
    for row in _rows(tables.batches("recordings", _ANSWERS)):
        if row["id"] in places:
            place = places[row["id"]]
            values.fill(place, row)
            found[place] = values.track(place, row, first[row["id"]])
    tracks = [track for track in found if track is not None]
    return tracks, values


def tracks_of(
    tables: Tables, heads: Mapping[str, Head], embedding_size: int, wanted: Mapping[str, str | None]
) -> list[Track]:
    """Return the tracks of all files with a certain path, track_id, content or name, those that are there first."""
    conditions: dict[str, Callable[[str], str]] = {
        "path": lambda value: f"path = {literal(value)}",
        "content_hash": lambda value: f"content_hash = {literal(value)}",
        "track_id": lambda value: f"array_has(track_ids, {literal(value)})",
        "name": lambda value: f"array_has(names, {literal(folded(value))})",
    }
    parts = [conditions[name](value) for name, value in wanted.items() if value is not None]
    files = sorted(_files(tables, " AND ".join(parts)), key=lambda file: file["missing_since"] is not None)
    return _tracks(tables, heads, embedding_size, files)


def tracks_of_recordings(
    tables: Tables, heads: Mapping[str, Head], embedding_size: int, ids: Sequence[int]
) -> list[Track]:
    """Return the tracks of recordings, in their order, by their first file that is there."""
    first: dict[int, dict[str, Any]] = {}
    for file in _files(tables, _HERE, among=ids):
        first.setdefault(file["recording"], file)
    return _tracks(tables, heads, embedding_size, [first[int(number)] for number in ids])


def values_of_recordings(tables: Tables, heads: Mapping[str, Head], embedding_size: int, ids: Sequence[int]) -> Values:
    """Return the values of recordings, in their order."""
    places = {int(number): place for place, number in enumerate(ids)}
    values = Values(len(ids), heads=heads, embedding_size=embedding_size, variation_size=variation_size(tables))
    for row in tables.among("recordings", _ANSWERS, "id", list(places)).to_pylist():
        values.fill(places[row["id"]], row)
    return values


def variation_size(tables: Tables) -> int:
    """Return the size of the variations; 0 if there are none."""
    some = tables.open("recordings").search().select(["variation"]).where("variation IS NOT NULL").limit(1).to_arrow()
    return len(some["variation"][0].as_py()) // 4 if some.num_rows else 0


def present(tables: Tables, among: np.ndarray | None = None) -> PresentTracks:
    """Return the recordings with a file that is there, in the order of the paths.

    Args:
        tables: The tables.
        among: (recordings,) int64, the recordings that matter; None for all.
    """
    columns = ["path", "recording", *SUMMARISED]
    if among is None:
        found = tables.rows("files", columns, _HERE)
    else:
        found = tables.among("files", [*columns, "missing_since"], "recording", among.tolist())
        found = found.filter(pc.is_null(found["missing_since"]))
    found = found.sort_by("path")
    whole = found["recording"].to_numpy()
    first = np.sort(np.unique(whole, return_index=True)[1])  # of copies
    ids = whole[first].astype(np.int64)
    versions = np.full(len(ids), -1)
    group_of = versions_of(tables)
    if group_of:
        versions = np.array([group_of.get(number, -1) for number in ids.tolist()], dtype=np.int64)
    return PresentTracks(
        ids=ids,
        artists=_texts(found["artist"])[first],
        albums=_texts(found["album"])[first],
        years=found["year"].fill_null(-1).to_numpy()[first].astype(np.int16),
        versions=versions,
    )


def versions_of(tables: Tables) -> dict[int, int]:
    """Return {recording: number of its group} of the recordings that are versions of one, or have one."""
    rows = tables.rows("recordings", ["id", "version_of"], "version_of IS NOT NULL").to_pylist()
    hashes = ids_of(tables, [row["version_of"] for row in rows])
    groups: dict[int, int] = {}
    for row in rows:
        if row["version_of"] in hashes:
            group = hashes[row["version_of"]]
            groups[row["id"]] = groups[group] = group
    return groups


def audio_facts(tables: Tables, ids: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Return the lengths of recordings in seconds, and whether the answers for them mean little."""
    places = {int(number): place for place, number in enumerate(ids)}
    duration_s, unreliable = np.zeros(len(ids), np.float32), np.zeros(len(ids), dtype=bool)
    for row in tables.among("recordings", ["id", "duration_s", "remarks"], "id", list(places)).to_pylist():
        place = places[row["id"]]
        duration_s[place] = row["duration_s"]
        unreliable[place] = any(remark.unreliable for remark in remarks_of(row["remarks"]))
    return duration_s, unreliable


def ids_of(tables: Tables, audio_hashes: Iterable[str]) -> dict[str, int]:
    """Return {audio_hash: id} of the recordings that are known."""
    wanted = list(dict.fromkeys(audio_hashes))
    found = tables.among("recordings", ["audio_hash", "id"], "audio_hash", wanted)
    return dict(zip(found["audio_hash"].to_pylist(), found["id"].to_pylist(), strict=True))


def audio_hashes(tables: Tables) -> set[str]:
    """Return the recordings, also those without a file."""
    return set(tables.rows("recordings", ["audio_hash"])["audio_hash"].to_pylist())


def passages_of_recordings(tables: Tables, ids: Sequence[int]) -> list[Passages]:
    """Return the passages of recordings, in their order, as passages to compare; none if they are unknown."""
    wanted = [int(number) for number in ids]
    old = _is_format_1(tables)  # which has the ends in this column
    columns = ["id", "duration_s", "passages", *([] if old else ["ends"])]
    found: dict[int, Passages] = {}
    for row in tables.among("recordings", columns, "id", list(dict.fromkeys(wanted))).to_pylist():
        stored, ends = (None, row["passages"]) if old else (row["passages"], row["ends"])
        found[row["id"]] = stored_form(stored, ends, row["duration_s"])
    return [found[number] for number in wanted]


def peaks_of_recordings(tables: Tables, ids: Sequence[int]) -> list[np.ndarray | None]:
    """Return the outlines of recordings, in their order, uint8; None if unknown."""
    wanted = [int(number) for number in ids]
    found: dict[int, bytes | None] = {}
    if not _is_format_1(tables):
        rows = tables.among("recordings", ["id", "peaks"], "id", list(dict.fromkeys(wanted))).to_pylist()
        found = {row["id"]: row["peaks"] for row in rows}
    stored = [found.get(number) for number in wanted]
    return [None if one is None else np.frombuffer(one, np.uint8) for one in stored]


def beat_grids(tables: Tables, ids: Mapping[str, int]) -> dict[str, dict[str, Any]]:
    """Return {audio_hash: beat grid} of recordings that have one; ids: {audio_hash: id}."""
    rows = tables.among("recordings", ["audio_hash", "descriptors"], "id", list(ids.values())).to_pylist()
    described = {row["audio_hash"]: json.loads(row["descriptors"]) for row in rows}
    return {audio_hash: values[BEAT_GRID] for audio_hash, values in described.items() if BEAT_GRID in values}


def _is_format_1(tables: Tables) -> bool:
    return "ends" not in tables.open("recordings").schema.names


def fingerprints(tables: Tables, shortest_s: float, longest_s: float) -> list[tuple[str, float, bytes, str | None]]:
    """Return audio hash, length in seconds, fingerprint and version_of of recordings of some length, oldest first."""
    parts = ["fingerprint IS NOT NULL"]
    parts += [
        f"duration_s {sign} {limit!r}"
        for sign, limit in ((">=", float(shortest_s)), ("<=", float(longest_s)))
        if math.isfinite(limit)
    ]
    columns = ["id", "audio_hash", "duration_s", "fingerprint", "version_of"]
    rows = tables.rows("recordings", columns, " AND ".join(parts)).sort_by("id").select(columns[1:]).to_pylist()
    return [tuple(row.values()) for row in rows if row["fingerprint"]]


def hashes_of(tables: Tables, ids: Sequence[int]) -> list[str]:
    """Return the audio hashes of recordings, in their order."""
    wanted = [int(number) for number in ids]
    rows = tables.among("recordings", ["id", "audio_hash"], "id", list(dict.fromkeys(wanted))).to_pylist()
    found = {row["id"]: row["audio_hash"] for row in rows}
    return [found[number] for number in wanted]


def some_ids(tables: Tables) -> list[int]:
    """Return a recording with a file that is there, if possible one with descriptors."""
    some = tables.open("files").search().select(["recording"]).where(_HERE).limit(100).to_arrow()
    rows = tables.among("recordings", ["id", "descriptors"], "id", some["recording"].to_pylist()).to_pylist()
    return [max(rows, key=lambda row: len(row["descriptors"]))["id"]] if rows else []


def incomplete(tables: Tables) -> set[str]:
    """Return the audio hashes of recordings with a file that were analysed before something was known of a track."""
    lacking = None if _is_format_1(tables) else "passages IS NULL OR fingerprint IS NULL"
    rows = tables.rows("recordings", ["id", "audio_hash"], lacking).to_pylist()
    here = set(_present_among(tables, [row["id"] for row in rows]))
    return {row["audio_hash"] for row in rows if row["id"] in here}


def space_of(tables: Tables) -> tuple[str, bytes] | None:
    """Return the space as it is stored; None if there is none."""
    rows = tables.rows("space", ["described", "arrays"]).to_pylist()
    return (rows[0]["described"], rows[0]["arrays"]) if rows else None


def all_files(tables: Tables) -> list[LibraryFile]:
    """Return all files in the order of their paths."""
    places = _places(tables)
    return [
        LibraryFile(
            **{name: file[name] for name in FILE_FACTS},
            sources=tuple(places[listing["source"]] for listing in file["listings"]),
        )
        for file in _files(tables)
    ]


def all_sources(tables: Tables) -> list[Source]:
    """Return the sources in the order of their places."""
    files: dict[int, int] = defaultdict(int)
    missing: dict[int, int] = defaultdict(int)
    for row in _rows(tables.batches("files", ["missing_since", "listings"])):
        for listing in row["listings"]:
            files[listing["source"]] += 1
            missing[listing["source"]] += row["missing_since"] is not None
    return [
        Source(
            place=row["place"],
            kind=row["kind"],
            indexed_at=row["indexed_at"],
            metadata=json.loads(row["metadata"]),
            files=files[row["id"]],
            missing=missing[row["id"]],
        )
        for row in sorted(tables.rows("sources", SCHEMAS["sources"].names).to_pylist(), key=lambda row: row["place"])
    ]


def listings_of(tables: Tables, hashes: Iterable[str]) -> dict[str, list[Listing]]:
    """Return {audio_hash: the listings with metadata} of the files of some recordings."""
    found, places = defaultdict(list), _places(tables)
    columns, wanted = ["audio_hash", "path", "listings"], list(dict.fromkeys(hashes))
    for file in tables.among("files", columns, "audio_hash", wanted).sort_by("path").to_pylist():
        for listing in sorted(file["listings"], key=lambda one: places[one["source"]]):
            if listing["metadata"] != "{}":
                found[file["audio_hash"]].append(
                    Listing(
                        path=file["path"],
                        source=places[listing["source"]],
                        track_id=listing["track_id"],
                        metadata=json.loads(listing["metadata"]),
                    )
                )
    return dict(found)


def all_remarks(tables: Tables) -> dict[str, tuple[Any, ...]]:
    """Return {audio_hash: remarks} of the recordings with remarks and a file that is there."""
    rows = tables.rows("recordings", ["id", "audio_hash", "remarks"], "remarks <> '[]'").to_pylist()
    here = set(_present_among(tables, [row["id"] for row in rows]))
    return {row["audio_hash"]: remarks_of(row["remarks"]) for row in rows if row["id"] in here}


def problems_of(tables: Tables, heads: Mapping[str, Head], embedding_size: int) -> list[str]:
    """Read all tables, and check that answers are complete and finite and that rows refer to rows that are there."""
    found = []
    sizes = {"probabilities": sum(len(head.classes) for head in heads.values()), "embedding": embedding_size}
    known: set[int] = set()
    for row in _rows(tables.batches("recordings", ["id", "audio_hash", *sizes])):
        known.add(row["id"])
        for name, size in sizes.items():
            if len(row[name]) != 4 * size:
                found.append(f"recording {row['audio_hash']}: {name} of {len(row[name])} bytes instead of {4 * size}")
            elif not np.isfinite(np.frombuffer(row[name], "<f4")).all():
                found.append(f"recording {row['audio_hash']}: {name} with values that are no numbers")
    sources = set(tables.rows("sources", ["id"])["id"].to_pylist())
    paths: set[str] = set()
    for row in _rows(tables.batches("files", ["path", "recording", "listings"])):
        if row["recording"] not in known:
            found.append(f"file {row['path']}: its recording is not there")
        if row["path"] in paths:
            found.append(f"file {row['path']} is there twice")
        if any(listing["source"] not in sources for listing in row["listings"]):
            found.append(f"file {row['path']}: a source of it is not there")
        paths.add(row["path"])
    summed_up = set(tables.rows("summaries", ["recording"])["recording"].to_pylist())
    if summed_up - known:
        found.append(f"{len(summed_up - known)} summaries of recordings that are not there")
    return found


def _files(tables: Tables, where: str | None = None, *, among: Sequence[int] | None = None) -> list[dict[str, Any]]:
    """Return files with the place of the "source" that was added last, in the order of their paths."""
    columns = [*FILE_FACTS, "recording", "listings"]
    if among is None:
        found = tables.rows("files", columns, where)
    else:
        found = tables.among("files", columns, "recording", [int(number) for number in among])
    places = _places(tables)
    files = found.sort_by("path").to_pylist()
    if among is not None:
        files = [file for file in files if file["missing_since"] is None]
    for file in files:
        file["source"] = places[file["listings"][-1]["source"]] if file["listings"] else ""
    return files


def _tracks(
    tables: Tables, heads: Mapping[str, Head], embedding_size: int, files: Sequence[dict[str, Any]]
) -> list[Track]:
    ids = list(dict.fromkeys(file["recording"] for file in files))
    rows = {row["id"]: row for row in tables.among("recordings", _ANSWERS, "id", ids).to_pylist()}
    values = Values(len(ids), heads=heads, embedding_size=embedding_size, variation_size=variation_size(tables))
    places = {number: place for place, number in enumerate(ids)}
    for number, place in places.items():
        values.fill(place, rows[number])
    return [values.track(places[file["recording"]], rows[file["recording"]], file) for file in files]


def _present_among(tables: Tables, ids: Sequence[int]) -> list[int]:
    found = tables.among("files", ["recording", "missing_since"], "recording", list(ids)).to_pylist()
    return [row["recording"] for row in found if row["missing_since"] is None]


def _places(tables: Tables) -> dict[int, str]:
    found = tables.rows("sources", ["id", "place"])
    return dict(zip(found["id"].to_pylist(), found["place"].to_pylist(), strict=True))


def _rows(batches: Iterable[pa.RecordBatch]) -> Iterator[dict[str, Any]]:
    for batch in batches:
        yield from batch.to_pylist()


def _texts(column: pa.ChunkedArray) -> np.ndarray:
    """Return texts, "" if unknown, each of which is in memory once."""
    coded = column.fill_null("").combine_chunks().dictionary_encode()
    coded = coded.combine_chunks() if isinstance(coded, pa.ChunkedArray) else coded
    return np.array(coded.dictionary.to_pylist(), dtype=object)[coded.indices.to_numpy()]
