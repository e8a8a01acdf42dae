"""Random splits for datasets of a fixed size that do not publish any.

Use `split_tracks` (musicrec/data/splitting.py) for collections that grow: it keeps existing splits and puts a new track
where its artist is, but does not balance classes. The function here balances classes over the splits, which makes
results comparable, but has to look at all tracks at once.
"""

import numpy as np
import polars as pl
from sklearn.model_selection import StratifiedGroupKFold

from musicrec.errors import ManifestError


def split_in_tenths(
    frame: pl.DataFrame, *, seed: int, by: str | None = None, stratify_by: str | None = None
) -> pl.DataFrame:
    """Add a random column `split`: about eight tenths train, one tenth valid and one tenth test.

    Args:
        frame: One row per track.
        seed: The seed of the random split.
        by: A column such as artist. All rows with the same value get the same split; a row without a value gets any.
        stratify_by: A column whose values are spread evenly over the splits, as far as `by` allows.

    Returns:
        The frame with the column `split`.

    Raises:
        ManifestError: If there are fewer than ten tracks, or fewer than ten different values of `by`.
    """
    alone = pl.concat_str(pl.lit("row "), pl.int_range(pl.len()))
    groups = frame.select(pl.coalesce(pl.lit("of ") + pl.col(by), alone) if by else alone).to_series()
    if groups.n_unique() < 10:
        raise ManifestError(f"{groups.n_unique()} {by or 'track'}s are too few to split, expected 10 or more")
    classes = frame[stratify_by].to_numpy() if stratify_by else np.zeros(frame.height)
    folds = StratifiedGroupKFold(n_splits=10, shuffle=True, random_state=seed)
    rows_of = (rows for _, rows in folds.split(classes, classes, groups.to_numpy()))
    split = np.full(frame.height, "train", dtype=object)
    for name, rows in zip(("test", "valid"), rows_of, strict=False):
        split[rows] = name
    return frame.with_columns(split=pl.Series(split, dtype=pl.String))
