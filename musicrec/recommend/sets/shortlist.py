"""The shortlist of a large library: a few hundred tracks that a set could be made of, found by scoring all tracks."""

from collections.abc import Callable

import numpy as np

from musicrec.recommend.columns import Columns
from musicrec.recommend.sets.plan import Plan
from musicrec.recommend.sets.transition import TransitionScore

_WIDTH = 4  # paths that are followed at once
_PER_ARTIST = 3  # tracks of an artist that a step may add: a library can hold hundreds of tracks of one artist


def shortlist(
    plan: Plan, scoring: TransitionScore, *, size: int, artist_gap: int, advance: Callable[[], object] = lambda: None
) -> np.ndarray:
    """Return rows that a set could be made of.

    From the start, a few good paths are followed. At each place, all tracks of the library are scored as followers of
    the path, and, if a locked track lies ahead, as leading to that track: the nearer it is, the more this counts. The
    best of each step are kept.

    Args:
        plan: The set.
        scoring: Scores the transitions.
        size: Number of rows to return at most; the locked ones come in addition.
        artist_gap: An artist returns after this many other tracks at the earliest, so the paths do without.
        advance: Called for each place, where all tracks are scored.

    Returns:
        Rows, ascending; all eligible ones if there are no more than `size`.
    """
    columns, eligible = plan.columns, plan.eligible
    locked = np.array(sorted(set(plan.locked.values())), dtype=np.int64)
    if eligible.sum() <= size:
        return np.union1d(np.flatnonzero(eligible), locked)
    free_places = [place for place in range(1, plan.tracks) if place not in plan.locked]
    per_step = -(-size // max(1, len(free_places)))
    kept = np.zeros(len(columns), dtype=bool)
    paths = [[plan.locked[0]]]
    toward: dict[int, np.ndarray] = {}  # {locked row: (rows,) score of leading to it}
    for place in range(1, plan.tracks):
        advance()
        if place in plan.locked:
            paths = [[*path, plan.locked[place]] for path in paths]
            continue
        where = {"target": float(plan.targets[place]), "step": plan.step(place)}
        followed = scoring.scores(scoring.pairs(columns, [path[-1] for path in paths], columns.rows, **where))
        ahead = plan.next_locked(place)
        if ahead is not None:
            goal_place, goal = ahead
            if goal not in toward:
                toward[goal] = scoring.scores(scoring.pairs(columns, columns.rows, [goal]))[:, 0]
            nearness = 1 / (1 + goal_place - place)  # one half directly before it
            followed = (1 - nearness) * followed + nearness * toward[goal]
        followed[:, ~eligible] = -1.0
        steps = []
        for path, scores in zip(paths, followed, strict=True):
            scores[path] = -1.0
            near = [*columns.artist_codes[path[-artist_gap:]].tolist(), *plan.artists_ahead(place, artist_gap)]
            near = [artist for artist in near if artist >= 0 and artist_gap]
            best = _best(np.where(np.isin(columns.artist_codes, near), np.float32(-1), scores), columns, count=per_step)
            if not best.size:  # no other artist is left
                best = _best(scores, columns, count=per_step)
            kept[best[: -(-per_step // len(paths))]] = True
            steps += [(float(scores[row]), [*path, int(row)]) for row in best[: 2 * _WIDTH]]
        paths = _different(sorted(steps, key=lambda step: (-step[0], step[1])))
    return np.union1d(np.flatnonzero(kept & eligible), locked)


def _best(scores: np.ndarray, columns: Columns, *, count: int) -> np.ndarray:
    """Return the rows of the highest scores, best first, at most `_PER_ARTIST` of each artist."""
    most = min(len(scores), 8 * count)
    top = np.argpartition(-scores, most - 1)[:most]
    # The bound is one value: of equal scores, the lower rows, whatever the partition took.
    top = np.flatnonzero(scores >= scores[top].min()) if most < len(scores) else top
    top = top[np.lexsort((top, -scores[top]))]
    top = top[scores[top] >= 0]
    artists = columns.artist_codes[top]
    order = np.argsort(artists, kind="stable")
    starts = np.r_[True, np.diff(artists[order]) != 0] if order.size else np.zeros(0, dtype=bool)
    turn = np.empty(len(top), dtype=np.int64)  # how many of the artist came before
    turn[order] = np.arange(len(top)) - np.maximum.accumulate(np.where(starts, np.arange(len(top)), 0))
    return top[(turn < _PER_ARTIST) | (artists < 0)][:count]


def _different(steps: list[tuple[float, list[int]]]) -> list[list[int]]:
    """Return the best paths with different last tracks."""
    paths: dict[int, list[int]] = {}
    for _, path in steps:
        if len(paths) < _WIDTH:
            paths.setdefault(path[-1], path)
    return list(paths.values())
