"""What a transition is judged by. Each axis scores all pairs of tracks at once, and tells its reason in plain words."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Protocol

import numpy as np

from musicrec.config.number_types import NotNegative, Positive, Share
from musicrec.config.value_check import check_choice, check_fields
from musicrec.recommend.columns import Columns
from musicrec.recommend.key_relations import (
    CAMELOT_24,
    KeyTable,
    moved_semitones,
    relation_text,
    sounding_text,
    transpose,
)
from musicrec.recommend.sets.tempo import TempoChange, TempoRules, tempo_sign
from musicrec.recommend.wording import loudness_text, short, signed

KEY_MODES = ("key_lock", "vinyl")


@dataclass(frozen=True, kw_only=True, eq=False)
class Pairs:
    """Transitions from each of some tracks to each of others, and where in a set they would be.

    Attributes:
        columns: The facts of the tracks.
        before: (before,) rows of the tracks that play.
        after: (after,) rows of the tracks that may follow; `columns.rows` for all.
        tempo_rules: How tempi are compared.
        target: The wanted energy of the next track; NaN without a curve.
        step: How much the wanted energy changes from the track that plays to the next; 0 without a curve.
    """

    columns: Columns
    before: np.ndarray
    after: np.ndarray
    tempo_rules: TempoRules = field(default_factory=TempoRules)
    target: float = float("nan")
    step: float = 0.0

    @property
    def shape(self) -> tuple[int, int]:
        """(before, after), the shape of all scores."""
        return len(self.before), len(self.after)

    @cached_property
    def tempo(self) -> TempoChange:
        """How the tempo changes."""
        return self.tempo_rules.change(self.columns.bpm[self.before], self.columns.bpm[self.after])

    def elsewhere(self, *, target: float, step: float) -> "Pairs":
        """Return the same pairs at another place of the set, with what does not depend on the place."""
        moved = replace(self, target=target, step=step)
        moved.__dict__["tempo"] = self.tempo  # where cached_property keeps it
        return moved

    def followed_by(self, rows: np.ndarray) -> "Pairs":
        """Return pairs of the same tracks with others behind them, at the same place."""
        return replace(self, after=rows)

    def difference(self, values: np.ndarray) -> np.ndarray:
        """Return how much higher a fact of the next track is, (before, after) float32; NaN where unknown."""
        return values[self.after][None, :] - values[self.before][:, None]

    def one(self, before: int, after: int) -> tuple[int, int]:
        """Return the rows of a pair from its place in the arrays."""
        return int(self.before[before]), int(self.after[after])


class Axis(Protocol):
    """One thing that a transition is judged by.

    Attributes:
        name: Name in settings and answers.
        weight: Its weight beside the other axes.
        by_place: Whether the score depends on the place in the set (`Pairs.target` and `Pairs.step`).
        of_key_and_genre: Whether the score depends on nothing but the keys and the genres of the tracks.
    """

    @property
    def name(self) -> str: ...
    @property
    def weight(self) -> float: ...
    @property
    def by_place(self) -> bool: ...
    @property
    def of_key_and_genre(self) -> bool: ...

    def scores(self, pairs: Pairs) -> np.ndarray:
        """Return (before, after) float32 from 0, bad, to 1, good; NaN where a track lacks what is needed."""

    def reason(self, pairs: Pairs, before: int, after: int) -> str:
        """Return a few plain words about one pair, "" if there is nothing to say."""


@dataclass(frozen=True, kw_only=True)
class KeyAxis:
    """Whether the keys go together.

    With key lock, a track keeps its key whatever its tempo, and may be transposed by a semitone
    (`KeyTable.transposed`). In vinyl mode, bringing the next track to the tempo of the one that plays moves its key:
    by a semitone for about 6 %. What counts is the key that sounds while both play, rounded to a whole semitone.

    Attributes:
        weight: Weight of the axis.
        mode: "key_lock" or "vinyl".
        table: The score of each relation of keys.
    """

    weight: NotNegative = 0.30
    mode: str = "key_lock"
    table: KeyTable = field(default_factory=KeyTable)
    name = "key"
    by_place = False

    def __post_init__(self) -> None:
        check_fields("axes.key", self)
        check_choice("axes.key.mode", self.mode, KEY_MODES)

    @property
    def of_key_and_genre(self) -> bool:
        """Whether the keys alone decide: in vinyl mode, the tempo moves them."""
        return self.mode == "key_lock"

    def scores(self, pairs: Pairs) -> np.ndarray:
        before, after = pairs.columns.key[pairs.before], pairs.columns.key[pairs.after]
        # One row and column more: index -1, an unknown key, finds NaN there.
        table = np.full((len(CAMELOT_24) + 1,) * 2, np.nan, dtype=np.float32)
        if self.mode == "vinyl":
            table[:-1, :-1] = self.table.scores
            return table[before[:, None], transpose(after[None, :], moved_semitones(pairs.tempo.percent))]
        table[:-1, :-1] = self.table.scores_with_shift
        return table[before][:, after]

    def shift(self, pairs: Pairs, before: int, after: int) -> int:
        """Return by how many semitones the next track sounds higher than it is while both play."""
        one, other = pairs.one(before, after)
        if self.mode == "vinyl":
            return int(moved_semitones(pairs.tempo.percent[before, after]))
        key, following = int(pairs.columns.key[one]), int(pairs.columns.key[other])
        return 0 if key < 0 or following < 0 else int(self.table.shifts[key, following])

    def reason(self, pairs: Pairs, before: int, after: int) -> str:
        one, other = pairs.one(before, after)
        key, following = int(pairs.columns.key[one]), int(pairs.columns.key[other])
        if key < 0 or following < 0:
            return "key unknown"
        shift = self.shift(pairs, before, after)
        sounding = int(transpose(np.array(following), shift))
        moved = sounding_text(sounding, shift=shift, vinyl=self.mode == "vinyl")
        relation = relation_text(key, sounding)
        return f"{CAMELOT_24[key]} → {CAMELOT_24[following]} {f'{moved}: {relation}' if moved else relation}"


@dataclass(frozen=True, kw_only=True)
class TempoAxis:
    """How little the tempo changes; `TempoRules` has the settings."""

    weight: NotNegative = 0.20
    name = "bpm"
    by_place = False
    of_key_and_genre = False

    def __post_init__(self) -> None:
        check_fields("axes.bpm", self)

    def scores(self, pairs: Pairs) -> np.ndarray:
        return pairs.tempo.score

    def reason(self, pairs: Pairs, before: int, after: int) -> str:
        percent = float(pairs.tempo.percent[before, after])
        if np.isnan(percent):
            return "tempo unknown"
        multiple = float(pairs.tempo.multiple[before, after])
        sign = tempo_sign(multiple)
        most = pairs.tempo_rules.transition_percent
        over = f", more than {most:g} %" if abs(percent) > most else ""
        return f"{signed(percent, 1)} % tempo{f' ({sign})' if sign else ''}{over}"


@dataclass(frozen=True, kw_only=True)
class EnergyAxis:
    """How near the step in energy is to the wanted one; without a curve, none is wanted.

    Attributes:
        weight: Weight of the axis.
        halving: A step that is this far off, on the scale from 1 to 10, scores one half.
    """

    weight: NotNegative = 0.18
    halving: Positive = 2.0
    name = "energy"
    by_place = True
    of_key_and_genre = False

    def __post_init__(self) -> None:
        check_fields("axes.energy", self)

    def scores(self, pairs: Pairs) -> np.ndarray:
        return _near(pairs.difference(pairs.columns.energy) - np.float32(pairs.step), self.halving)

    def reason(self, pairs: Pairs, before: int, after: int) -> str:
        energy, following = (float(pairs.columns.energy[row]) for row in pairs.one(before, after))
        if np.isnan(energy) or np.isnan(following):
            return "energy unknown"
        return f"energy {short(energy)} → {short(following)}"


@dataclass(frozen=True, kw_only=True)
class CurveAxis:
    """How near the energy of the next track is to the curve. Counts only if there is a curve.

    Attributes:
        weight: Weight of the axis.
        halving: A deviation of this, on the scale from 1 to 10, scores one half.
    """

    weight: NotNegative = 0.25
    halving: Positive = 1.5
    name = "curve"
    by_place = True
    of_key_and_genre = False

    def __post_init__(self) -> None:
        check_fields("axes.curve", self)

    def scores(self, pairs: Pairs) -> np.ndarray:
        deviation = pairs.columns.energy[pairs.after] - np.float32(pairs.target)
        return np.broadcast_to(_near(deviation, self.halving), pairs.shape)

    def reason(self, pairs: Pairs, before: int, after: int) -> str:
        deviation = float(pairs.columns.energy[pairs.one(before, after)[1]]) - pairs.target
        if not abs(deviation) >= self.halving:  # also if it is NaN
            return ""
        return f"{short(abs(deviation))} {'above' if deviation > 0 else 'below'} the energy curve"


@dataclass(frozen=True, kw_only=True)
class GenreAxis:
    """Whether the strongest genre is the same.

    Attributes:
        weight: Weight of the axis.
        different: Score of two genres.
    """

    weight: NotNegative = 0.17
    different: Share = 0.2
    name = "genre"
    by_place = False
    of_key_and_genre = True

    def __post_init__(self) -> None:
        check_fields("axes.genre", self)

    def scores(self, pairs: Pairs) -> np.ndarray:
        genres = pairs.columns.text_codes("genre")
        before = genres.codes[pairs.before]
        # Per track before, the score of each genre after. The last one, index -1, is an unknown genre.
        table = np.full((len(before), len(genres.numbers) + 1), self.different, dtype=np.float32)
        table[np.arange(len(before)), before] = 1
        table[:, -1] = table[before < 0] = np.nan
        return table[:, genres.codes[pairs.after]]

    def reason(self, pairs: Pairs, before: int, after: int) -> str:
        genre, following = (str(pairs.columns.genre[row]) for row in pairs.one(before, after))
        if not genre or not following:
            return ""
        return f"both {genre}" if genre == following else f"{genre} → {following}"


@dataclass(frozen=True, kw_only=True)
class TimbreAxis:
    """How close the tracks sound: the product of their `vectors`, and 0 if that is negative.

    Attributes:
        weight: Weight of the axis.
        similar: From this product on, a reason says that they sound alike.
    """

    weight: NotNegative = 0.10
    similar: Share = 0.6
    name = "timbre"
    by_place = False
    of_key_and_genre = False

    def __post_init__(self) -> None:
        check_fields("axes.timbre", self)

    def scores(self, pairs: Pairs) -> np.ndarray:
        columns = pairs.columns
        if not columns.vectors.shape[1]:
            return np.full(pairs.shape, np.nan, dtype=np.float32)
        # All tracks at once: without a copy of their vectors.
        after = columns.vectors if pairs.after is columns.rows else columns.vectors[pairs.after]
        scores = np.clip(columns.vectors[pairs.before] @ after.T, 0, 1)
        scores[~columns.has_vector[pairs.before]] = np.nan
        scores[:, ~columns.has_vector[pairs.after]] = np.nan
        return scores

    def reason(self, pairs: Pairs, before: int, after: int) -> str:
        one, other = pairs.one(before, after)
        return "similar sound" if pairs.columns.vectors[one] @ pairs.columns.vectors[other] >= self.similar else ""


@dataclass(frozen=True, kw_only=True)
class LoudnessAxis:
    """How near the loudness is.

    Attributes:
        weight: Weight of the axis.
        halving_lu: A difference of this many LU scores one half, and from this on a reason names it.
    """

    weight: NotNegative = 0.05
    halving_lu: Positive = 4.0
    name = "loudness"
    by_place = False
    of_key_and_genre = False

    def __post_init__(self) -> None:
        check_fields("axes.loudness", self)

    def scores(self, pairs: Pairs) -> np.ndarray:
        return _near(pairs.difference(pairs.columns.loudness), self.halving_lu)

    def reason(self, pairs: Pairs, before: int, after: int) -> str:
        one, other = pairs.one(before, after)
        louder = float(pairs.columns.loudness[other]) - float(pairs.columns.loudness[one])
        return loudness_text(louder, least=self.halving_lu)


def _near(difference: np.ndarray, halving: float) -> np.ndarray:
    return np.exp2(-np.square(difference / np.float32(halving)))
