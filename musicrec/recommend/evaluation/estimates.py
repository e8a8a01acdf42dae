"""Means over queries with their intervals, and the intervals of what is no mean over queries."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from musicrec.evaluation.bootstrap import Bootstrap


@dataclass(frozen=True, kw_only=True)
class MeasureEstimate:
    """A value and its interval.

    Attributes:
        value: The value; NaN if no query has one.
        low: Lower limit of the interval; NaN if the queries do not show one.
        high: Upper limit.
    """

    value: float
    low: float
    high: float


def means(values: np.ndarray, bootstrap: "Bootstrap", clusters: np.ndarray | None = None) -> list[MeasureEstimate]:
    """Return the means of several measures over the queries, with bootstrap intervals.

    The queries are drawn, the library stays. For the difference of two rankings, give the differences query by query.

    Args:
        values: (queries, measures), NaN where a query has no value; it then does not count.
        bootstrap: Draws the queries.
        clusters: (queries,) numbers from 0: queries with the same number are drawn together, such as those of an
            artist. None draws single queries.
    """
    import torch

    points = torch.from_numpy(np.asarray(values, dtype=np.float64))
    known = ~points.isnan()
    filled = points.nan_to_num(nan=0.0)
    estimate = filled.sum(dim=0) / known.sum(dim=0)
    if not len(points):
        return [MeasureEstimate(value=np.nan, low=np.nan, high=np.nan)] * points.shape[1]
    groups = np.arange(len(points)) if clusters is None else clusters
    rows = max(1, _BLOCK_SIZE // len(points))
    resampled = torch.cat(
        [(weights @ filled) / (weights @ known.double()) for weights in bootstrap.weights(groups, rows_at_once=rows)]
    )
    limits = bootstrap.interval(resampled, estimate)
    return [
        MeasureEstimate(value=float(one), low=float(low), high=float(high))
        for one, (low, high) in zip(estimate, limits.T, strict=True)
    ]


def mean(values: np.ndarray, bootstrap: "Bootstrap") -> MeasureEstimate:
    """Return the mean of the queries' values, (queries,), and its interval; see `means`."""
    return means(np.asarray(values)[:, None], bootstrap)[0]


def jackknife(
    statistic: Callable[[np.ndarray], np.ndarray],
    counts: np.ndarray,
    *,
    confidence: float,
    limits: tuple[float, float] = (-np.inf, np.inf),
) -> MeasureEstimate:
    """Return a statistic of how often each track is recommended, with its jackknife interval.

    Such a statistic is no mean over queries, and the bootstrap does not suit it: a resample has only two thirds of the
    queries, which recommend fewer tracks. The delete-one jackknife leaves out each query in turn (Efron and Tibshirani
    1993, "An introduction to the bootstrap", chapter 11); the interval is that of a normal distribution.

    Args:
        statistic: From (rows, tracks) counts to (rows,).
        counts: (queries, tracks) whether a query is answered with a track.
        confidence: Confidence level, between 0 and 1.
        limits: What the statistic can be; the interval ends there.
    """
    import torch

    whole = counts.sum(axis=0, dtype=np.int64)
    value = float(statistic(whole[None])[0])
    number = len(counts)
    if number < 2:
        return MeasureEstimate(value=value, low=np.nan, high=np.nan)
    rows = max(1, _BLOCK_SIZE // counts.shape[1])
    left = np.concatenate([statistic(whole - counts[begin : begin + rows]) for begin in range(0, number, rows)])
    error = float(np.sqrt((number - 1) / number * np.sum((left - left.mean()) ** 2)))
    z = float(torch.special.ndtri(torch.tensor((1 + confidence) / 2, dtype=torch.float64)))
    return MeasureEstimate(value=value, low=max(limits[0], value - z * error), high=min(limits[1], value + z * error))


_BLOCK_SIZE = 4_000_000  # entries of one array
