"""How well one key follows another in a mix: a table that is configuration, because published tables disagree."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from musicrec.config.number_types import Share
from musicrec.config.value_check import check_fields
from musicrec.heads.keys import MODES, RELATIONS, camelot, camelot_relations

CAMELOT_24 = tuple(camelot(index % 12, MODES[index // 12]) for index in range(24))
"""The Camelot code of each key, in the order of `KEYS_24`."""

_TEXTS = {
    "same": "same key",
    "neighbour": "neighbour on the Camelot wheel",
    "diagonal": "diagonal on the Camelot wheel",
    "two_steps": "two steps on the Camelot wheel",
    "whole_tone_up": "energy boost of a whole tone",
    "semitone_up": "energy boost of a semitone",
    "other": "keys that do not go together",
}


@dataclass(frozen=True, kw_only=True)
class KeyTable:
    """The score of each relation of two keys, from 0, avoid, to 1, as good as the same key.

    The first five and the last are those of `camelot_compatibility`. A step on the Camelot wheel is a fifth, so +2 on
    the wheel is a whole tone up and +7 a semitone up.

    Attributes:
        same: The same key, 8A → 8A.
        neighbour: One step on the wheel with the same letter, 8A → 9A or 7A.
        relative: The relative major or minor, 8A → 8B.
        diagonal: One step with the other letter, 8A → 9B or 7B.
        two_steps: Two steps back with the same letter, 8A → 6A.
        whole_tone_up: Two steps on, 8A → 10A, by which DJs lift the energy.
        semitone_up: Seven steps on, 8A → 3A, which lifts it more.
        other: Anything else.
        transposed: With a pitch fader or key shift that leaves the tempo alone, the next track can be played a semitone
            higher or lower. The score of the keys that meet then is multiplied by this. 0 never transposes. With 0.3,
            a key shift is better than keys that do not go together, and worse than any that do.
    """

    same: Share = 1.0
    neighbour: Share = 0.9
    relative: Share = 0.8
    diagonal: Share = 0.55
    two_steps: Share = 0.45
    whole_tone_up: Share = 0.45
    semitone_up: Share = 0.45
    other: Share = 0.1
    transposed: Share = 0.3

    def __post_init__(self) -> None:
        check_fields("keys", self)

    @cached_property
    def scores(self) -> np.ndarray:
        """(24, 24) float32, rows the key that plays and columns the key that follows, without transposing."""
        return np.array([getattr(self, name) for name in RELATIONS], dtype=np.float32)[camelot_relations()]

    @cached_property
    def shifts(self) -> np.ndarray:
        """(24, 24) int8: by how many semitones (-1, 0 or 1) the next track is best transposed."""
        order = np.array([0, -1, 1])  # where equal, it stays as it is
        return order[self._transposed.argmax(axis=0)].astype(np.int8)

    @cached_property
    def scores_with_shift(self) -> np.ndarray:
        """(24, 24) float32, like `scores`, with the next track transposed where that is better."""
        return self._transposed.max(axis=0)

    @cached_property
    def _transposed(self) -> np.ndarray:
        keys = np.arange(24)
        return np.stack(
            [
                self.scores,
                *(np.float32(self.transposed) * self.scores[:, transpose(keys, shift)] for shift in (-1, 1)),
            ]
        )


def transpose(key: np.ndarray, semitones: np.ndarray | int) -> np.ndarray:
    """Return keys after a shift of pitch.

    Args:
        key: Indices in `KEYS_24`; -1, unknown, stays.
        semitones: Whole semitones, up if positive.
    """
    key = np.asarray(key, dtype=np.int16)
    return np.where(key < 0, -1, (key % 12 + semitones) % 12 + 12 * (key >= 12))


def moved_semitones(percent: np.ndarray) -> np.ndarray:
    """Return by how many semitones a track sounds higher on a turntable, once it is brought to another tempo.

    Args:
        percent: How much faster the track is than the tempo that it is brought to. It is slowed down by as much, which
            lowers it. NaN, an unknown tempo, moves nothing.

    Returns:
        Whole semitones, int16.
    """
    semitones = -12 * np.log2(1 + np.nan_to_num(percent) / 100)
    return np.rint(semitones).astype(np.int16)


def relation_text(before: int, after: int) -> str:
    """Return the relation of two keys in words, such as "neighbour on the Camelot wheel".

    Args:
        before: Index in `KEYS_24` of the key that plays.
        after: Index of the key that follows.
    """
    name = RELATIONS[camelot_relations()[before, after]]
    return f"relative {MODES[after // 12]}" if name == "relative" else _TEXTS[name]


def sounding_text(key: int, *, shift: int, vinyl: bool) -> str:
    """Return how a key that sounds higher or lower than written comes about, "" if it does not.

    Args:
        key: The key that sounds, an index in `KEYS_24`.
        shift: By how many semitones it is higher than written.
        vinyl: Whether the tempo moved it; otherwise a key shift did.
    """
    if not shift:
        return ""
    if vinyl:
        return f"which sounds as {CAMELOT_24[key]} at this tempo"
    return f"a semitone {'up' if shift > 0 else 'down'} with the key shift"
