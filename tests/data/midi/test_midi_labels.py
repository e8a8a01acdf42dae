"""Labels from MIDI files, against General MIDI's list of programs and arithmetic."""

from dataclasses import replace

import numpy as np
import pytest

from musicrec.data.midi.midi_labels import INSTRUMENTS, instruments_of, labels_of
from musicrec.data.midi.parse import MidiNote, Piece

C_MAJOR, E_FLAT_MAJOR = (60, 62, 64, 65, 67, 69, 71), (63, 65, 67, 68, 70, 72, 74)


def piece(pitches=C_MAJOR, *, duration_s=100.0, **changes):
    each_s = duration_s / len(pitches)
    notes = [MidiNote(i * each_s, (i + 1) * each_s, 0, 0, pitch) for i, pitch in enumerate(pitches)]
    return Piece(duration_s, notes, **changes)


def test_programs_are_those_of_general_midi():
    # Numbers from 0; the standard's table counts from 1.
    expected = {
        0: "piano", 3: "piano", 4: "electric piano", 11: "mallets", 19: "organ", 21: "accordion", 24: "acoustic guitar",
        27: "electric guitar", 30: "distorted guitar", 32: "bass", 39: "bass", 40: "strings", 45: "strings", 46: "harp",
        47: "timpani", 52: "voice", 55: None, 56: "trumpet", 57: "brass", 60: "brass", 65: "saxophone", 71: "clarinet",
        73: "flute", 80: "synth lead", 89: "synth pad", 105: "plucked", 110: "strings", 117: "drums", 127: None,
    }  # fmt: skip
    assert {program: INSTRUMENTS[program] for program in expected} == expected
    assert len(INSTRUMENTS) == 128


def test_instruments_with_few_notes_are_left_out():
    long = [MidiNote(0, 2, 0, 73, 60), MidiNote(0, 0.5, 1, 32, 40), MidiNote(1, 1.6, 1, 33, 40)]
    stray = [MidiNote(0, 0.3, 2, 56, 60)]
    effect = [MidiNote(0, 5, 3, 122, 60)]
    drums = [MidiNote(t, t + 0.01, 9, 0, 36) for t in range(4)]
    assert instruments_of(Piece(5, [*long, *stray, *effect, *drums])) == ["bass", "drums", "flute"]
    assert instruments_of(Piece(5, [*long, *drums[:3]])) == ["bass", "flute"]
    assert instruments_of(Piece(5, effect)) == []


@pytest.mark.parametrize(
    ("tempi", "bpm"),
    [
        ([], None),
        ([(0, 128.0)], 128.0),
        ([(0, 128.004)], 128.0),
        ([(0, 120.0), (91, 60.0)], 120.0),
        ([(0, 120.0), (89, 60.0)], None),
        ([(t, 100 + (t % 3 - 1) * 2) for t in range(100)], 100.0),  # a player's hand, within 2 %
        ([(t, 100 + (t % 3 - 1) * 20) for t in range(100)], None),
        ([(5, 120.0)], 120.0),
        ([(50, 120.0)], None),
        ([(0, 600.0)], None),
    ],
)
def test_tempo_holds_for_nine_tenths_or_is_missing(tempi, bpm):
    assert labels_of(piece(tempi=tempi))["bpm"] == bpm


@pytest.mark.parametrize(
    ("metre", "time_signature", "bpm"),
    [((4, 4), 4, 120), ((3, 4), 3, 120), ((6, 8), 6, 80), ((12, 8), 12, 80), ((7, 8), 7, 120), ((3, 8), 3, 120)],
)
def test_beat_of_a_compound_metre_is_three_eighths(metre, time_signature, bpm):
    labels = labels_of(piece(tempi=[(0, 120.0)], metres=[(0, metre)]))
    assert (labels["time_signature"], labels["bpm"]) == (time_signature, pytest.approx(bpm))


