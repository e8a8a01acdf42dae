"""The parts of a composed piece: chords, pad, bass, melody, riff and drums.

Each function takes a source of chance, the outline of the piece and one chord per bar, and returns the notes of a part.
"""

import itertools
import random
from collections.abc import Sequence

from musicrec.data.rendering.composer_loops import LoopChord
from musicrec.data.rendering.composer_outline import PieceOutline

Note = tuple[float, float, int, int]  # start and duration in beats, MIDI number, velocity

_DISTORTED = (29, 30)  # General MIDI programs of guitars
_RHYTHMS = ((1, 1, 1, 1), (0.5, 0.5, 1, 2), (1.5, 0.5, 1, 1), (0.5,) * 8, (2, 2), (0.75, 0.75, 0.5, 1, 1), (4,), (3, 1))
_RIFFS = ((0.5,) * 8, (0.25,) * 16, (0.75, 0.75, 0.5) * 2, (1, 0.5, 0.5) * 2, (0.5, 0.25, 0.25) * 4, (1,) * 4)


def chords_part(rng: random.Random, outline: PieceOutline, chords: Sequence[LoopChord], program: int) -> list[Note]:
    """Write chords: held, struck, broken or off the beat. Distorted guitars (`program`) play low and often."""
    notes: list[Note] = []
    lowest = 40 + rng.randrange(6) if program in _DISTORTED else rng.randrange(48, 60)
    kind = rng.choice(("held", "struck", "struck", "arpeggio", "off-beat"))
    rhythm = _rhythm(outline, rng.choice(_RIFFS if program in _DISTORTED else _RHYTHMS))
    length = rng.choice((0.4, 0.7, 0.95))
    velocity = rng.randint(60, 105)
    for bar, chord in enumerate(chords):
        pitches = _voicing(outline, chord, lowest)
        if kind == "held":
            notes += [(bar * outline.metre, outline.metre * 0.97, pitch, velocity) for pitch in pitches]
        elif kind == "arpeggio":
            order = [*pitches, pitches[0] + 12]
            for step in range(2 * outline.metre):
                notes.append((bar * outline.metre + step / 2, 0.6, order[step % len(order)], velocity))
        elif kind == "off-beat":
            for beat in range(outline.metre):
                notes += [(bar * outline.metre + beat + 0.5, 0.3, pitch, velocity) for pitch in pitches]
        else:
            for at, duration in rhythm:
                notes += [(bar * outline.metre + at, duration * length, pitch, velocity) for pitch in pitches]
    return notes


def pad_part(rng: random.Random, outline: PieceOutline, chords: Sequence[LoopChord]) -> list[Note]:
    """Write long chords, or a drone of the tonic and its fifth."""
    velocity, lowest = rng.randint(50, 95), rng.randrange(50, 62)
    drone = rng.random() < outline.style.drone / 2
    notes: list[Note] = []
    for bar, chord in enumerate(chords):
        pitches = [lowest + (outline.tonic - lowest) % 12, lowest + (outline.tonic + 7 - lowest) % 12]
        for pitch in pitches if drone else _voicing(outline, chord, lowest):
            notes.append((bar * outline.metre, outline.metre, pitch, velocity))
    return notes


def bass_part(rng: random.Random, outline: PieceOutline, chords: Sequence[LoopChord]) -> list[Note]:
    """Write a bass that plays the roots, walks, or stays on the tonic."""
    notes: list[Note] = []
    drone = rng.random() < outline.style.drone
    rhythm = _rhythm(outline, rng.choice((*_RIFFS, (4,), (2, 2), (1.5, 0.5, 2), (3, 1))))
    lowest, velocity = rng.randrange(26, 34), rng.randint(75, 115)
    walks = rng.random() < 0.3
    for bar, (root, intervals) in enumerate(chords):
        pitch = lowest + (outline.tonic + (0 if drone else root) - lowest) % 12
        for number, (at, duration) in enumerate(rhythm):
            step = rng.choice((0, 7, 12)) if walks and number % 2 else 0
            if walks and not drone and number == len(rhythm) - 1:
                step = rng.choice(intervals)
            notes.append((bar * outline.metre + at, duration * 0.9, pitch + step, velocity))
    return notes


