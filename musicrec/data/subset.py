"""Select which tracks of a manifest a run uses: a number per split, a condition, or a share of the training tracks."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import polars as pl
from annotated_types import Gt, Le

from musicrec.config.number_types import Count
from musicrec.config.value_check import check_value
from musicrec.errors import ConfigError

Fraction = Annotated[float, Gt(0), Le(1)]


@dataclass(frozen=True, kw_only=True)
class TrackSelection:
    """Which tracks of a manifest are used.

    Attributes:
        max_tracks: Most tracks of each split; None for all.
        train_where: SQL condition on columns of the manifest that training and validation tracks must meet.
        fraction: Share of the training tracks to train on. The vocabularies are still those of all training tracks,
            and an epoch keeps its length: the remaining tracks give more chunks.
    """

    max_tracks: Count | None = None
    train_where: str | None = None
    fraction: float = 1.0


def keep_at_most(frame: pl.DataFrame, max_tracks: int) -> pl.DataFrame:
    """Return at most `max_tracks` rows of each split, evenly spread, as manifests are often sorted by label."""
    rank, size = pl.int_range(pl.len()).over("split"), pl.len().over("split")
    wanted = pl.min_horizontal(size, pl.lit(max_tracks)).cast(pl.Int64)
    return frame.filter((rank + 1) * wanted // size > rank * wanted // size)


def keep_fraction(frame: pl.DataFrame, fraction: float, *, seed: int) -> pl.DataFrame:
    """Return a share of the rows, at least one row, in their order.

    Every artist keeps about the same share; rows without an artist are grouped by genre. With the same seed, a smaller
    share is part of a larger one, so two shares differ only by the tracks that were added.

    Args:
        frame: The training tracks.
        fraction: The share to keep, above 0 and at most 1.
        seed: Seed of the random choice.

    Returns:
        The rows that are kept.

    Raises:
        ConfigError: The fraction is out of range.
    """
    check_value("data.fraction", fraction, Fraction, expected="a share of the training tracks, above 0 and up to 1")
    if fraction == 1:
        return frame
    groups = [
        artist or genre or "" for artist, genre in zip(_texts(frame, "artist"), _texts(frame, "genre"), strict=True)
    ]
    rng = np.random.default_rng(seed)
    _, group, size = np.unique(groups, return_inverse=True, return_counts=True)
    # The tracks of a group are spaced evenly in [0, 1) from a random offset: that share of them is below any limit.
    shuffled = rng.permutation(len(frame))
    order = np.lexsort((shuffled.argsort(), group))  # group after group, each in the shuffled order
    position = np.arange(len(frame)) - np.repeat(np.cumsum(size) - size, size)
    place = np.empty(len(frame))
    place[order] = (position + np.repeat(rng.random(len(size)), size)) / np.repeat(size, size)
    count = max(1, round(fraction * len(frame)))
    return frame[np.sort(np.lexsort((shuffled.argsort(), place))[:count])]


def keep_where(frame: pl.DataFrame, condition: str, *, splits: pl.Expr) -> pl.DataFrame:
    """Return the rows that meet a condition, and all rows outside the given splits.

    Args:
        frame: Rows of a manifest.
        condition: SQL condition on columns, such as "bpm BETWEEN 110 AND 130". A row does not meet it if a label that
            the condition asks for is missing.
        splits: Whether a row is in one of the splits that the condition applies to.

    Returns:
        The rows that are kept.

    Raises:
        ConfigError: The condition is invalid.
    """
    try:
        met, wrong = frame.with_columns(pl.sql_expr(condition).alias("_met"))["_met"], "is neither true nor false"
    except (pl.exceptions.PolarsError, TypeError) as error:
        met, wrong = None, str(error).splitlines()[0]
    if met is None or met.dtype != pl.Boolean:
        raise ConfigError(
            f"data.train_where={condition}: {wrong}; give an SQL condition on columns of the manifest "
            f"({', '.join(frame.columns)}), such as 'bpm BETWEEN 110 AND 130'"
        )
    return frame.filter(~splits | met.fill_null(False))


def _texts(frame: pl.DataFrame, column: str) -> list[str | None]:
    return frame[column].cast(pl.String).to_list() if column in frame.columns else [None] * len(frame)
