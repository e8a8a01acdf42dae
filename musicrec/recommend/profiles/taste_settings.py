"""How much each kind of feedback counts."""

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Gt

from musicrec.config.number_types import Count, NotNegative, Positive
from musicrec.config.value_check import check_fields

_HalfLife = Annotated[float, Gt(0)]  # infinity: nothing is forgotten


@dataclass(frozen=True, kw_only=True)
class TasteSettings:
    """How much each kind of feedback counts. experiments/feedback tells how the numbers were chosen.

    Args:
        half_life_days: Age at which an event counts half; infinity to forget nothing.
        played: Weight of a play without an opinion.
        skipped: How much a skip counts against a recording.
        behaviour_most: Plays and skips of one recording together count at most this much, beside 1 for a like.
        focus: Exponent of the cosine. 1 looks for what is between the liked recordings, more for what is near some.
        dislike_share: Weight of what was not liked, beside 1 for what was.
        most_recordings: The most liked, and the most disliked, recordings that are compared with.
        strength: How much the taste can add to a similarity, or take from it, with much evidence; and so can what
            pairs and skips teach.
        evidence_half: Number of likes at which half of the strength is reached.
        pairs_half: Number of pairs and skips at which half of it is reached for what they teach.
        ridge: How far the learnt metric stays from the pairs, and near the metric without feedback.
        pair_bonus: What is added to the similarity of a track that works after the query.

    Raises:
        ConfigError: A value is out of range.
    """

    half_life_days: _HalfLife = 180.0
    played: NotNegative = 0.1
    skipped: NotNegative = 0.3
    behaviour_most: NotNegative = 0.5
    focus: Positive = 2.0
    dislike_share: NotNegative = 0.5
    most_recordings: Count = 200
    strength: Positive = 0.5
    evidence_half: Positive = 6.0
    pairs_half: Positive = 10.0
    ridge: Positive = 1.0
    pair_bonus: NotNegative = 0.3

    def __post_init__(self) -> None:
        check_fields("taste", self)

    def strength_of(self, amount: float) -> float:
        """Return the strength with an amount of evidence, in likes: 0 without any, near `strength` with much."""
        return self.strength * amount / (amount + self.evidence_half)

    def of_pairs(self, count: int) -> float:
        """Return the strength of what a number of pairs and skips teach, as `strength_of` does for likes."""
        return self.strength * count / (count + self.pairs_half)