def on_beats(*, bpm=120.0, every_beats=1.0, late_s=0.0, **changes):
    """Return a piece of 20 s whose notes begin at multiples of a part of the beat."""
    starts_s = np.arange(0, 20, every_beats * 60 / bpm) + late_s
    notes = [MidiNote(start_s, start_s + 0.1, 0, 0, 60) for start_s in starts_s]
    beats = [(number * 60 / bpm, number % 4 + 1) for number in range(round(20 * bpm / 60))]
    return Piece(20.0, notes, beats=beats, **{"tempi": [(0, bpm)], "metres": [(0, (4, 4))]} | changes)


def test_beats_are_written_with_their_places_where_the_metre_is_stated():
    labels = labels_of(on_beats())["beats"].split()
    assert (labels[:3], len(labels)) == (["0.000/1", "0.500/2", "1.000/3"], 40)
    assert labels_of(on_beats(metres=[]))["beats"].startswith("0.000 0.500 1.000 ")
    assert labels_of(on_beats(metres=[(5, (4, 4))]))["beats"].startswith("0.000 0.500 1.000 ")


@pytest.mark.parametrize("tempi", [[], [(5, 120.0)]])
def test_beats_need_a_stated_tempo(tempi):
    assert labels_of(on_beats(tempi=tempi))["beats"] is None


@pytest.mark.parametrize("parts", [1, 2, 3, 4, 6])
def test_notes_on_parts_of_beats_keep_to_the_beat(parts):
    assert labels_of(on_beats(every_beats=1 / parts, late_s=0.01))["beats"] is not None


@pytest.mark.parametrize("every_beats", [2**-0.5, 5**0.5 / 3, np.pi / 4])
def test_notes_that_do_not_know_the_beat_disprove_it(every_beats):
    assert labels_of(on_beats(every_beats=every_beats))["beats"] is None


def test_a_player_of_flesh_and_blood_keeps_to_the_beat():
    """Normal deviations of 20 ms at 120 BPM, on eighths: the mean resultant length is exp(-(2 pi 2 0.04)^2 / 2)."""
    piece = on_beats(every_beats=0.5)
    late_s = np.random.default_rng(0).normal(0, 0.02, len(piece.notes))
    played = [replace(note, start_s=note.start_s + late) for note, late in zip(piece.notes, late_s, strict=True)]
    assert labels_of(replace(piece, notes=played))["beats"] == labels_of(piece)["beats"]


def test_a_few_beats_are_none():
    assert labels_of(replace(on_beats(), beats=[(0, 1), (0.5, 2), (1, 3)]))["beats"] is None


def test_metre_that_changes_is_missing():
    assert labels_of(piece(metres=[(0, (4, 4)), (50, (3, 4))]))["time_signature"] is None
    assert labels_of(piece(metres=[(0, (4, 4)), (95, (3, 4))]))["time_signature"] == 4
    assert labels_of(piece())["time_signature"] is None


@pytest.mark.parametrize(
    ("pitches", "keys", "label"),
    [
        (C_MAJOR, [], (None, None)),
        (C_MAJOR, [(0, "C")], (0, "major")),
        (C_MAJOR, [(0, "Am")], (9, "minor")),
        (E_FLAT_MAJOR, [(0, "Eb")], (3, "major")),
        (E_FLAT_MAJOR, [(0, "Cm")], (0, "minor")),
        (E_FLAT_MAJOR, [(0, "C")], (None, None)),  # what a program wrote unasked
        ((*C_MAJOR * 3, 66), [(0, "C")], (0, "major")),  # an accidental disproves nothing
        (C_MAJOR, [(0, "C"), (50, "Am")], (None, None)),
        (C_MAJOR, [(0, "C"), (95, "Eb")], (0, "major")),
    ],
)
def test_the_key_has_to_fit_the_notes(pitches, keys, label):
    labels = labels_of(piece(pitches, keys=keys))
    assert (labels["key"], labels["mode"]) == label


def test_drums_do_not_count_for_the_key():
    drums = Piece(10, [MidiNote(0, 10, 9, 0, pitch) for pitch in C_MAJOR], keys=[(0, "C")])
    assert labels_of(drums)["key"] is None
