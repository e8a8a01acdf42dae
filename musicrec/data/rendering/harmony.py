"""Chords of an arrangement: progressions in roman numerals, in major and minor, with modal and borrowed chords."""

import random
import re
from dataclasses import dataclass

from musicrec.heads.keys import PITCH_CLASSES

# Numerals count from the major scale, so the third degree of minor is bIII. Upper case is a major chord, lower case a
# minor one; what follows is added to the name of the chord. Every progression has the tonic where it begins or ends:
# other loops of the same chords would be heard in other keys.
PROGRESSIONS = {
    "major": (
        "I vi IV V", "I IV V I", "I V vi IV", "I ii V7 I", "I IV I V", "I iii IV V", "I vi ii V7", "I IV ii V",
        "IM7 vi7 ii7 V7", "ii7 V7 IM7 IM7", "IM7 IVM7 IM7 V7sus4",
        "I bVII IV I", "I v IV I",  # mixolydian
        "I IV iv I", "I bVI bVII I", "I bIII IV I",  # borrowed from minor
        "I II7 V7 I", "I III7 vi IV", "I I7 IV iv", "I VI7 II7 V7",  # secondary dominants
        "I7 IV7 I7 V7", "IV V I I", "IV I V I", "I I I V", "I I IV I", "I Isus4 I V",
    ),
    "minor": (
        "i iv V7 i", "i bVI bIII bVII", "i iv i V7", "i bVII bVI V7", "i bIII iv V7", "i bVI iv V7", "iv V7 i i",
        "i7 iv7 ii7b5 V7", "ii7b5 V7 i i", "i bVI bVII i", "i iv bVII i",
        "i bVII i bVII", "i v iv i", "i v bVI iv",  # aeolian, without the leading note
        "i IV i IV", "i7 IV7 i7 i7", "i ii bVII i",  # dorian
        "i bII i i", "i bII bVII i",  # phrygian
        "i i iv i", "i i i V7", "i I7 iv V7", "i iv6 i V7",
    ),
}  # fmt: skip
SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}  # semitones above the tonic
PHRASE_BARS = 8

_NUMERALS = dict(zip(("I", "II", "III", "IV", "V", "VI", "VII"), SCALES["major"], strict=True))
_NUMERAL = re.compile(r"(b?)([IV]+|[iv]+)(.*)")
_SEVENTHS = {"7": 10, "M7": 11, "6": 9, "7b5": 10, "7sus4": 10}


@dataclass(frozen=True)
class Chord:
    """A chord.

    Attributes:
        name: As MMA reads it, such as ``"Bbm7"``.
        tones: Its pitch classes, the root first.
    """

    name: str
    tones: tuple[int, ...]


def read_numeral(numeral: str, tonic: int) -> Chord:
    """Return the chord that a roman numeral means in a key.

    Args:
        numeral: Such as ``"bVI"`` or ``"ii7b5"``.
        tonic: Pitch class of the tonic, 0 for C.
    """
    flat, degree, suffix = _NUMERAL.fullmatch(numeral).groups()
    root = (tonic + _NUMERALS[degree.upper()] - len(flat)) % 12
    minor = degree.islower()
    third = 5 if "sus4" in suffix else 3 if minor else 4
    intervals = [0, third, 6 if "b5" in suffix else 7]
    intervals += [_SEVENTHS[suffix]] if suffix in _SEVENTHS else []
    name = PITCH_CLASSES[root] + ("m" if minor else "") + suffix
    return Chord(name, tuple((root + interval) % 12 for interval in intervals))


def write_chords(rng: random.Random, *, tonic: int, mode: str, bars: int) -> list[Chord]:
    """Write the chords of a piece: two progressions in phrases of eight bars, A A B A.

    Args:
        rng: Source of chance.
        tonic: Pitch class of the tonic.
        mode: ``"major"`` or ``"minor"``.
        bars: Number of bars.

    Returns:
        One chord per bar.
    """
    a, b = rng.sample(PROGRESSIONS[mode], 2)
    slow = rng.random() < 0.15  # two bars per chord
    phrases = {name: _phrase(progression.split(), slow=slow) for name, progression in (("A", a), ("B", b))}
    numerals = [numeral for name in "AABA" for numeral in phrases[name]]
    return [read_numeral(numerals[bar % len(numerals)], tonic) for bar in range(bars)]


def _phrase(progression: list[str], *, slow: bool) -> list[str]:
    if slow:
        return [numeral for numeral in progression for _ in range(2)]
    return progression * (PHRASE_BARS // len(progression))
