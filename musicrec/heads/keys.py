"""Musical keys: names, the 24 classes a key head predicts, Camelot codes, and how well two keys mix.

A pitch class counts semitones above C (C = 0 … B = 11); a mode is ``"major"`` or ``"minor"``.
"""

import functools
import re
from unicodedata import combining, normalize

import numpy as np

PITCH_CLASSES = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
MODES = ("major", "minor")
KEYS_24 = tuple(f"{name} {mode}" for mode in MODES for name in PITCH_CLASSES)
RELATIONS = ("same", "neighbour", "relative", "diagonal", "two_steps", "whole_tone_up", "semitone_up", "other")
"""How two keys lie on the Camelot wheel. A step is a fifth, so two steps on are a whole tone up, seven a semitone."""

_NATURALS = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
_ACCIDENTALS = {"": 0, "#": 1, "♯": 1, "b": -1, "♭": -1}
# English, German, French, Italian, Spanish and Portuguese.
_MODE_NAMES = dict.fromkeys(("major", "maj", "dur", "majeur", "maggiore", "mayor", "maior"), "major") | dict.fromkeys(
    ("minor", "min", "moll", "mineur", "minore", "menor"), "minor"
)
_NAMED_NOTES = _NATURALS | {"h": 11, "do": 0, "ut": 0, "re": 2, "mi": 4, "fa": 5, "sol": 7, "la": 9, "si": 11}
_NAMED_ACCIDENTALS = _ACCIDENTALS | {
    **dict.fromkeys(("is", "sharp", "diese", "diesis", "sostenido", "sustenido"), 1),
    **dict.fromkeys(("es", "s", "flat", "bemol", "bemolle"), -1),
}
_KEY_NAME = re.compile(
    r"(do|ut|re|mi|fa|sol|la|si|[a-h])(?:[\s-]*(sharp|flat|diesis|diese|bemolle|bemol|sostenido|sustenido)|"
    r"([#♯b♭]|is|es|(?<=[ae])s))?[\s:_-]*(\D*?)\.?",
    re.IGNORECASE,
)


def parse_pitch_class(text: str) -> int:
    """Pitch class 0..11 of a note name: ``C#``, ``Db``, ``A♯``, ``B♭``, ``Cb``, ``E#``, in either case.

    Raises:
        ValueError: `text` is not a letter A–G with at most one accidental.
    """
    match = re.fullmatch(r"([A-Ga-g])([#♯b♭]?)", text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a note name such as C, F# or Bb")
    letter, accidental = match.groups()
    return (_NATURALS[letter.lower()] + _ACCIDENTALS[accidental]) % 12


def parse_key(text: str) -> tuple[int, str | None]:
    """Read a key such as ``A minor``, ``F#m``, ``Db:maj`` or ``C``, or its code on a wheel of DJ software.

    German (``Cis-Dur``, ``fis-moll``), French, Italian, Spanish and Portuguese names (``La mineur``, ``Si bemolle
    maggiore``) are read, too. ``B`` is B flat if the mode is German: ``B-Dur`` is B flat major, ``H-Dur`` B major.

    Args:
        text: The name, or a code such as ``8A`` (Camelot) or ``1m`` (Open Key).

    Returns:
        Pitch class and mode; the mode is None if the text names none.

    Raises:
        ValueError: `text` is not a note name, or what follows it is not a mode.
    """
    on_wheel = re.fullmatch(r"0?([1-9]|1[0-2])\s*([ABabDMdm])", text.strip())
    if on_wheel is not None:
        return _from_wheel(int(on_wheel[1]), on_wheel[2].upper())
    plain = "".join(sign for sign in normalize("NFD", text.strip()) if not combining(sign))  # dièse, Ré
    match = _KEY_NAME.fullmatch(plain)
    mode = match and ({"m": "minor", "M": "major"}.get(match[4]) or _MODE_NAMES.get(match[4].lower()))
    if match is None or (match[4] and mode is None):
        raise ValueError(f"{text!r} is not a key such as A minor, F# or Bb major")
    note, accidental = match[1].lower(), (match[2] or match[3] or "").lower()
    if note == "b" and not accidental and match[4].lower() in ("dur", "moll"):
        accidental = "b"
    return (_NAMED_NOTES[note] + _NAMED_ACCIDENTALS[accidental]) % 12, mode


def _from_wheel(number: int, letter: str) -> tuple[int, str]:
    """Camelot: A minor, B major, C major is 8B. Open Key: m minor, d major ("dur"), C major is 1d."""
    mode = "minor" if letter in "AM" else "major"
    fifths_above_c = number - (8 if letter in "AB" else 1)
    relative_major = 7 * fifths_above_c % 12
    return (relative_major - 3 * (mode == "minor")) % 12, mode


def key_index(pitch_class: int, mode: str) -> int:
    """Place of a key in `KEYS_24`: ``pitch_class + 12 * (mode == "minor")``."""
    _check(pitch_class, mode)
    return pitch_class + 12 * (mode == "minor")


def key_name(pitch_class: int, mode: str) -> str:
    """``key_name(9, "minor")`` is ``"A minor"``."""
    return KEYS_24[key_index(pitch_class, mode)]


def camelot(pitch_class: int, mode: str) -> str:
    """Code on the Camelot wheel, ``"8A"`` for A minor and ``"8B"`` for C major; a fifth up is one step on."""
    _check(pitch_class, mode)
    relative_major = pitch_class + 3 if mode == "minor" else pitch_class
    fifths_above_c = relative_major * 7 % 12
    return f"{(fifths_above_c + 7) % 12 + 1}{'A' if mode == 'minor' else 'B'}"


@functools.cache
def camelot_relations() -> np.ndarray:
    """How keys lie on the Camelot wheel: (24, 24) indices in `RELATIONS`, rows the first key, columns the second.

    The array is read-only.
    """
    codes = [camelot(i % 12, MODES[i // 12]) for i in range(24)]
    numbers, letters = np.array([int(code[:-1]) for code in codes]), np.array([code[-1] for code in codes])
    forward = (numbers - numbers[:, None]) % 12
    steps = np.minimum(forward, 12 - forward)
    same_letter = letters[:, None] == letters
    found = np.full((24, 24), RELATIONS.index("other"))
    for name, where in {
        "same": same_letter & (steps == 0),
        "neighbour": same_letter & (steps == 1),
        "relative": ~same_letter & (steps == 0),
        "diagonal": ~same_letter & (steps == 1),
        "two_steps": same_letter & (forward == 10),
        "whole_tone_up": same_letter & (forward == 2),
        "semitone_up": same_letter & (forward == 7),
    }.items():
        found[where] = RELATIONS.index(name)
    found.setflags(write=False)
    return found


def camelot_compatibility() -> np.ndarray:
    """How well one key follows another in a mix: (24, 24) float64, symmetric, both axes in `KEYS_24` order.

    Same key 1.0; neighbour on the wheel 0.9; relative major or minor 0.8; neighbour with the other letter 0.55;
    two steps with the same letter 0.45; anything else 0.1.
    """
    scores = {"same": 1.0, "neighbour": 0.9, "relative": 0.8, "diagonal": 0.55, "two_steps": 0.45}
    scores["whole_tone_up"] = scores["two_steps"]  # the same two steps, in the other direction
    return np.array([scores.get(name, 0.1) for name in RELATIONS])[camelot_relations()]


def _check(pitch_class: int, mode: str) -> None:
    if not 0 <= pitch_class <= 11:
        raise ValueError(f"pitch class {pitch_class!r} is not in 0..11")
    if mode not in MODES:
        raise ValueError(f"mode {mode!r} is not 'major' or 'minor'")
