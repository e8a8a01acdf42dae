"""Some of the training tracks, to find out how much they matter: a share, or those that meet a condition."""

import numpy as np
import polars as pl

from musicrec.errors import ConfigError


def keep_fraction(frame: pl.DataFrame, fraction: float, *, seed: int) -> pl.DataFrame:
    """The share `fraction` of the rows, at least one, in their order.

    Every artist keeps about the same share (where none is named, every genre). The draw follows from the seed; with the
    same seed a smaller share is part of a larger one, so that what differs between two shares is what was added.

    Raises ConfigError unless 0 < fraction <= 1.
    """
    if isinstance(fraction, bool) or not isinstance(fraction, int | float) or not 0 < fraction <= 1:
        raise ConfigError(f"data.fraction={fraction}: give a share of the training tracks, above 0 and up to 1")
    if fraction == 1:
        return frame
    groups = [
        artist or genre or "" for artist, genre in zip(_texts(frame, "artist"), _texts(frame, "genre"), strict=True)
    ]
    rng = np.random.default_rng(seed)
    _, group, size = np.unique(groups, return_inverse=True, return_counts=True)
    # The tracks of a group stand evenly spaced in [0, 1), from an offset on: below any limit lies that share.
    shuffled = rng.permutation(len(frame))
    order = np.lexsort((shuffled.argsort(), group))  # group after group, each in the order of the shuffle
    position = np.arange(len(frame)) - np.repeat(np.cumsum(size) - size, size)
    place = np.empty(len(frame))
    place[order] = (position + np.repeat(rng.random(len(size)), size)) / np.repeat(size, size)
    count = max(1, round(fraction * len(frame)))
    return frame[np.sort(np.lexsort((shuffled.argsort(), place))[:count])]


def keep_where(frame: pl.DataFrame, condition: str, *, splits: pl.Expr) -> pl.DataFrame:
    """The rows that meet an SQL condition on columns, such as "bpm BETWEEN 110 AND 130", and all outside of `splits`.

    Where a label is missing that the condition asks for, it is not met. Raises ConfigError for one that is none.
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
