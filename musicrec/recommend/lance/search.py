"""The search for the tracks whose vectors have the largest product with a query's vector.

LanceDB keeps an index of the vectors. It stores them in few bits, compares the query with those of the nearest
partitions only, and then computes the products of the best again from the vectors as they are. Few tracks are compared
one by one, which is exact.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from musicrec.recommend.lance import summary_rows
from musicrec.recommend.lance.commits import Draft, Tables
from musicrec.recommend.lance.sql import condition_sql
from musicrec.recommend.search.scores import best_of
from musicrec.recommend.space import Space
from musicrec.recommend.summaries import SummaryLayout

if TYPE_CHECKING:
    from musicrec.recommend.conditions import Condition
    from musicrec.recommend.track_table import TrackTable

INDEXED_FROM = 50_000
"""Tables of so many rows get indices; smaller ones are read as a whole as fast."""
_INDICES = {
    "recordings": {"id": "BTree", "audio_hash": "BTree"},
    "files": {"path": "BTree", "recording": "BTree", "audio_hash": "BTree", "content_hash": "BTree",
              "track_ids": "LabelList"},
    "summaries": {"recording": "BTree", "bpm": "BTree", "year": "BTree", "key": "Bitmap", "genre": "Bitmap",
                  "tags": "LabelList", "artist": "BTree"},
}  # fmt: skip
_PROBES = 20
_REFINE = 10


def shortlist(
    tables: Tables, layout: SummaryLayout, space: Space, query: np.ndarray, *, condition: "Condition | None", n: int
) -> "tuple[TrackTable, np.ndarray]":
    """Return the n tracks with the largest products with a query, and the products; see `LanceLibrary.shortlist`."""
    table = tables.open("summaries")
    selection = (
        table.search(query.astype(np.float32), vector_column_name=summary_rows.VECTOR)
        .distance_type("dot")
        .nprobes(_PROBES)
        .refine_factor(_REFINE)
        .limit(n)
        .select([*summary_rows.ALL, "_distance"])
    )
    where = condition_sql(condition, **summary_rows.codes(layout)) if condition else ""
    if where:
        selection = selection.where(where, prefilter=True)
    found = summary_rows.to_track_table(selection.to_arrow().sort_by("recording"), layout, space)
    rows, scores = best_of(found.vectors, query.astype(np.float64), np.arange(len(found)), n)
    return found.take(rows), scores


def bring_indices_up_to_date(draft: Draft) -> None:
    """Make the indices that a library of this size wants and does not have. Existing ones are extended by `tidy`."""
    from lancedb import index

    for name, columns in _INDICES.items():
        if draft.tables.count(name) < INDEXED_FROM:
            continue
        there = {column for one in draft.tables.open(name).list_indices() for column in one.columns}
        for column, kind in columns.items():
            if column not in there:
                draft.touch(name).create_index(column, config=getattr(index, kind)())
        if name == "summaries" and summary_rows.VECTOR not in there:
            draft.touch(name).create_index(summary_rows.VECTOR, config=_vector_index())


def _vector_index() -> Any:
    from lancedb.index import IvfPq

    return IvfPq(distance_type="dot")
