"""The score of a transition: a weighted mean over axes, for many pairs of tracks at once."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from musicrec.config.number_types import Share
from musicrec.config.value_check import check_fields
from musicrec.errors import ConfigError
from musicrec.recommend.columns import Columns
from musicrec.recommend.sets.axes import (
    Axis,
    CurveAxis,
    EnergyAxis,
    GenreAxis,
    KeyAxis,
    LoudnessAxis,
    Pairs,
    TempoAxis,
    TimbreAxis,
)
from musicrec.recommend.sets.tempo import TempoRules


@dataclass(frozen=True, kw_only=True)
class Transition:
    """How one track of a set leads into the next.

    Attributes:
        score: From 0 to 1.
        axes: {axis: score from 0 to 1}, None where a track lacks what is needed.
        reason: One sentence in plain words.
        tempo_change_percent: How much faster the next track is; None if a tempo is unknown.
        tempo_multiple: By what its tempo is multiplied before it is compared; None if a tempo is unknown.
        key_shift_semitones: By how much the next track sounds higher than it is while both play.
        filler: Whether the next track only fills a place: a rule was given up for it, or it hardly fits and stands
            there because the set must reach a later track.
    """

    score: float
    axes: dict[str, float | None]
    reason: str
    tempo_change_percent: float | None
    tempo_multiple: float | None
    key_shift_semitones: int
    filler: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return the transition in plain JSON types, rounded."""
        return {
            "score": round(self.score, 4),
            "axes": {name: None if value is None else round(value, 4) for name, value in self.axes.items()},
            "reason": self.reason,
            "tempo_change_percent": None if self.tempo_change_percent is None else round(self.tempo_change_percent, 2),
            "tempo_multiple": None if self.tempo_multiple is None else round(self.tempo_multiple, 4),
            "key_shift_semitones": self.key_shift_semitones,
            "filler": self.filler,
        }


def default_axes() -> tuple[Axis, ...]:
    """Return the axes with their usual weights."""
    return KeyAxis(), TempoAxis(), EnergyAxis(), GenreAxis(), TimbreAxis(), LoudnessAxis(), CurveAxis()


