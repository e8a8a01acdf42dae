"""A lead line over chords: chord notes on the first beat of a bar, steps of the scale between them."""

import random
from collections.abc import Sequence

import mido

from musicrec.data.rendering.harmony import SCALES, Chord

# General MIDI programs that carry a melody: pianos, mallets, organ, accordion, guitars, strings, voice, wind, synths
LEADS = (0, 4, 11, 12, 21, 22, 25, 26, 27, 40, 41, 52, 56, 57, 64, 65, 66, 68, 71, 72, 73, 75, 80, 81)
LOWEST, HIGHEST = 52, 86  # MIDI numbers
_LEAP = 5  # semitones at most from note to note
_RHYTHMS = {  # note lengths in beats, by beats per bar
    2: ((1, 1), (0.5, 0.5, 1), (1.5, 0.5), (2,)),
    3: ((1, 1, 1), (2, 1), (1.5, 0.5, 1), (0.5, 0.5, 1, 1), (3,)),
    4: ((1, 1, 1, 1), (0.5, 0.5, 1, 2), (1.5, 0.5, 1, 1), (2, 2), (1, 0.5, 0.5, 1, 1), (0.75, 0.25, 1, 2), (3, 1)),
    5: ((1, 1, 1, 2), (2, 1, 2), (1.5, 0.5, 1, 1, 1), (3, 2)),
}
_REST = 0.12  # share of the bars without a melody
_LEGATO = 0.92  # share of its length that a note sounds


def write_melody(
    rng: random.Random,
    chords: Sequence[Chord],
    *,
    tonic: int,
    mode: str,
    beats: int,
    ticks_per_beat: int,
    channel: int,
) -> mido.MidiTrack:
    """Write a lead line.

    Args:
        rng: Source of chance.
        chords: One chord per bar.
        tonic: Pitch class of the tonic.
        mode: ``"major"`` or ``"minor"``.
        beats: Beats per bar, 2 to 5.
        ticks_per_beat: Resolution of the MIDI file.
        channel: Channel to play on, 0 to 15.

    Returns:
        The track, with its program.
    """
    events = [(0, mido.Message("program_change", channel=channel, program=rng.choice(LEADS)))]
    motif = rng.choices(_RHYTHMS[beats], k=2)  # rhythm of odd and even bars
    pitch = rng.choice([pitch for pitch in range(60, 78) if pitch % 12 in chords[0].tones])
    for bar, chord in enumerate(chords):
        if rng.random() < _REST:
            continue
        scale, beat = _scale_over(chord, tonic, mode), 0.0
        for length in motif[bar % 2]:
            pitch = _next_pitch(rng, pitch, chord.tones if beat == 0 else scale)
            start, end = (round((bar * beats + at) * ticks_per_beat) for at in (beat, beat + _LEGATO * length))
            events.append((start, mido.Message("note_on", channel=channel, note=pitch, velocity=rng.randint(72, 112))))
            events.append((end, mido.Message("note_off", channel=channel, note=pitch)))
            beat += length
    return _track(events)


def _scale_over(chord: Chord, tonic: int, mode: str) -> set[int]:
    """Return the chord's notes and those of the scale, without neighbours of chord notes that are not in the scale."""
    scale = {(tonic + step) % 12 for step in SCALES[mode]}
    foreign = set(chord.tones) - scale
    clashing = {(tone + step) % 12 for tone in foreign for step in (-1, 1)}
    return (scale - clashing) | set(chord.tones)


def _next_pitch(rng: random.Random, pitch: int, wanted: Sequence[int] | set[int]) -> int:
    near = range(max(LOWEST, pitch - _LEAP), min(HIGHEST, pitch + _LEAP) + 1)
    return rng.choice([candidate for candidate in near if candidate % 12 in wanted] or [pitch])


def _track(events: list[tuple[int, mido.Message]]) -> mido.MidiTrack:
    """Return a track of events at absolute ticks; where a note ends as another begins, it ends first."""
    track, last = mido.MidiTrack(), 0
    for tick, message in sorted(events, key=lambda event: (event[0], event[1].type == "note_on")):
        track.append(message.copy(time=tick - last))
        last = tick
    return track
