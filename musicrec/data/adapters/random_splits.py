"""Splits for datasets that have none of their own and never grow.

`split_tracks` (musicrec/data/splitting.py) is for collections that grow: tracks that have a split keep it, those that
are added go where their artist is, and tracks without a label do not count. It knows no classes. Here they are spread
evenly over the splits, as figures that are to be compared want it, which takes all tracks into account at once.
"""

import numpy as np
import polars as pl
from sklearn.model_selection import StratifiedGroupKFold

from musicrec.errors import ManifestError


def tenths(frame: pl.DataFrame, *, seed: int, by: str | None = None, alike: str | None = None) -> pl.DataFrame:
    """The frame with a column `split`: about eight tenths train, one valid, one test.

    by: a column, such as artist, whose values each stay in one split; a row without a value goes anywhere. alike: a
    column whose values are spread evenly over the splits, as far as `by` lets them.
    """
    alone = pl.concat_str(pl.lit("row "), pl.int_range(pl.len()))
    groups = frame.select(pl.coalesce(pl.lit("of ") + pl.col(by), alone) if by else alone).to_series()
    if groups.n_unique() < 10:
        raise ManifestError(f"{groups.n_unique()} {by or 'track'}s are too few to split, expected 10 or more")
    classes = frame[alike].to_numpy() if alike else np.zeros(frame.height)
    folds = StratifiedGroupKFold(n_splits=10, shuffle=True, random_state=seed)
    rows_of = (rows for _, rows in folds.split(classes, classes, groups.to_numpy()))
    split = np.full(frame.height, "train", dtype=object)
    for name, rows in zip(("test", "valid"), rows_of, strict=False):
        split[rows] = name
    return frame.with_columns(split=pl.Series(split, dtype=pl.String))
