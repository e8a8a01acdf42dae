"""What a user said, as the tests of a taste need it."""

import numpy as np

from musicrec.recommend.profiles.evidence import Evidence

CROSS = np.array([[1, 0], [0, 1], [-1, 0], [0, -1]], dtype=np.float32)  # its mean is 0


def known(rows: list[int], weights: list[float], *, pairs: list = (), skips: list = ()) -> Evidence:
    """Return evidence; a weight of -1 bans."""
    weights = np.array(weights, dtype=float)
    return Evidence(
        rows=np.array(rows, dtype=np.int64),
        weights=weights,
        banned=np.array(rows, dtype=np.int64)[weights <= -1],
        pairs=np.array(pairs, dtype=np.int64).reshape(-1, 2),
        skips=np.array(skips, dtype=np.int64).reshape(-1, 2),
    )
