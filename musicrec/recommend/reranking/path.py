"""A path from one track to another in small, even steps."""

import numpy as np

_ROUNDING = 1e-9


def path_between(vectors: np.ndarray, start: np.ndarray, end: np.ndarray, *, between: int) -> np.ndarray:
    """Return tracks that lead from one track to another.

    A step is 1 - the similarity of two tracks that follow each other. Of all paths on which each track lies farther
    from the start and nearer to the end than the one before, the one with the smallest largest step is taken, and of
    several such paths the one with the smallest sum of squared steps.

    The tracks are sorted by their projection onto the line from start to end. With that order, no track can come twice,
    and both minima are found by dynamic programming, place by place.

    Args:
        vectors: (tracks, size), see `compared_vectors`. Neither start nor end may be among them. A few hundred: the
            time grows with their square.
        start: (size,).
        end: (size,).
        between: Number of tracks between start and end; fewer if there are fewer.

    Returns:
        (between,) rows in the order of the path.
    """
    between = min(between, len(vectors))
    order = np.argsort(vectors @ (end - start), kind="stable")
    points = np.concatenate([start[None], vectors[order], end[None]]).astype(np.float64)
    steps = np.maximum(1 - points @ points.T, 0)
    forward = np.triu(np.ones(steps.shape, dtype=bool), 1)
    steps[~forward] = np.inf

    largest = np.full(len(points), np.inf)  # on the best way to each point
    largest[0] = 0
    for _ in range(between + 1):
        largest = np.maximum(largest[:, None], steps).min(axis=0)

    squares = np.where(steps <= largest[-1] + _ROUNDING, steps**2, np.inf)
    cost = np.full(len(points), np.inf)
    cost[0] = 0
    before = []
    for _ in range(between + 1):
        through = cost[:, None] + squares
        before.append(through.argmin(axis=0))
        cost = through.min(axis=0)
    place, path = len(points) - 1, []
    for previous in before[:0:-1]:
        place = int(previous[place])
        path.append(place)
    return order[np.array(path[::-1], dtype=np.int64) - 1]


def way_points(start: np.ndarray, end: np.ndarray, *, count: int) -> np.ndarray:
    """Return vectors on the line from one track to another, ends included, as queries for the tracks near a path.

    Args:
        start: (size,).
        end: (size,).
        count: Number of vectors, 2 or more.

    Returns:
        (count, size) float32.
    """
    share = np.linspace(0, 1, count)[:, None]
    return ((1 - share) * start + share * end).astype(np.float32)
