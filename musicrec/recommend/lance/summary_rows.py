"""The rows of the table `summaries`: the facts that a query filters by, the tags, and the vector that it searches.

Each tag has a column for conditions, as LanceDB has the fastest index for truth values: a condition on a column with
lists of tags takes twenty times as long in a library of a million tracks. For reading, the tags are there as bits, too.

What is not known is null, as a comparison with null holds for no row. Artist, album, year and version come from the
first file of the recording and from its versions; they are filled in when a summary is saved, and a change of them
deletes it.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from musicrec.recommend.columns import Columns
from musicrec.recommend.library import PresentTracks
from musicrec.recommend.space import Space
from musicrec.recommend.summaries import SummaryLayout
from musicrec.recommend.tag_bits import TagBits
from musicrec.recommend.track_table import TrackTable

NUMBERS = ("bpm", "energy", "loudness", "duration_s")
VECTOR = "vector"
_TAG = "tag_"
STORED = ("recording", *NUMBERS, "genre", "key", "known", "unreliable", "tag_bits", VECTOR)
"""What a summary is made of."""
ALL = (*STORED, "artist", "album", "year", "version")


def tag_column(number: int) -> str:
    """Return the name of the column of a tag."""
    return f"{_TAG}{number}"


def tag_columns(names: Sequence[str]) -> list[str]:
    """Return those of the names of columns that are columns of tags."""
    return [name for name in names if name.startswith(_TAG) and name[len(_TAG) :].isdigit()]


def to_rows(ids: np.ndarray, summaries: np.ndarray, here: PresentTracks, layout: SummaryLayout) -> pa.Table:
    """Return the rows of recordings.

    Args:
        ids: (recordings,) int64.
        summaries: (recordings,) of `layout.dtype`.
        here: The facts of the files of these recordings, in their order.
        layout: How summaries are laid out.
    """
    names, vectors = len(layout.tags), summaries["vector"]
    has = np.unpackbits(summaries["tags"], axis=1, count=names, bitorder="little") if names else np.zeros((len(ids), 0))
    columns: dict[str, pa.Array] = {
        "recording": pa.array(ids, pa.int64()),
        **{name: pa.array(_plain(summaries[name]), from_pandas=True) for name in NUMBERS},
        **{name: pa.array(_plain(summaries[name])) for name in ("genre", "key", "known")},
        "unreliable": pa.array(summaries["unreliable"].astype(bool)),
        "tag_bits": pa.array([bits.tobytes() for bits in summaries["tags"]], pa.binary()),
        **{tag_column(number): pa.array(has[:, number] == 1) for number in range(names)},
        "artist": pa.array([text or None for text in here.artists.tolist()], pa.string()),
        "album": pa.array([text or None for text in here.albums.tolist()], pa.string()),
        "year": pa.array(here.years, mask=here.years < 0),
        "version": pa.array(here.versions),
        VECTOR: pa.FixedSizeListArray.from_arrays(pa.array(_plain(vectors).reshape(-1)), vectors.shape[1]),
    }
    return pa.table(columns)


def _plain(values: np.ndarray) -> np.ndarray:
    """Return a copy of values, side by side and aligned in memory. LanceDB loses rows of which this does not hold."""
    return np.array(values, order="C", copy=True)


def to_summaries(rows: pa.Table, layout: SummaryLayout) -> np.ndarray:
    """Return what `to_rows` was given, (recordings,) of `layout.dtype`."""
    found = np.zeros(rows.num_rows, layout.dtype)
    for name in NUMBERS:
        found[name] = rows[name].to_numpy()
    for name in ("genre", "key", "unreliable", "known"):
        found[name] = rows[name].to_numpy()
    found["tags"] = _bits(rows["tag_bits"], len(layout.tags))
    found["vector"] = _vectors(rows)
    return found


def to_track_table(rows: pa.Table, layout: SummaryLayout, space: Space) -> TrackTable:
    """Return rows as a query sees them."""
    vectors, columns = _vectors(rows), {name: rows[name].to_numpy() for name in NUMBERS}
    genre = np.array([*layout.genres, ""], dtype=object)[rows["genre"].to_numpy()]
    table = TrackTable(
        space=space,
        ids=rows["recording"].to_numpy(),
        columns=Columns(
            **columns,
            key=rows["key"].to_numpy(),
            year=rows["year"].fill_null(-1).to_numpy(),
            artist=np.array(rows["artist"].fill_null("").to_pylist(), dtype=object),
            album=np.array(rows["album"].fill_null("").to_pylist(), dtype=object),
            genre=genre,
            vectors=np.zeros((rows.num_rows, 0), np.float32),
            recording=rows["version"].to_numpy(),
        ),
        tags=TagBits(layout.tags, _bits(rows["tag_bits"], len(layout.tags))),
        vectors=vectors,
        known=rows["known"].to_numpy(),
        unreliable=rows["unreliable"].to_numpy(),
    )
    return table.take(np.arange(len(table)))


def joined(parts: Sequence[pa.Table]) -> pa.Table:
    """Return the rows of several answers."""
    return pa.concat_tables([part.select(list(ALL)) for part in parts])


def names_in_sql(layout: SummaryLayout) -> dict[str, dict[str, Any]]:
    """Return what stands for texts in the rows: {"tags": {name: column}, "genre": {name: number}}."""
    tags = {name: tag_column(number) for number, name in enumerate(layout.tags)}
    return {"tags": tags, "genre": {name: number for number, name in enumerate(layout.genres)}}


def _vectors(rows: pa.Table) -> np.ndarray:
    column = rows[VECTOR].combine_chunks()
    values: np.ndarray = column.flatten().to_numpy()
    return values.reshape(rows.num_rows, column.type.list_size)


def _bits(column: pa.ChunkedArray, names: int) -> np.ndarray:
    """Return the tags as one bit per tag and row, (rows, ceil(names / 8)) uint8."""
    return np.frombuffer(b"".join(column.to_pylist()), np.uint8).reshape(len(column), -(-names // 8))
