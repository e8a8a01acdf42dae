"""The shortlist of a large library: a few hundred tracks that a set could be made of, found by scoring all tracks."""

from collections.abc import Callable
from functools import partial

import numpy as np

from musicrec.recommend.columns import Columns
from musicrec.recommend.sets.followers import Blend, Followers
from musicrec.recommend.sets.plan import Plan
from musicrec.recommend.sets.transition import TransitionScore

_WIDTH = 4  # paths that are followed at once
_LOOKED_AT = 8  # times the tracks that a step may add: so many are looked at for different artists
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
    followers = Followers(scoring, columns)
    kept = np.zeros(len(columns), dtype=bool)
    paths = [[plan.locked[0]]]
    toward: dict[int, np.ndarray] = {}  # {locked row: (rows,) score of leading to it}
    for place in range(1, plan.tracks):
        advance()
        if place in plan.locked:
            paths = [[*path, plan.locked[place]] for path in paths]
            continue
        blend: Blend | None = None
        ahead = plan.next_locked(place)
        if ahead is not None:
            goal_place, goal = ahead
            if goal not in toward:
                toward[goal] = scoring.scores(scoring.pairs(columns, columns.rows, [goal]))[:, 0]
            blend = partial(_toward, toward[goal], 1 / (1 + goal_place - place))  # one half just before it
        steps = []
        for path in paths:
            where = {"target": float(plan.targets[place]), "step": plan.step(place)}
            pairs = scoring.pairs(columns, path[-1:], columns.rows, **where)
            free = eligible.copy()
            free[path] = False
            others = _of_other_artists(free, path, plan, place=place, gap=artist_gap)
            if not others.any():
                others = free
            rows, scores = followers.best(pairs, allowed=others, count=_LOOKED_AT * per_step, blend=blend)
            best = _best(rows, scores, columns, count=per_step)
            kept[rows[best[: -(-per_step // len(paths))]]] = True
            steps += [(float(scores[one]), [*path, int(rows[one])]) for one in best[: 2 * _WIDTH]]
        paths = _different(sorted(steps, key=lambda step: (-step[0], step[1])))
    return np.union1d(np.flatnonzero(kept & eligible), locked)


def _of_other_artists(free: np.ndarray, path: list[int], plan: Plan, *, place: int, gap: int) -> np.ndarray:
    """Return which tracks of some are not of an artist who is near in the set, (rows,) bool."""
    codes, others = plan.columns.artist_codes, free.copy()
    near = {*codes[path[-gap:]].tolist(), *plan.artists_ahead(place, gap)} if gap else set()
    for artist in near - {-1}:
        others &= codes != artist
    return others


def _toward(leads: np.ndarray, nearness: float, scores: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return scores that count how well tracks lead to a locked one, the more the nearer it is."""
    return (1 - nearness) * scores + nearness * leads[rows]


def _best(rows: np.ndarray, scores: np.ndarray, columns: Columns, *, count: int) -> np.ndarray:
    """Return where the highest scores are, best first, at most `_PER_ARTIST` of each artist; the rows ascend."""
    if not len(scores):
        return np.zeros(0, dtype=np.int64)
    most = min(len(scores), _LOOKED_AT * count)
    top = np.argpartition(-scores, most - 1)[:most]
    # The bound is one value: of equal scores, the lower rows, whatever the partition took.
    top = np.flatnonzero(scores >= scores[top].min()) if most < len(scores) else top
    top = top[np.lexsort((top, -scores[top]))]
    artists = columns.artist_codes[rows[top]]
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