@dataclass(frozen=True, kw_only=True)
class TransitionScore:
    """Scores transitions.

    The score is the weighted mean over the axes for which both tracks have what is needed. It is reduced by
    `missing_costs` times the share of the weights that could not be judged: a track of which little is known should not
    look better than one that fits. If nothing is known, the score is 0. The axis "curve" counts only if there is a
    curve.

    Attributes:
        axes: The axes. Their weights are relative to each other. An axis of weight 0 is left out.
        tempo: How tempi are compared, and the tempo budget.
        missing_costs: 0 judges a transition by what is known alone, 1 counts what is unknown as a score of 0.
    """

    axes: Sequence[Axis] = field(default_factory=default_axes)
    tempo: TempoRules = field(default_factory=TempoRules)
    missing_costs: Share = 0.5

    def __post_init__(self) -> None:
        check_fields("transitions", self)
        names = [axis.name for axis in self.axes]
        if len(set(names)) < len(names):
            raise ConfigError(f"transitions.axes: {', '.join(names)}: name each axis once")
        if not any(axis.weight for axis in self.axes if axis.name != "curve"):
            raise ConfigError("transitions.axes: all weights are 0; give a weight to one of the axes besides curve")

    def pairs(
        self,
        columns: Columns,
        before: Sequence[int] | np.ndarray,
        after: Sequence[int] | np.ndarray,
        *,
        target: float = float("nan"),
        step: float = 0.0,
    ) -> Pairs:
        """Return the pairs to be scored; see `Pairs`."""
        return Pairs(
            columns=columns,
            before=np.asarray(before, dtype=np.int64),
            after=np.asarray(after, dtype=np.int64),  # the same object if it is `columns.rows`
            tempo_rules=self.tempo,
            target=target,
            step=step,
        )

    def by_axis(self, pairs: Pairs) -> dict[str, np.ndarray]:
        """Return {axis: (before, after) float32 from 0 to 1, NaN where unknown}."""
        return {axis.name: axis.scores(pairs) for axis in self._counted(pairs)}

    def scores(self, pairs: Pairs, *, known: "Sums | None" = None) -> np.ndarray:
        """Return the scores of all pairs, (before, after) float32 from 0 to 1.

        Args:
            pairs: The pairs.
            known: The sums of the axes that do not depend on the place, if they are known from another place.
        """
        sums = known or self.sums(pairs, by_place=False)
        of_place = self.sums(pairs, by_place=True)
        weights = sums.weights + of_place.weights
        counted = sum(axis.weight for axis in self._counted(pairs))
        mean = np.divide(sums.values + of_place.values, weights, out=np.zeros_like(weights), where=weights > 0)
        mean *= 1 - np.float32(self.missing_costs) * (1 - weights / np.float32(counted))
        over = np.abs(pairs.tempo.percent) > self.tempo.transition_percent
        mean[over] *= np.float32(self.tempo.over_budget)
        mean[pairs.tempo.crossed] *= np.float32(self.tempo.two_against_three)
        return mean

    def bounds(self, pairs: Pairs) -> np.ndarray:
        """Return what the scores of all pairs can be at most, (before, after) float32, up to rounding.

        Only the axes are asked that know no more than key and genre. All others count as known, and as perfect.
        """
        axes = self._counted(pairs)
        known = self._sums(pairs, [axis for axis in axes if axis.of_key_and_genre])
        counted = np.float32(sum(axis.weight for axis in axes))
        other = np.float32(sum(axis.weight for axis in axes if not axis.of_key_and_genre))
        weights = known.weights + other
        best = np.divide(known.values + other, weights, out=np.zeros_like(weights), where=weights > 0)
        best *= 1 - np.float32(self.missing_costs) * (1 - weights / counted)
        return best

    def budget_factors(self, pairs: Pairs) -> np.ndarray:
        """Return what the tempo budget of a transition leaves of the scores at most, (before, after) float32."""
        within = self.tempo.may_be_within(pairs.columns.bpm[pairs.before], pairs.columns.bpm[pairs.after])
        return np.where(within, np.float32(1), np.float32(self.tempo.over_budget))

    def sums(self, pairs: Pairs, *, by_place: bool) -> "Sums":
        """Return the weighted sums over the axes that depend, or do not depend, on the place in the set."""
        return self._sums(pairs, [axis for axis in self._counted(pairs) if axis.by_place == by_place])

    def _sums(self, pairs: Pairs, axes: Sequence[Axis]) -> "Sums":
        values, weights = np.zeros(pairs.shape, np.float32), np.zeros(pairs.shape, np.float32)
        for axis in axes:
            scores = axis.scores(pairs)
            known = ~np.isnan(scores)
            values += np.where(known, np.float32(axis.weight) * scores, np.float32(0))
            weights += np.float32(axis.weight) * known
        return Sums(values=values, weights=weights)

    def explain(self, pairs: Pairs, *, filler: bool = False, set_budget_left: float = np.inf) -> Transition:
        """Return all about one transition.

        Args:
            pairs: One track before and one after.
            filler: See `Transition`.
            set_budget_left: What is left of the tempo budget of the set before this transition, in percent.
        """
        score = float(self.scores(pairs)[0, 0])
        percent = float(pairs.tempo.percent[0, 0])
        reasons = [axis.reason(pairs, 0, 0) for axis in self._counted(pairs)]
        if abs(percent) > set_budget_left:
            score *= self.tempo.over_budget
            reasons.append("over the tempo budget of the set")
        known = not np.isnan(percent)
        key = next((axis for axis in self.axes if isinstance(axis, KeyAxis)), None)
        return Transition(
            score=score,
            axes={name: _or_none(float(scores[0, 0])) for name, scores in self.by_axis(pairs).items()},
            reason=", ".join(filter(None, reasons)),
            tempo_change_percent=percent if known else None,
            tempo_multiple=float(pairs.tempo.multiple[0, 0]) if known else None,
            key_shift_semitones=key.shift(pairs, 0, 0) if key else 0,
            filler=filler,
        )

    def _counted(self, pairs: Pairs) -> list[Axis]:
        return [axis for axis in self.axes if axis.weight and not (axis.name == "curve" and np.isnan(pairs.target))]


@dataclass(frozen=True, kw_only=True)
class Sums:
    """Sums over axes, both (before, after) float32: weight times score, and weight, where the score is known."""

    values: np.ndarray
    weights: np.ndarray


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else value
