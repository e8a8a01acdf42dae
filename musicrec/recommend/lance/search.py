"""The search for the tracks whose vectors have the largest product with a query's vector.

LanceDB keeps an index of the vectors, one byte per dimension, in partitions (IVF_SQ). A query is compared with the
vectors of the nearest partitions that pass the condition. The products of the best are computed again from the vectors
as they are. Without an index, in small libraries, all tracks are compared, which is exact.
"""

from typing import Any

import numpy as np
import pyarrow as pa

from musicrec.recommend.lance import summary_rows
from musicrec.recommend.lance.commits import Draft

INDEXED_FROM = 50_000
"""Tables of so many rows get indices; smaller ones are read as a whole as fast."""
_INDICES = {
    "recordings": {"id": "BTree", "audio_hash": "BTree"},
    "files": {"path": "BTree", "recording": "BTree", "audio_hash": "BTree", "content_hash": "BTree"},
    "summaries": {"recording": "BTree", "bpm": "BTree", "year": "BTree", "key": "Bitmap", "genre": "Bitmap",
                  "artist": "BTree", "unreliable": "Bitmap"},
}  # fmt: skip
_PROBES = 85
"""Partitions that a query looks into; LanceDB makes one per 8,000 tracks. They were made for equal weights, and a query
with others needs many of them. Under a condition, a partition takes little time."""


def nearest(table: Any, query: np.ndarray, *, where: str, n: int) -> pa.Table:
    """Return the rows of the n tracks with the largest products with a query, in no order.

    Args:
        table: The table `summaries`.
        query: (size,) float32.
        where: A condition in SQL; "" for none.
        n: Number of tracks.
    """
    selection = (
        table.search(query.astype(np.float32), vector_column_name=summary_rows.VECTOR)
        .distance_type("dot")
        .nprobes(_PROBES)
        .limit(n)
        .select([*summary_rows.ALL, "_distance"])
    )
    return (selection.where(where, prefilter=True) if where else selection).to_arrow()


def bring_indices_up_to_date(draft: Draft) -> None:
    """Make the indices that a library of this size wants and does not have. Existing ones are extended by `tidy`."""
    from lancedb import index

    for name, columns in _INDICES.items():
        if draft.tables.count(name) < INDEXED_FROM:
            continue
        if name == "summaries":
            columns = columns | dict.fromkeys(summary_rows.tag_columns(draft.tables.open(name).schema.names), "Bitmap")
        there = {column for one in draft.tables.open(name).list_indices() for column in one.columns}
        for column, kind in columns.items():
            if column not in there:
                draft.touch(name).create_index(column, config=getattr(index, kind)())
        if name == "summaries" and summary_rows.VECTOR not in there:
            draft.touch(name).create_index(summary_rows.VECTOR, config=index.IvfSq(distance_type="dot"))
