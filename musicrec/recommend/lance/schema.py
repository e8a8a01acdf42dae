"""The tables of a library in LanceDB.

| table | rows |
|---|---|
| state | one: the versions of the other tables after the last finished write, and what describes the library |
| recordings | one per recording: what the models said |
| files | one per file, with the sources that list it |
| sources | one per source |
| space | one, or none before the first fit |
| summaries | one per recording with a file that is there: what a query filters and searches by; see `summary_rows` |
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from musicrec.audio.remark import Remark
from musicrec.recommend.library import LibraryFile, Recording
from musicrec.recommend.stored_passages import to_bytes
from musicrec.recommend.track import folded_names

APPLICATION = "musicrec"
FORMAT = 2
STATE = "state"
FILE_FACTS = (
    "path", "audio_hash", "size", "mtime_ns", "content_hash", "track_id", "title", "artist", "album", "year", "genre",
    "missing_since",
)  # fmt: skip
"""The columns of the table `files` that `LibraryFile` has, too."""

SUMMARISED = ("artist", "album", "year")
"""What a summary takes from the first file of a recording."""


def _schema(columns: Mapping[str, pa.DataType], *, optional: Iterable[str] = ()) -> pa.Schema:
    return pa.schema([pa.field(name, kind, nullable=name in optional) for name, kind in columns.items()])


_text, _bytes, _number = pa.string(), pa.binary(), pa.int64()

STATE_SCHEMA = _schema(
    {
        "application": _text,
        "format": pa.int32(),
        "number": _number,  # of finished writes
        "versions": _text,  # JSON, {table: version}
        "next_id": _number,  # of the next new recording
        "described": _text,  # JSON: heads, embedding_size, analysis, exports
        "writer": _text,  # who writes in an object store, where files cannot be locked; "" for nobody
        "until": pa.float64(),  # when another program may take over, in seconds since 1970
    }
)
LISTING = pa.struct([("source", _number), ("track_id", _text), ("metadata", _text)])
SCHEMAS: dict[str, pa.Schema] = {
    "recordings": _schema(
        {
            "id": _number,
            "audio_hash": _text,
            "duration_s": pa.float64(),
            "version_of": _text,
            "descriptors": _text,  # JSON, {name: value}, and the beat grid, if there is one
            "remarks": _text,  # JSON, [[text, unreliable]]
            "probabilities": _bytes,  # float32, the heads in their order
            "embedding": _bytes,  # float32, the models in their order
            "variation": _bytes,  # float32
            "fingerprint": _bytes,
            "ends": _bytes,  # float16, the first and the last 30 s, in libraries that were made with format 1
            "passages": _bytes,  # see musicrec.recommend.stored_passages
            "peaks": _bytes,  # see musicrec.audio.peaks
        },
        optional=("version_of", "variation", "fingerprint", "ends", "passages", "peaks"),
    ),
    "files": _schema(
        {
            "path": _text,
            "audio_hash": _text,
            "size": _number,
            "mtime_ns": _number,
            "content_hash": _text,
            "track_id": _text,
            "title": _text,
            "artist": _text,
            "album": _text,
            "year": _number,
            "genre": _text,
            "missing_since": _text,
            "recording": _number,  # the id of the recording
            "listings": pa.list_(LISTING),  # in the order of the sources' ids
            "track_ids": pa.list_(_text),  # in all sources
            "names": pa.list_(_text),  # by which it is found; see `folded_names`
        },
        optional=("content_hash", "title", "artist", "album", "year", "genre", "missing_since"),
    ),
    "sources": _schema(
        {"id": _number, "place": _text, "kind": _text, "indexed_at": _text, "metadata": _text},
        optional=("indexed_at",),
    ),
    "space": _schema({"described": _text, "arrays": _bytes}),
    "summaries": _schema({"recording": _number}),  # gets its other columns with the first space
}
BEAT_GRID = "beat_grid"  # its key in the column `descriptors`
KEYS = {"recordings": "audio_hash", "files": "path", "sources": "id", "summaries": "recording"}


def upgrade(touch: Callable[[str], Any], version: int) -> None:
    """Turn the tables of an older format into those of the newest one, within a write.

    Format 1 had the first and the last 30 s of a track in the column `passages`. Readers do without the other columns.

    Args:
        touch: Returns a table, which is changed, by its name.
        version: The format.
    """
    if version < 2:
        recordings = touch("recordings")
        recordings.alter_columns({"path": "passages", "rename": "ends"})
        recordings.add_columns([pa.field("passages", _bytes), pa.field("peaks", _bytes)])


def recording_row(recording: Recording, number: int, heads: Sequence[str]) -> dict[str, Any]:
    """Return the row of a recording.

    Args:
        recording: The recording.
        number: Its id.
        heads: Names of the heads in the order in which the library stores them.
    """
    one = recording
    known = len(one.variation) > 0 and not bool(np.isnan(one.variation).any())
    return {
        "id": number,
        "audio_hash": one.audio_hash,
        "duration_s": one.duration_s,
        "version_of": one.version_of,
        "descriptors": json.dumps({**one.descriptors, **_grid(one)}),
        "remarks": json.dumps([[remark.text, remark.unreliable] for remark in one.remarks]),
        "probabilities": np.concatenate([one.probabilities[name] for name in heads]).astype("<f4").tobytes(),
        "embedding": one.embedding.astype("<f4").tobytes(),
        "variation": one.variation.astype("<f4").tobytes() if known else None,
        "fingerprint": one.fingerprint,
        "ends": None,
        "passages": None if one.passages is None else to_bytes(one.passages),
        "peaks": None if one.peaks is None else one.peaks.astype(np.uint8).tobytes(),
    }


def _grid(recording: Recording) -> dict[str, Any]:
    return {} if recording.beat_grid is None else {BEAT_GRID: dict(recording.beat_grid)}


def descriptors_of(text: str) -> dict[str, float]:
    """Return the descriptors in the column `descriptors`."""
    found = json.loads(text)
    found.pop(BEAT_GRID, None)
    return found


def file_row(file: LibraryFile, recording: int, listings: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the row of a file.

    Args:
        file: The file.
        recording: The id of its recording.
        listings: Its listings, each a dictionary as `LISTING` says.
    """
    row = {name: getattr(file, name) for name in FILE_FACTS}
    return row | {"recording": recording, "listings": listings}


def to_table(name: str, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Return rows of a table, as LanceDB takes them."""
    if name == "files":
        rows = [{**row, "track_ids": _track_ids(row), "names": _names(row)} for row in rows]
    schema = SCHEMAS[name]
    return pa.table({field.name: [row[field.name] for row in rows] for field in schema}, schema=schema)


def _names(row: Mapping[str, Any]) -> list[str]:
    return sorted(folded_names(row["artist"], row["title"], row["track_id"]))


def _track_ids(row: Mapping[str, Any]) -> list[str]:
    return list(dict.fromkeys([row["track_id"], *(listing["track_id"] for listing in row["listings"])]))


def remarks_of(text: str) -> tuple[Remark, ...]:
    """Return the remarks in the column `remarks`."""
    return () if text == "[]" else tuple(Remark(text, unreliable) for text, unreliable in json.loads(text))
