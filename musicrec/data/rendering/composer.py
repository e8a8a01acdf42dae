"""Compose pieces that are harder than arrangements by style: modes, riffs, drones, loops, noise, music out of tune."""

import itertools
import random
from dataclasses import dataclass

import mido

from musicrec.data.midi.parse import DRUM_CHANNEL
from musicrec.data.rendering.composer_loops import LoopChord, write_loop
from musicrec.data.rendering.composer_outline import draw_outline
from musicrec.data.rendering.composer_parts import (
    Note,
    bass_part,
    chords_part,
    drum_part,
    melody_part,
    pad_part,
    riff_part,
)

_TICKS_PER_BEAT = 480

# Names of the keys in MIDI files, by pitch class.
_SIGNATURES = {
    "major": ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B"),
    "minor": ("Cm", "C#m", "Dm", "Ebm", "Em", "Fm", "F#m", "Gm", "G#m", "Am", "Bbm", "Bm"),
}


@dataclass(frozen=True)
class Composition:
    """A piece and its labels.

    Attributes:
        midi: The piece, with the tuning of its channels.
        labels: {key (pitch class of the tonic), mode (major or minor), bpm, time_signature (beats per bar), genre
            (None), instruments (General MIDI programs, without drums), style, scale, detuning_cents: label}
    """

    midi: mido.MidiFile
    labels: dict[str, object]


def compose(seed: int) -> Composition:
    """Compose a piece for training a key network.

    A piece is a loop of one to eight chords in a mode, with a bass, and often a riff, a melody, pads and drums. The
    tonic takes the longest time and the strongest places, so that the key is known. The label of a mode is the one that
    its third agrees with. Half of the pieces are out of tune, by up to 50 cents.

    Args:
        seed: The same seed gives the same piece.

    Returns:
        The piece, of at least `DURATION_S` seconds (`composer_outline.py`), and its labels.
    """
    return _Composer(random.Random(seed)).compose()


class _Composer:
    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.outline = draw_outline(rng)
        self.tracks: list[mido.MidiTrack] = []
        self.programs: list[int] = []
        self.pitch_classes: set[int] = set()

    def compose(self) -> Composition:
        chords = self._form()
        self._play(chords)
        outline = self.outline
        meta = mido.MidiTrack()
        meta.append(mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(outline.bpm), time=0))
        meta.append(mido.MetaMessage("time_signature", numerator=outline.metre, denominator=4, time=0))
        meta.append(mido.MetaMessage("key_signature", key=_SIGNATURES[outline.mode][outline.tonic], time=0))
        midi = mido.MidiFile(type=1, ticks_per_beat=_TICKS_PER_BEAT, tracks=[meta, *self.tracks])
        labels = {
            "genre": None,
            "key": outline.tonic,
            "mode": outline.mode,
            "bpm": float(outline.bpm),
            "time_signature": outline.metre,
            "instruments": sorted(set(self.programs)),
            "style": outline.style_name,
            "scale": outline.scale_name,
            "detuning_cents": outline.detuning_cents,
        }
        return Composition(midi, labels)

    def _form(self) -> list[LoopChord]:
        """Return one chord per bar: up to three loops, the first one first."""
        rng = self.rng
        loops = [write_loop(rng, self.outline) for _ in range(rng.choice((1, 1, 2, 3)))]
        form = [loops[0], *rng.choices(loops, k=7)]
        chords = itertools.chain.from_iterable(loop * (2 if len(loop) <= 4 else 1) for loop in form)
        return list(itertools.islice(itertools.cycle(chords), self.outline.bars))

    def _play(self, chords: list[LoopChord]) -> None:
        """Add the parts."""
        rng, outline, style = self.rng, self.outline, self.outline.style
        has_chords = rng.random() < 0.8
        has_melody = rng.random() < 0.75 or not has_chords
        if has_chords:
            program = rng.choice(style.chords)
            self._add_track(program, chords_part(rng, outline, chords, program))
        if rng.random() < 0.45 or (outline.power and not has_melody):
            self._add_track(rng.choice(style.pads), pad_part(rng, outline, chords))
        if rng.random() < 0.85:
            self._add_track(rng.choice(style.basses), bass_part(rng, outline, chords))
        if has_melody:
            self._add_track(rng.choice(style.leads), melody_part(rng, outline, chords))
        # Where no chord or melody has the third of the tonic, a riff on the scale makes the mode clear.
        has_third = (outline.tonic + outline.scale[2]) % 12 in self.pitch_classes
        if outline.power or not has_third or rng.random() < 0.35:
            self._add_track(rng.choice(style.leads), riff_part(rng, outline, chords))
        if rng.random() < style.drums:
            self._add_track(*drum_part(rng, outline), channel=DRUM_CHANNEL)

    def _add_track(self, program: int, notes: list[Note], *, channel: int | None = None) -> None:
        """Add a part, on a channel of its own unless one is given."""
        if channel is None:
            channel = len(self.programs) + (len(self.programs) >= DRUM_CHANNEL)
            self.programs.append(program)
            self.pitch_classes |= {pitch % 12 for _, _, pitch, _ in notes}
        setup = [
            mido.Message("program_change", channel=channel, program=program),
            mido.Message("control_change", channel=channel, control=7, value=self.rng.randint(60, 120)),
            mido.Message("control_change", channel=channel, control=91, value=self.rng.choice((0, 30, 60, 110))),
        ]
        if channel != DRUM_CHANNEL and self.outline.detuning_cents:
            bend = round(self.outline.detuning_cents / 200 * 8192)  # the wheel has a range of two semitones
            setup.append(mido.Message("pitchwheel", channel=channel, pitch=bend))
        events = []
        for start, duration, pitch, velocity in notes:
            on, off = round(start * _TICKS_PER_BEAT), round((start + duration) * _TICKS_PER_BEAT)
            events.append((on, 1, mido.Message("note_on", channel=channel, note=pitch, velocity=velocity)))
            events.append((max(off, on + 1), 0, mido.Message("note_off", channel=channel, note=pitch)))
        track, last = mido.MidiTrack(setup), 0
        for tick, _, message in sorted(events, key=lambda event: event[:2]):
            track.append(message.copy(time=tick - last))
            last = tick
        self.tracks.append(track)
