"""Reading MIDI files: times by the arithmetic of the standard, and damage as in real collections."""

import struct

import mido
import numpy as np
import pytest

from musicrec.data.midi.parse import LARGEST_BYTES, read_midi
from musicrec.errors import MidiError


def chunk(name: bytes, data: bytes) -> bytes:
    return name + struct.pack(">L", len(data)) + data


NOTE = b"\x00\x90\x3c\x40\x60\x80\x3c\x00\x00\xff\x2f\x00"
HAIL = b"\x00\x90\x3c\x40\x01\x80\x3c\x00"  # a note of a tick


def test_times_follow_the_tempo(tmp_path, write_midi, tones):
    """480 ticks per quarter note: 0.5 s at 120 BPM, then 1 s at 60 BPM."""
    header = [mido.MetaMessage("set_tempo", tempo=500_000), mido.MetaMessage("set_tempo", tempo=1_000_000, time=960)]
    piece = read_midi(write_midi(tmp_path / "a.mid", tones([60, 62, 64, 65], program=40), header=header), duration_s=60)
    assert [(note.start_s, note.end_s) for note in piece.notes] == [(0, 0.5), (0.5, 1), (1, 2), (2, 3)]
    assert {(note.channel, note.program) for note in piece.notes} == {(0, 40)}
    assert piece.tempi == [(0, 120), (1, 60)]
    assert piece.duration_s == 3


def test_a_piece_starts_at_its_first_note_with_the_values_valid_there(tmp_path, write_midi, tones):
    header = [mido.MetaMessage("time_signature", numerator=4, denominator=4),
              mido.MetaMessage("time_signature", numerator=3, denominator=4, time=960),
              mido.MetaMessage("key_signature", key="F#m", time=1440)]  # fmt: skip
    track = tones([60, 62])
    track[1].time = 960
    piece = read_midi(write_midi(tmp_path / "a.mid", track, header=header), duration_s=60)
    assert piece.metres == [(0, (3, 4))]
    assert [note.start_s for note in piece.notes] == [0, 0.5]
    assert piece.events[0][0] == 0 and piece.duration_s == 1
    assert piece.lead_s == 1, "960 ticks before the first note"


def test_a_piece_ends_at_the_given_duration(tmp_path, write_midi, tones):
    header = [mido.MetaMessage("key_signature", key="C"), mido.MetaMessage("key_signature", key="G", time=480 * 20)]
    piece = read_midi(write_midi(tmp_path / "a.mid", tones([60] * 100), header=header), duration_s=9.75)
    assert piece.duration_s == 9.75
    assert (len(piece.notes), piece.notes[-1].start_s, piece.notes[-1].end_s) == (20, 9.5, 9.75)
    assert piece.keys == [(0, "C")]
    assert max(time_s for time_s, _ in piece.events) < 9.75


def test_a_gap_of_years_takes_no_memory(tmp_path, write_midi, tones):
    track = tones([60, 62])
    track[3].time = 0x0FFFFFFF
    piece = read_midi(write_midi(tmp_path / "a.mid", track, ticks_per_beat=1), duration_s=60)
    assert piece.duration_s == 60 and len(piece.notes) == 1


def test_muted_channels_are_left_out(tmp_path, write_midi, tones):
    mute = [mido.Message("control_change", channel=3, control=7, value=0)]
    path = write_midi(tmp_path / "a.mid", mute + tones([60], channel=3, program=56), tones([62]))
    assert {note.channel for note in read_midi(path, duration_s=60).notes} == {0}


def test_a_repeated_note_ends_the_previous_one(tmp_path, write_midi):
    on = [mido.Message("note_on", note=60, velocity=80, time=480) for _ in range(3)]
    piece = read_midi(write_midi(tmp_path / "a.mid", on), duration_s=60)
    assert [(note.start_s, note.end_s) for note in piece.notes] == [(0, 0.5), (0.5, 1), (1, 1)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cannot be read as MIDI .it ends too early"),
        (b"<html>not found</html>", "cannot be read as MIDI .MThd not found"),
        (chunk(b"MThd", struct.pack(">hhh", 1, 1, 480)) + b"MTrk\x00\x00\xff\xff" + NOTE, "cannot be read as MIDI"),
        (chunk(b"MThd", struct.pack(">hhh", 2, 1, 480)) + chunk(b"MTrk", NOTE), "type 2"),
        (chunk(b"MThd", struct.pack(">hhh", 1, 1, -6400)) + chunk(b"MTrk", NOTE), "SMPTE"),
        (chunk(b"MThd", struct.pack(">hhh", 1, 1, 0)) + chunk(b"MTrk", NOTE), "SMPTE|beats"),
        (chunk(b"MThd", struct.pack(">hhh", 1, 1, 480)) + chunk(b"MTrk", NOTE[-4:]), "contains no notes"),
        (
            chunk(b"MThd", struct.pack(">hhh", 1, 1, 480)) + chunk(b"MTrk", HAIL * 2000 + NOTE[-4:]),
            "2,000 notes in 2.1 s",
        ),
        (b"MThd" + bytes(LARGEST_BYTES), "1,048,580 bytes; files of more than 1,048,576 are not read"),
    ],
)
def test_damaged_files_are_reported_with_the_reason(tmp_path, content, message):
    (tmp_path / "bad.mid").write_bytes(content)
    with pytest.raises(MidiError, match=rf"bad\.mid: .*(?:{message})"):
        read_midi(tmp_path / "bad.mid", duration_s=60)


def test_any_damage_gives_a_piece_or_a_message(tmp_path, write_midi, tones):
    header = [mido.MetaMessage("set_tempo", tempo=400_000), mido.MetaMessage("key_signature", key="Bb")]
    whole = write_midi(tmp_path / "a.mid", tones([60, 64, 67] * 5), header=header).read_bytes()
    rng, refused = np.random.default_rng(0), 0
    for _ in range(150):
        damaged = np.frombuffer(whole, np.uint8).copy()
        damaged[rng.integers(0, len(damaged), 3)] = rng.integers(0, 256, 3)
        (tmp_path / "b.mid").write_bytes(damaged[: rng.integers(20, 2 * len(damaged))].tobytes())
        try:
            piece = read_midi(tmp_path / "b.mid", duration_s=30)
            assert piece.notes and 0 <= piece.duration_s <= 30
        except MidiError:
            refused += 1
    assert 25 < refused < 150
