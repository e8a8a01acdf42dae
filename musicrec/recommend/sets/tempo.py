"""The tempo change of a transition, at a track's own, half or double tempo, or with two beats against three."""

from dataclasses import dataclass

import numpy as np

from musicrec.config.number_types import Positive, Share
from musicrec.config.value_check import check_fields

MULTIPLES = {"own": 1.0, "half": 0.5, "double": 2.0, "three_to_two": 1.5, "two_to_three": 2 / 3}
"""{name: by what the tempo of the next track is multiplied before it is compared}."""

SIGNS = {1.0: "", 0.5: "÷2", 2.0: "×2", 1.5: "3:2", 2 / 3: "2:3"}

_MARGIN_PERCENT = 1e-3  # more than rounding makes of a change


@dataclass(frozen=True, kw_only=True)
class TempoChange:
    """How the tempo changes from tracks to tracks, arrays of (before, after).

    Attributes:
        percent: How much faster the next track is, at the best of its multiples; NaN if a tempo is unknown.
        multiple: That multiple, one of `MULTIPLES`.
        score: From 0 to 1; NaN if a tempo is unknown.
    """

    percent: np.ndarray
    multiple: np.ndarray
    score: np.ndarray

    @property
    def crossed(self) -> np.ndarray:
        """Whether two beats play against three, (before, after) bool."""
        return (self.multiple == np.float32(MULTIPLES["three_to_two"])) | (
            self.multiple == np.float32(MULTIPLES["two_to_three"])
        )


@dataclass(frozen=True, kw_only=True)
class TempoRules:
    """How tempi are compared.

    A change of p percent scores 0.5 ** (p / halving_percent)², times the factor of the multiple.

    Attributes:
        halving_percent: The change that scores one half.
        half: Factor if the next track counts at half its tempo; 0 never does.
        double: Factor at double its tempo.
        three_to_two: Factor if it counts at one and a half times its tempo: two of its beats against three. With 0.3,
            that is worth as much as a plain change of 8 %.
        two_to_three: Factor at two thirds of its tempo.
        two_against_three: Factor of the score of the whole transition where two beats play against three, which is hard
            to mix: it is taken where a plain change would be a good deal worse.
        transition_percent: Tempo budget of a transition.
        set_percent: Tempo budget of a set: the sum of all changes, up and down. None sets no limit.
        over_budget: Factor of the score of a transition that exceeds a budget. It stays possible, as a set may not
            exist without it.
    """

    halving_percent: Positive = 6.0
    half: Share = 0.9
    double: Share = 0.9
    three_to_two: Share = 0.3
    two_to_three: Share = 0.3
    two_against_three: Share = 0.85
    transition_percent: Positive = 6.0
    set_percent: Positive | None = None
    over_budget: Share = 0.7

    def __post_init__(self) -> None:
        check_fields("tempo", self)

    def change(self, before: np.ndarray, after: np.ndarray) -> TempoChange:
        """Return the change from every track to every other one.

        Args:
            before: (before,) float32 BPM, NaN if unknown.
            after: (after,) float32 BPM, NaN if unknown.
        """
        ratio = after[None, :] / before[:, None]
        percent, multiple, score = (np.empty(ratio.shape, np.float32) for _ in range(3))
        score.fill(-1.0)
        for name, times in MULTIPLES.items():
            factor = 1.0 if name == "own" else getattr(self, name)
            if factor:
                change = np.float32(100 * times) * ratio - np.float32(100)
                here = np.float32(factor) * np.exp2(-np.square(change / np.float32(self.halving_percent)))
                better = here > score  # where equal, the first wins, so a track keeps its own tempo
                np.copyto(percent, change, where=better)
                np.copyto(multiple, np.float32(times), where=better)
                np.copyto(score, here, where=better)
        unknown = np.isnan(ratio)
        percent[unknown] = multiple[unknown] = score[unknown] = np.nan
        return TempoChange(percent=percent, multiple=multiple, score=score)

    def may_be_within(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """Return where a change may be within the tempo budget of a transition, at some multiple: quickly, not exactly.

        Args:
            before: (before,) float32 BPM, NaN if unknown.
            after: (after,) float32 BPM, NaN if unknown.

        Returns:
            (before, after) bool; True where a tempo is unknown, as that exceeds no budget.
        """
        ratio = after[None, :] / before[:, None]
        within = np.isnan(ratio)
        share = (self.transition_percent + _MARGIN_PERCENT) / 100
        for name, times in MULTIPLES.items():
            if name == "own" or getattr(self, name):
                within |= (ratio >= np.float32((1 - share) / times)) & (ratio <= np.float32((1 + share) / times))
        return within


def tempo_sign(multiple: float) -> str:
    """Return the sign of a multiple of the tempo, such as "÷2"; "" for a track's own tempo."""
    return next(text for times, text in SIGNS.items() if abs(times - multiple) < 1e-3)
