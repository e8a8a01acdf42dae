"""Labels of a manifest as tensors, for the heads' `fit` and `encode`."""

import math
from collections.abc import Sequence

import polars as pl
import torch
from torch import Tensor

from musicrec.errors import ManifestError


def class_index(values: pl.Series, classes: Sequence[str]) -> Tensor:
    """Return (tracks,) float32: the place of each value, as text, in `classes`; NaN for a null and any other value."""
    index = values.cast(pl.String).replace_strict(
        {name: float(i) for i, name in enumerate(classes)}, default=None, return_dtype=pl.Float64
    )
    return torch.from_numpy(index.fill_null(math.nan).to_numpy().astype("float32"))


def numbers(frame: pl.DataFrame, column: str) -> Tensor:
    """Return (tracks,) float32 of a numeric column, NaN for a null."""
    return torch.from_numpy(frame[column].cast(pl.Float64).fill_null(math.nan).to_numpy().astype("float32"))


def median(frame: pl.DataFrame, column: str) -> float | None:
    """Return the median of a numeric column; None where it has no value."""
    values = frame[column].cast(pl.Float64).drop_nulls().drop_nans()
    return values.median()  # type: ignore[return-value]  # of floats


def memberships(frame: pl.DataFrame, columns: Sequence[str], classes: Sequence[str]) -> Tensor:
    """Return (tracks, classes) float32: 1 where a track has the class in one of the columns, else 0.

    Args:
        frame: Rows of a manifest.
        columns: Columns of text or of lists of text. A row of NaN stands for a track of which all of them are null.
        classes: Names; other values are passed over.
    """
    present, labelled = torch.zeros(len(frame), len(classes)), torch.zeros(len(frame), dtype=torch.bool)
    for column in columns:
        values = frame[column]
        lists = values if values.dtype == pl.List else values.reshape((-1, 1)).arr.to_list()
        labelled |= torch.tensor(values.is_not_null().to_list())
        rows = pl.DataFrame({"row": range(len(frame)), "v": lists}).explode("v").drop_nulls()
        index = class_index(rows["v"], classes)
        known = ~index.isnan()
        present[torch.from_numpy(rows["row"].to_numpy().copy())[known], index[known].long()] = 1.0
    present[~labelled] = math.nan
    return present


def vocabulary(frame: pl.DataFrame, columns: Sequence[str], *, head: str, min_tracks: int = 1) -> tuple[str, ...]:
    """Return the distinct values of columns of text or lists of text, most frequent first, then by name.

    Args:
        frame: The training rows of a manifest.
        columns: The columns whose values are counted together.
        head: Name of the head, for the message.
        min_tracks: Values that fewer tracks have are left out.

    Raises:
        ManifestError: No value is left.
    """
    series = [frame[c].explode() if frame[c].dtype == pl.List else frame[c] for c in columns]
    counts = pl.concat([s.cast(pl.String).alias("v") for s in series]).drop_nulls().value_counts()
    kept = counts.filter(pl.col("count") >= min_tracks).sort(["count", "v"], descending=[True, False])["v"]
    if kept.is_empty():
        raise ManifestError(
            f"head {head}: no training track has a value in {' or '.join(columns)}; "
            f"fill the column, name the classes (task.heads.{head}.classes), or drop the head (~task.heads.{head})"
        )
    return tuple(kept.to_list())
