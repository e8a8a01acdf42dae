"""Composed pieces: what they sound must be what their labels say."""

import collections
import hashlib
import io

import mido
import pytest

from musicrec.data.midi.parse import DRUM_CHANNEL
from musicrec.data.rendering.composer import Composition, compose
from musicrec.data.rendering.composer_outline import DURATION_S, LARGEST_DETUNING_CENTS, MODES

SEEDS = range(40)


@pytest.fixture(scope="module")
def pieces() -> list[Composition]:
    return [compose(seed) for seed in SEEDS]


def midi_bytes(piece: Composition) -> bytes:
    file = io.BytesIO()
    piece.midi.save(file=file)
    return file.getvalue()


def sounding_ticks(piece: Composition) -> collections.Counter:
    """Return for how many ticks each pitch class sounds, relative to the tonic, without drums."""
    ticks: collections.Counter = collections.Counter()
    for track in piece.midi.tracks:
        now, started = 0, {}
        for message in track:
            now += message.time
            if message.type == "note_on" and message.channel != DRUM_CHANNEL:
                started[message.note] = now
            elif message.type == "note_off" and message.note in started:
                ticks[(message.note - piece.labels["key"]) % 12] += now - started.pop(message.note)
    return ticks


def test_a_seed_gives_the_same_file_and_another_seed_another_one():
    assert midi_bytes(compose(3)) == midi_bytes(compose(3))
    assert midi_bytes(compose(3)) != midi_bytes(compose(4))


def test_pieces_are_long_enough_and_in_the_stated_tempo_and_metre(pieces):
    for piece in pieces:
        messages = list(piece.midi.tracks[0])
        tempo = next(message.tempo for message in messages if message.type == "set_tempo")
        metre = next(message.numerator for message in messages if message.type == "time_signature")
        assert mido.tempo2bpm(tempo) == pytest.approx(piece.labels["bpm"], abs=0.01)
        assert metre == piece.labels["time_signature"]
        # The last bar may end with a rest, and the longest bar is 6 beats at 50 BPM.
        assert piece.midi.length > DURATION_S - 6 * 60 / 50


def test_labels_name_the_key_of_the_notes(pieces):
    overall: collections.Counter = collections.Counter()
    for piece in pieces:
        ticks = sounding_ticks(piece)
        overall += collections.Counter({tone: count / ticks.total() for tone, count in ticks.items()})
        scale = MODES[piece.labels["scale"]][0]
        assert MODES[piece.labels["scale"]][1] == piece.labels["mode"]
        inside = sum(ticks[tone] for tone in scale)
        assert inside > 0.75 * ticks.total(), piece.labels
        own, other = (4, 3) if piece.labels["mode"] == "major" else (3, 4)
        assert ticks[own] > ticks[other], piece.labels
        assert ticks[0] > 0.1 * ticks.total(), piece.labels
    assert [tone for tone, _ in overall.most_common(2)] == [0, 7]  # the tonic and its fifth


def test_the_file_states_the_same_key(pieces):
    from musicrec.heads.keys import parse_key

    for piece in pieces:
        name = next(message.key for message in piece.midi.tracks[0] if message.type == "key_signature")
        tonic, mode = parse_key(name)
        assert (tonic, mode or "major") == (piece.labels["key"], piece.labels["mode"])  # "C" alone is C major


def test_all_pitched_channels_are_detuned_alike(pieces):
    detuned = 0
    for piece in pieces:
        bends = {message.pitch for track in piece.midi.tracks for message in track if message.type == "pitchwheel"}
        cents = piece.labels["detuning_cents"]
        if cents:
            detuned += 1
            assert [bend * 200 / 8192 for bend in bends] == [pytest.approx(cents, abs=0.02)]
        else:
            assert not bends
        assert abs(cents) <= LARGEST_DETUNING_CENTS
    assert 0.3 * len(pieces) < detuned < 0.7 * len(pieces)


def test_pieces_differ_in_key_mode_scale_and_instruments(pieces):
    assert len({piece.labels["key"] for piece in pieces}) == 12
    assert {piece.labels["mode"] for piece in pieces} == {"major", "minor"}
    assert len({piece.labels["scale"] for piece in pieces}) >= 5
    drums = [
        any(m.type == "note_on" and m.channel == DRUM_CHANNEL for t in piece.midi.tracks for m in t) for piece in pieces
    ]
    assert 0.3 < sum(drums) / len(drums) < 0.95


def test_pitches_are_valid_and_every_note_ends(pieces):
    for piece in pieces:
        for track in piece.midi.tracks:
            sounding: collections.Counter = collections.Counter()
            for message in track:
                if message.type in ("note_on", "note_off"):
                    assert 0 <= message.note <= 127
                    sounding[message.note] += 1 if message.type == "note_on" else -1
            assert not any(sounding.values())


def test_a_seed_gives_the_piece_that_it_always_gave():
    """A corpus can be rendered again. If this must change, increase corpus.VERSION, and train what ships again."""
    content = hashlib.sha256()
    for seed in range(5):
        piece = compose(seed)
        content.update(repr((piece.midi.tracks, sorted(piece.labels.items()))).encode())
    assert content.hexdigest() == "2ff70a0383f726f6b0f9f99f7849e63ec6b0c7c6696af06b3ba7c710aa911173"
