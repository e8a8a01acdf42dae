"""Chords, lead line and level of a rendered clip."""

import random

import numpy as np
import pytest

from musicrec.data.rendering.clip_renderer import set_loudness
from musicrec.data.rendering.harmony import PROGRESSIONS, SCALES, read_numeral, write_chords
from musicrec.data.rendering.melody import HIGHEST, LOWEST, write_melody
from musicrec.heads.keys import PITCH_CLASSES


@pytest.mark.parametrize(
    ("numeral", "tonic", "name", "tones"),
    [
        ("I", "C", "C", "C E G"),
        ("bVI", "C", "Ab", "Ab C Eb"),
        ("iv", "C", "Fm", "F Ab C"),
        ("V7", "E", "B7", "B Eb Gb A"),
        ("ii7b5", "A", "Bm7b5", "B D F A"),
        ("IM7", "F", "FM7", "F A C E"),
        ("V7sus4", "D", "A7sus4", "A D E G"),
        ("bII", "A", "Bb", "Bb D F"),
        ("vi7", "Db", "Bbm7", "Bb Db F Ab"),
        ("iv6", "A", "Dm6", "D F A B"),
    ],
)
def test_a_numeral_is_the_chord_that_theory_says(numeral, tonic, name, tones):
    chord = read_numeral(numeral, PITCH_CLASSES.index(tonic))
    assert chord.name == name
    assert [PITCH_CLASSES[tone] for tone in chord.tones] == tones.split()


@pytest.mark.parametrize("mode", ["major", "minor"])
def test_every_progression_fills_a_phrase_and_begins_or_ends_with_the_tonic(mode):
    assert len(set(PROGRESSIONS[mode])) == len(PROGRESSIONS[mode]) > 20
    for progression in PROGRESSIONS[mode]:
        chords = [read_numeral(numeral, 0) for numeral in progression.split()]
        assert len(chords) == 4, progression
        third = 4 if mode == "major" else 3
        assert any(chord.tones[:2] == (0, third) for chord in (chords[0], chords[-1])), progression


def test_chords_have_a_form():
    chords = write_chords(random.Random(0), tonic=2, mode="minor", bars=64)
    names = [chord.name for chord in chords]
    assert len(names) == 64 and names[:8] == names[8:16] == names[24:32] != names[16:24] and names[:32] == names[32:]


@pytest.mark.parametrize("beats", [2, 3, 4, 5])
def test_a_melody_fits_chords_and_bars(beats):
    rng = random.Random(beats)
    chords = write_chords(rng, tonic=4, mode="major", bars=200)
    track = write_melody(rng, chords, tonic=4, mode="major", beats=beats, ticks_per_beat=192, channel=3)
    scale, tick, sounding, strong, notes = {(4 + step) % 12 for step in SCALES["major"]}, 0, set(), 0, 0
    for message in track:
        tick += message.time
        assert message.channel == 3
        if message.type == "note_on":
            bar, place = divmod(tick, beats * 192)
            assert LOWEST <= message.note <= HIGHEST and not sounding
            assert message.note % 12 in set(chords[bar].tones) | (scale if place else set())
            sounding.add(message.note)
            strong, notes = strong + (place == 0), notes + 1
        elif message.type == "note_off":
            sounding.remove(message.note)
    assert not sounding and tick <= 200 * beats * 192
    assert 150 < strong < 195 < notes, "about one bar of eight has no melody"


def test_level():
    rng = np.random.default_rng(0)
    quiet = set_loudness(rng.normal(size=48_000).astype(np.float32), -26.0)
    assert 20 * np.log10(np.std(quiet)) == pytest.approx(-26.0, abs=0.01)
    loud = set_loudness((0.01 * rng.normal(size=48_000)).astype(np.float32), -10.0)
    assert np.abs(loud).max() < 1 and loud.dtype == np.float32
    assert -11.0 < 20 * np.log10(np.std(loud)) < -10.0, "the limiter takes less than 1 dB off noise"
    assert not set_loudness(np.zeros(100, np.float32), -10.0).any()
