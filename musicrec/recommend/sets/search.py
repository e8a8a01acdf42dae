"""Beam search for the best set over a shortlist."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from musicrec.recommend.sets.plan import Plan
from musicrec.recommend.sets.transition import TransitionScore


@dataclass(frozen=True, kw_only=True)
class FoundSet:
    """A set that was found.

    Attributes:
        rows: The tracks in order.
        worth: Sum of what the transitions are worth, with the tempo budget of the set.
        relaxed: The places where the artist rule was given up.
    """

    rows: tuple[int, ...]
    worth: float
    relaxed: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Beam:
    """Beginnings of sets, all of one length, in indices of the shortlist.

    Attributes:
        paths: (sets, places) the tracks.
        used: (sets, rows) bool, which tracks are in them.
        worth: (sets,) what they are worth.
        spent: (sets,) the tempo changes so far, in percent.
        relaxed: (sets, places) bool, where the artist rule was given up.
    """

    paths: np.ndarray
    used: np.ndarray
    worth: np.ndarray
    spent: np.ndarray
    relaxed: np.ndarray


_FAR = 1e6  # more than any set is worth: one that gives up the artist rule less often is always better
_TWICE = 8  # times the width: so many are looked at for different ones


class SetSearch:
    """Searches the sets of one plan.

    Args:
        plan: The set.
        scoring: Scores the transitions.
        rows: The shortlist, with the locked rows.
        artist_gap: An artist returns after this many other tracks at the earliest.
        width: Number of sets that are kept at each place.
        worth: Returns what scores of transitions are worth, such as `SetSettings.worth`; higher for a higher score.
    """

    def __init__(
        self,
        plan: Plan,
        scoring: TransitionScore,
        rows: np.ndarray,
        *,
        artist_gap: int,
        width: int,
        worth: Callable[[np.ndarray], np.ndarray],
    ) -> None:
        self._plan, self._scoring, self._worth = plan, scoring, worth
        self._rows, self._gap, self._width = rows, artist_gap, width
        self._artists = plan.columns.artist_codes[rows]
        self._locked = {place: int(np.searchsorted(rows, row)) for place, row in plan.locked.items()}
        self._allowed = self._places()
        self._scores = self._transitions()
        self._future = self._look_ahead()

    def run(self, advance: Callable[[], object] = lambda: None) -> list[FoundSet]:
        """Return the sets of the last step, best first; the same ones each time.

        `advance` is called for each place.

        A set is continued by the tracks with the highest sum of three: its worth, that of the transition, and the best
        that could follow if tracks could be repeated (`_look_ahead`). Of sets with the same tracks and the same last
        one, the best is kept. Where the artist rule leaves no track, it is given up for that place.
        """
        used = np.zeros((1, len(self._rows)), dtype=bool)
        used[0, self._locked[0]] = True
        beam = _Beam(
            paths=np.array([[self._locked[0]]]),
            used=used,
            worth=np.zeros(1),
            spent=np.zeros(1),
            relaxed=np.zeros((1, 1), dtype=bool),
        )
        for place in range(1, self._plan.tracks):
            advance()
            beam = self._continued(beam, place)
        order = np.lexsort((-beam.worth, beam.relaxed.sum(axis=1)))
        return [
            FoundSet(
                rows=tuple(self._rows[beam.paths[one]].tolist()),
                worth=float(beam.worth[one]),
                relaxed=tuple(np.flatnonzero(beam.relaxed[one]).tolist()),
            )
            for one in order
        ]

    def _continued(self, beam: _Beam, place: int) -> _Beam:
        """Return the best sets that are one track longer."""
        last = beam.paths[:, -1]
        fits, relaxed = self._fitting(beam, place)
        scores, spent = self._scores[place][last], beam.spent[:, None] + self._percent[last]
        budget = self._scoring.tempo.set_percent
        if budget is not None:
            scores = np.where(spent > budget, scores * self._scoring.tempo.over_budget, scores)
        worth = beam.worth[:, None] + self._worth(scores)
        hopes = np.where(fits, worth + self._future[place], -np.inf)
        broken = beam.relaxed.sum(axis=1) + relaxed
        chosen = self._distinct(beam, hopes - _FAR * broken[:, None])
        one, track = np.divmod(chosen, len(self._rows))
        used = beam.used[one]
        used[np.arange(len(one)), track] = True
        return _Beam(
            paths=np.column_stack([beam.paths[one], track]),
            used=used,
            worth=worth[one, track],
            spent=spent[one, track],
            relaxed=np.column_stack([beam.relaxed[one], relaxed[one]]),
        )

    def _fitting(self, beam: _Beam, place: int) -> tuple[np.ndarray, np.ndarray]:
        """Return which tracks may follow, (sets, rows) bool, and for which sets the artist rule is given up."""
        if place in self._locked:
            return np.broadcast_to(self._allowed[place], beam.used.shape), np.zeros(len(beam.used), dtype=bool)
        free = self._allowed[place] & ~beam.used
        fits = free.copy()
        for earlier in range(max(0, place - self._gap), place):
            behind = self._artists[beam.paths[:, earlier]]
            fits &= (self._artists != behind[:, None]) | (behind < 0)[:, None]
        fits &= ~np.isin(self._artists, [one for one in self._plan.artists_ahead(place, self._gap) if one >= 0])
        relaxed = ~fits.any(axis=1)
        fits[relaxed] = free[relaxed]
        return fits, relaxed

    def _distinct(self, beam: _Beam, values: np.ndarray) -> np.ndarray:
        """Return where the highest values are in a flat array; of sets with the same tracks and last one, the best."""
        flat = values.ravel()
        most = min(flat.size, _TWICE * self._width)
        top = np.argpartition(-flat, most - 1)[:most]
        # The bound is one value: of equal ones, the first, whatever the partition took.
        top = np.flatnonzero(flat >= max(flat[top].min(), np.finfo(flat.dtype).min))
        tracks = [used.tobytes() for used in np.packbits(beam.used, axis=1)]
        kept: dict[tuple[int, bytes], int] = {}
        for index in top[np.lexsort((top, -flat[top]))].tolist():
            one, track = divmod(index, len(self._rows))
            kept.setdefault((track, tracks[one]), index)
            if len(kept) == self._width:
                break
        return np.fromiter(kept.values(), dtype=np.int64)

    def _places(self) -> np.ndarray:
        allowed = np.tile(self._plan.eligible[self._rows], (self._plan.tracks, 1))
        for place, index in self._locked.items():
            allowed[place] = False
            allowed[place, index] = True
        return allowed

    def _transitions(self) -> list[np.ndarray]:
        """Return the scores of all transitions into each place, (rows, rows) each; equal places share an array."""
        plan, scoring = self._plan, self._scoring
        pairs = scoring.pairs(plan.columns, self._rows, self._rows)
        self._percent = np.abs(np.nan_to_num(pairs.tempo.percent))
        known = scoring.sums(pairs, by_place=False)
        done: dict[tuple[float, float], np.ndarray] = {}
        scores = [np.zeros((len(self._rows),) * 2, np.float32)]  # nothing leads to the start
        for place in range(1, plan.tracks):
            target, step = float(plan.targets[place]), plan.step(place)
            key = (-1.0 if np.isnan(target) else target, step)
            if key not in done:
                done[key] = scoring.scores(pairs.elsewhere(target=target, step=step), known=known)
            scores.append(done[key])
        return scores

    def _look_ahead(self) -> list[np.ndarray]:
        """Return for each place and row the most that the transitions behind it can be worth together, (rows,) each.

        Only that a track follows itself is left out. So this is never less than what a set reaches.
        """
        future = [np.zeros(len(self._rows))]
        for place in range(self._plan.tracks - 1, 0, -1):
            reached = self._worth(self._scores[place]) + np.where(self._allowed[place], future[0], -np.inf)
            np.fill_diagonal(reached, -np.inf)
            future.insert(0, reached.max(axis=1))
        return future
