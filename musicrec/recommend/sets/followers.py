"""The tracks of a large library that follow a track best, without scoring those that cannot be among them."""

from collections.abc import Callable

import numpy as np

from musicrec.recommend.columns import Columns
from musicrec.recommend.sets.axes import Pairs
from musicrec.recommend.sets.transition import TransitionScore

_FIRST = 2_048  # tracks that are scored first; the best of them tell which others need not be
_MARGIN = np.float32(1e-4)  # more than rounding makes of a bound

Blend = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(scores, their rows) → scores; a higher score must not become a lower one."""


def _unchanged(scores: np.ndarray, rows: np.ndarray) -> np.ndarray:
    return scores


class Followers:
    """Finds the tracks that follow a track best.

    First, what tracks can score at most is told by their key and genre (`TransitionScore.bounds`): few different
    values, for all tracks. Those with the highest bounds are scored. Of all others, only those are scored that may
    still be among the best, also by their tempo.

    Args:
        scoring: Scores the transitions.
        columns: The facts of all tracks.
    """

    def __init__(self, scoring: TransitionScore, columns: Columns) -> None:
        self._scoring, self._columns = scoring, columns
        kinds = columns.genre_codes.astype(np.int64) * 32 + columns.key  # fewer than 32 keys
        _, self._examples, self._kinds = np.unique(kinds, return_index=True, return_inverse=True)

    def best(
        self, pairs: Pairs, *, allowed: np.ndarray, count: int, blend: Blend | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the tracks that follow one best, and their scores.

        Args:
            pairs: One track before; who is behind does not matter.
            allowed: (tracks,) bool, the tracks that may follow.
            count: Number of tracks.
            blend: Changes the scores, such as by what lies ahead; None leaves them.

        Returns:
            (found,) rows, ascending, and (found,) float32 their scores: the `count` best tracks, all that are as good
            as the last of them, and some more. Fewer only if fewer are allowed.
        """
        blend = blend or _unchanged

        def scored(some: np.ndarray) -> np.ndarray:
            return blend(self._scoring.scores(pairs.followed_by(some))[0], some)

        rows = np.flatnonzero(allowed)
        first = max(_FIRST, 2 * count)
        if len(rows) <= first:
            return rows, scored(rows)
        bounds = self._scoring.bounds(pairs.followed_by(self._examples))[0][self._kinds[rows]]
        blended = blend(bounds, rows)
        begun = np.argpartition(-blended, first - 1)[:first]
        scores = scored(rows[begun])
        least = np.partition(scores, first - count)[first - count] - _MARGIN
        blended[begun] = -np.inf
        later = np.flatnonzero(blended >= least)
        more = rows[later]
        more = more[blend(bounds[later] * self._scoring.budget_factors(pairs.followed_by(more))[0], more) >= least]
        found, scores = np.concatenate([rows[begun], more]), np.concatenate([scores, scored(more)])
        ascending = np.argsort(found)
        return found[ascending], scores[ascending]
