"""Loops of chords for composed pieces."""

import random

from musicrec.data.rendering.composer_outline import PieceOutline

LoopChord = tuple[int, tuple[int, ...]]  # root in semitones above the tonic, intervals above the root


def write_loop(rng: random.Random, outline: PieceOutline) -> list[LoopChord]:
    """Write a loop of 1 to 8 bars that begins or ends with the tonic.

    Args:
        rng: Source of chance.
        outline: The outline of the piece.

    Returns:
        One chord per bar.
    """
    length = rng.choice((1, 2, 2, 4, 4, 4, 4, 8, 8))
    tonic = _chord(rng, outline, 0)
    if length == 1:
        return [tonic]
    degrees = [_degree(rng, outline) for _ in range(length - 1)]
    loop = [_chord(rng, outline, degree) for degree in degrees]
    if rng.random() < 0.25:  # a borrowed chord or a secondary dominant
        at = rng.randrange(len(loop))
        loop[at] = rng.choice(_foreign_chords(outline))
    if length >= 4 and rng.random() < 0.5:
        loop[-1] = _dominant(rng, outline) if rng.random() < 0.6 else _chord(rng, outline, 3)
    # Once more in the middle: power chords do not make the key clear by their thirds, and long loops forget it.
    if length == 8 or (length == 4 and (outline.power or rng.random() < 0.5)):
        loop[length // 2 - 1] = tonic
    # A loop that ends with its tonic comes to rest there, and begins with something else.
    return [tonic, *loop] if rng.random() < 0.8 else [*loop, tonic]


def _degree(rng: random.Random, outline: PieceOutline) -> int:
    """Draw a degree of the scale, 0 for the tonic."""
    weights = (3, 1.2, 1, 3.5, 3, 3, 0.6) if outline.mode == "major" else (3, 0.6, 1.5, 3, 2.5, 3, 2.5)
    return rng.choices(range(7), weights)[0]


def _chord(rng: random.Random, outline: PieceOutline, degree: int) -> LoopChord:
    """Return the chord of thirds on a degree of the scale. A diminished fifth is mostly avoided."""
    scale = outline.scale
    root = scale[degree]
    third, fifth = ((scale[(degree + step) % 7] - root) % 12 for step in (2, 4))
    if fifth != 7 and rng.random() < 0.7:  # diminished chords are rare in popular music
        return _chord(rng, outline, (degree + 3) % 7)
    if outline.power:
        return root, (0, 7)
    chord = (0, third, fifth)
    draw = rng.random()
    if draw < 0.12:
        chord = (*chord, (scale[(degree + 6) % 7] - root) % 12)
    elif draw < 0.18:
        chord = (0, (scale[(degree + 1) % 7] - root) % 12, fifth)
    elif draw < 0.22 and degree == 0:
        chord = (0, fifth)
    return root, chord


def _dominant(rng: random.Random, outline: PieceOutline) -> LoopChord:
    """Return a chord that leads to the tonic."""
    if outline.scale_name in ("ionian", "harmonic minor") or (outline.scale_name == "aeolian" and rng.random() < 0.4):
        return 7, (0, 7) if outline.power else rng.choice(((0, 4, 7), (0, 4, 7, 10)))
    return _chord(rng, outline, rng.choice((6, 4)))


def _foreign_chords(outline: PieceOutline) -> list[LoopChord]:
    """Return borrowed chords and secondary dominants."""
    major, minor = (0, 4, 7), (0, 3, 7)
    if outline.power:
        major = minor = (0, 7)
    if outline.mode == "major":  # bVI, bVII, bIII, iv, II, III, VI
        return [(8, major), (10, major), (3, major), (5, minor), (2, major), (4, major), (9, major)]
    return [(1, major), (5, major), (2, major), (7, major), (6, major), (10, minor), (0, major)]