def melody_part(rng: random.Random, outline: PieceOutline, chords: Sequence[LoopChord]) -> list[Note]:
    """Write a melody: a chord note first in a bar, steps of the scale, and phrases that repeat."""
    notes: list[Note] = []
    rhythms = [_rhythm(outline, rng.choice(_RHYTHMS)) for _ in range(2)]
    velocity, low = rng.randint(75, 115), rng.randrange(52, 68)
    pentatonic = rng.random() < 0.35
    left_out = ((3, 6) if outline.mode == "major" else (1, 5)) if pentatonic else ()
    scale = {(outline.tonic + tone) % 12 for degree, tone in enumerate(outline.scale) if degree not in left_out}
    phrase = rng.choice((2, 4, 4, 8))
    pitch, score = low + (outline.tonic - low) % 12, {}
    for bar, (root, intervals) in enumerate(chords):
        tones = {(outline.tonic + root + interval) % 12 for interval in intervals}
        if bar % phrase == phrase - 1 and rng.random() < 0.3:
            continue
        repeated = score.get((bar % phrase, root, intervals))  # music repeats itself
        if repeated is None or rng.random() < 0.3:
            repeated = []
            for number, (at, duration) in enumerate(rhythms[bar % 2]):
                allowed = tones if number == 0 else (scale - _neighbours(tones - scale)) | tones
                near = [p for p in range(pitch - 5, pitch + 6) if low - 5 <= p <= low + 19 and p % 12 in allowed]
                pitch = rng.choice(near or [pitch])
                if rng.random() < 0.93:
                    repeated.append((at, duration * 0.93, pitch))
            score[bar % phrase, root, intervals] = repeated
        notes += [(bar * outline.metre + at, duration, p, velocity) for at, duration, p in repeated]
    return notes


def riff_part(rng: random.Random, outline: PieceOutline, chords: Sequence[LoopChord]) -> list[Note]:
    """Write one figure on the scale of the tonic that is the same in every bar, whatever the chords are."""
    rhythm = _rhythm(outline, rng.choice(_RIFFS))
    low = rng.randrange(45, 64)
    tonic = low + (outline.tonic - low) % 12
    steps = [outline.scale[2], 7]  # third and fifth of the tonic, which comes first
    steps += rng.choices(outline.scale, k=len(rhythm) - 3, weights=(4, 1.5, 3, 1.5, 3, 1, 1))
    rng.shuffle(steps)
    steps.insert(0, 0)
    velocity = rng.randint(65, 105)
    notes: list[Note] = []
    for bar in range(len(chords)):
        for (at, duration), step in zip(rhythm, steps, strict=True):
            notes.append((bar * outline.metre + at, duration * 0.85, tonic + step, velocity))
    return notes


def drum_part(rng: random.Random, outline: PieceOutline) -> tuple[int, list[Note]]:
    """Write a pattern of kick, snare, hi-hat and other drums.

    Returns:
        The drum kit (a program of the drum channel), and the notes.
    """
    notes: list[Note] = []
    loud = outline.style.loudness * rng.uniform(0.6, 1.1)
    kit = rng.choice((0, 0, 8, 16, 24, 25, 40, 48))
    steps = 4 * outline.metre
    pattern = [(step, 36) for step in range(steps) if step % 4 == 0 and (step % 8 == 0 or rng.random() < 0.5)]
    pattern += [(step, rng.choice((38, 40))) for step in range(4, steps, 8)]
    hat_every = rng.choice((1, 2, 2, 4))
    pattern += [(step, rng.choice((42, 42, 42, 46))) for step in range(0, steps, hat_every)]
    for drum in rng.choices((36, 38, 39, 41, 43, 45, 47, 49, 51, 54, 56, 60, 62, 64, 69, 75), k=rng.randrange(6)):
        pattern += [(step, drum) for step in rng.sample(range(steps), rng.randrange(1, 5))]
    for bar in range(outline.bars):
        for step, drum in pattern:
            velocity = min(127, max(20, round(loud * rng.randint(70, 100))))
            notes.append((bar * outline.metre + step / 4, 0.2, drum, velocity))
    return kit, notes


def _rhythm(outline: PieceOutline, durations: Sequence[float]) -> list[tuple[float, float]]:
    """Return (start, duration) in beats for one bar; durations that cross its end are cut."""
    result, at = [], 0.0
    for duration in itertools.cycle(durations):
        if at >= outline.metre:
            return result
        result.append((at, min(duration, outline.metre - at)))
        at += duration
    return result


def _voicing(outline: PieceOutline, chord: LoopChord, lowest: int) -> list[int]:
    """Return the pitches of a chord, close together from the lowest one up."""
    root, intervals = chord
    if outline.power:  # the root stays below the fifth, or the chord would be a fourth
        bass = lowest + (outline.tonic + root - lowest) % 12
        return [bass, bass + 7, bass + 12]
    return sorted(lowest + (outline.tonic + root + interval - lowest) % 12 for interval in intervals)


def _neighbours(tones: set[int]) -> set[int]:
    """Return the pitch classes a semitone from tones, which would clash with them."""
    return {(tone + step) % 12 for tone in tones for step in (-1, 1)}
