"""Beam search for the best set over a shortlist."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from musicrec.recommend.sets.plan import Plan
from musicrec.recommend.sets.transition import TransitionScore


@dataclass(frozen=True, kw_only=True)
class FoundSet:
    """A set that was found.

    Attributes:
        rows: The tracks in order.
        score: Sum of the scores of the transitions, with the tempo budget of the set.
        relaxed: The places where the artist rule was given up.
    """

    rows: tuple[int, ...]
    score: float
    relaxed: tuple[int, ...]


@dataclass(frozen=True)
class _State:
    # The path in indices of the shortlist, its score, the tempo changes so far in percent, the places that broke a rule
    path: tuple[int, ...]
    score: float
    spent: float
    relaxed: tuple[int, ...]


class SetSearch:
    """Searches the sets of one plan.

    Args:
        plan: The set.
        scoring: Scores the transitions.
        rows: The shortlist, with the locked rows.
        artist_gap: An artist returns after this many other tracks at the earliest.
        width: Number of sets that are kept at each place.
    """

    def __init__(self, plan: Plan, scoring: TransitionScore, rows: np.ndarray, *, artist_gap: int, width: int) -> None:
        self._plan, self._scoring = plan, scoring
        self._rows, self._gap, self._width = rows, artist_gap, width
        self._artists = plan.columns.artist_codes[rows]
        self._locked = {place: int(np.searchsorted(rows, row)) for place, row in plan.locked.items()}
        self._allowed = self._places()
        self._scores = self._transitions()
        self._future = self._look_ahead()

    def run(self) -> list[FoundSet]:
        """Return the sets of the last step, best first; the same ones each time.

        A set is continued by the tracks with the highest sum of three: its score, that of the transition, and the best
        that could follow if tracks could be repeated (`_look_ahead`). Of sets with the same tracks and the same last
        one, the best is kept. Where the artist rule leaves no track, it is given up for that place.
        """
        states = [_State((self._locked[0],), 0.0, 0.0, ())]
        for place in range(1, self._plan.tracks):
            found: list[tuple[int, float, _State]] = []
            for state in states:
                found += self._followers(state, place)
            found.sort(key=lambda item: (item[0], -item[1], item[2].path))
            states = self._distinct([state for _, _, state in found])
        states.sort(key=lambda state: (len(state.relaxed), -state.score, state.path))
        return [
            FoundSet(
                rows=tuple(int(row) for row in self._rows[list(state.path)]), score=state.score, relaxed=state.relaxed
            )
            for state in states
        ]

    def _followers(self, state: _State, place: int) -> list[tuple[int, float, _State]]:
        last = state.path[-1]
        free = self._allowed[place].copy()
        free[list(state.path)] = False
        fits = free & ~np.isin(self._artists, self._artists_near(state.path, place))
        relaxed = state.relaxed
        if place in self._locked:
            fits = self._allowed[place]
        elif not fits.any():
            fits, relaxed = free, (*relaxed, place)
        gains = self._scores[place][last]
        spent = state.spent + self._percent[last]
        budget = self._scoring.tempo.set_percent
        if budget is not None:
            gains = np.where(spent > budget, gains * self._scoring.tempo.over_budget, gains)
        hopes = np.where(fits, state.score + gains + self._future[place], -np.inf)
        order = np.lexsort((np.arange(len(hopes)), -hopes))[: self._width]
        return [
            (
                len(relaxed),
                float(hopes[index]),
                _State((*state.path, int(index)), state.score + float(gains[index]), float(spent[index]), relaxed),
            )
            for index in order
            if np.isfinite(hopes[index])
        ]

    def _artists_near(self, path: Sequence[int], place: int) -> list[int]:
        behind = self._artists[list(path[-self._gap :])].tolist() if self._gap else []
        return [artist for artist in [*behind, *self._plan.artists_ahead(place, self._gap)] if artist >= 0]

    def _distinct(self, states: list[_State]) -> list[_State]:
        kept: dict[tuple[int, frozenset[int]], _State] = {}
        for state in states:
            if len(kept) == self._width:
                break
            kept.setdefault((state.path[-1], frozenset(state.path)), state)
        return list(kept.values())

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
        """Return for each place and row the most that the transitions behind it can add up to, (rows,) each.

        Only that a track follows itself is left out. So this is never less than what a set reaches.
        """
        future = [np.zeros(len(self._rows))]
        for place in range(self._plan.tracks - 1, 0, -1):
            reached = self._scores[place] + np.where(self._allowed[place], future[0], -np.inf)
            np.fill_diagonal(reached, -np.inf)
            future.insert(0, reached.max(axis=1))
        return future
