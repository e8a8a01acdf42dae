"""Compose pieces that are harder than arrangements by style: modes, riffs, drones, loops, noise, music out of tune."""

import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass

import mido

TICKS_PER_BEAT = 480
DURATION_S = 44.0  # of a piece, at least
DRUM_CHANNEL = 9
LARGEST_DETUNING_CENTS = 50

# {mode: (semitones above the tonic, label)}. The label is that of the third.
MODES = {
    "ionian": ((0, 2, 4, 5, 7, 9, 11), "major"),
    "mixolydian": ((0, 2, 4, 5, 7, 9, 10), "major"),
    "lydian": ((0, 2, 4, 6, 7, 9, 11), "major"),
    "aeolian": ((0, 2, 3, 5, 7, 8, 10), "minor"),
    "harmonic minor": ((0, 2, 3, 5, 7, 8, 11), "minor"),
    "dorian": ((0, 2, 3, 5, 7, 9, 10), "minor"),
    "phrygian": ((0, 1, 3, 5, 7, 8, 10), "minor"),
}
_MODE_WEIGHTS = (30, 12, 4, 30, 12, 8, 4)
_METRES = (4, 3, 6)
_METRE_WEIGHTS = (80, 14, 6)

# Names of the keys in MIDI files, by pitch class.
_SIGNATURES = {
    "major": ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B"),
    "minor": ("Cm", "C#m", "Dm", "Ebm", "Em", "Fm", "F#m", "Gm", "G#m", "Am", "Bbm", "Bm"),
}


@dataclass(frozen=True)
class _Style:
    """What pieces of one style have in common.

    Attributes:
        tempo: Lowest and highest tempo in BPM.
        minor: Factor on the weight of minor modes.
        chords, pads, basses, leads: General MIDI programs.
        drums: Share of the pieces with drums.
        loudness: Velocity of the drums relative to the other parts.
        power: Share of the pieces whose chords have no third.
        drone: Share of the pieces whose bass stays on the tonic.
    """

    tempo: tuple[int, int]
    minor: float
    chords: tuple[int, ...]
    pads: tuple[int, ...]
    basses: tuple[int, ...]
    leads: tuple[int, ...]
    drums: float
    loudness: float
    power: float
    drone: float


_STYLES = {
    "orchestral": _Style((56, 150), 1.3, (45, 46, 48, 60, 61, 0, 11), (48, 49, 50, 52, 89), (43, 42, 58, 32),
                         (40, 41, 56, 60, 68, 70, 71, 73, 74, 52, 46), 0.35, 0.9, 0.1, 0.3),
    "metal": _Style((90, 200), 3.0, (29, 30), (48, 50, 62, 52), (33, 34, 36), (29, 30, 81, 87), 0.95, 1.2, 0.7, 0.35),
    "electronic": _Style((90, 175), 2.0, (80, 81, 90, 62, 63, 4, 103), (88, 89, 90, 93, 94, 95), (38, 39, 87),
                         (80, 81, 82, 84, 85, 86, 87, 98, 100), 0.9, 1.3, 0.25, 0.35),
    "ambient": _Style((50, 110), 1.3, (88, 89, 94, 99, 4, 11, 14), (88, 89, 91, 92, 94, 95, 97, 101), (38, 39, 43, 32),
                      (73, 75, 79, 98, 99, 10, 12, 52), 0.2, 0.8, 0.2, 0.6),
    "percussive": _Style((80, 180), 1.3, (12, 13, 108, 24, 105, 106, 25), (48, 89, 53, 95), (32, 33, 35),
                         (12, 68, 75, 77, 78, 104, 107, 110, 111), 0.98, 1.5, 0.25, 0.5),
    "band": _Style((70, 180), 1.0, (0, 2, 4, 16, 18, 24, 25, 26, 27, 28), (48, 50, 16, 19), (32, 33, 34, 35, 36),
                   (22, 26, 27, 56, 57, 65, 66, 71, 73, 80, 0), 0.85, 1.0, 0.1, 0.1),
    "folk": _Style((60, 170), 1.0, (6, 15, 21, 24, 25, 46, 105), (19, 20, 48, 109), (32, 43, 42),
                   (21, 22, 40, 72, 73, 74, 78, 79, 110, 6), 0.3, 0.8, 0.15, 0.3),
}  # fmt: skip
_RHYTHMS = ((1, 1, 1, 1), (0.5, 0.5, 1, 2), (1.5, 0.5, 1, 1), (0.5,) * 8, (2, 2), (0.75, 0.75, 0.5, 1, 1), (4,), (3, 1))
_RIFFS = ((0.5,) * 8, (0.25,) * 16, (0.75, 0.75, 0.5) * 2, (1, 0.5, 0.5) * 2, (0.5, 0.25, 0.25) * 4, (1,) * 4)


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
    its third agrees with. The tuning of each piece is drawn from ±50 cents around 440 Hz.

    Args:
        seed: The same seed gives the same piece.

    Returns:
        The piece, of at least `DURATION_S` seconds, and its labels.
    """
    return _Composer(random.Random(seed)).compose()


class _Composer:
    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.style_name = rng.choice(sorted(_STYLES))
        self.style = style = _STYLES[self.style_name]
        minor = [style.minor if label == "minor" else 1.0 for _, label in MODES.values()]
        weights = [weight * factor for weight, factor in zip(_MODE_WEIGHTS, minor, strict=True)]
        self.scale_name = rng.choices(list(MODES), weights)[0]
        self.scale, self.mode = MODES[self.scale_name]
        self.tonic = rng.randrange(12)
        self.bpm = rng.randint(*style.tempo)
        self.metre = rng.choices(_METRES, _METRE_WEIGHTS)[0]
        self.bars = int(DURATION_S * self.bpm / 60 / self.metre) + 2
        self.power = rng.random() < style.power
        self.detuning_cents = rng.choice((0.0, rng.uniform(-LARGEST_DETUNING_CENTS, LARGEST_DETUNING_CENTS)))
        self.tracks: list[mido.MidiTrack] = []
        self.programs: list[int] = []
        self.pitch_classes: set[int] = set()

    def compose(self) -> Composition:
        rng, style = self.rng, self.style
        loops = [self._loop() for _ in range(rng.choice((1, 1, 2, 3)))]
        form = [loops[0], *(loop for loop in rng.choices(loops, k=7))]
        chords = list(itertools.chain.from_iterable(loop * (2 if len(loop) <= 4 else 1) for loop in form))
        chords = list(itertools.islice(itertools.cycle(chords), self.bars))

        texture = rng.random()
        has_chords = texture < 0.8
        has_melody = rng.random() < 0.75 or not has_chords
        if has_chords:
            self._play_chords(chords, rng.choice(style.chords))
        if rng.random() < 0.45 or (self.power and not has_melody):
            self._play_pad(chords, rng.choice(style.pads))
        if rng.random() < 0.85:
            self._play_bass(chords, rng.choice(style.basses))
        if has_melody:
            self._play_melody(chords, rng.choice(style.leads))
        # Where no chord or melody has the third of the tonic, a riff on the scale makes the mode clear.
        has_third = (self.tonic + self.scale[2]) % 12 in self.pitch_classes
        if self.power or not has_third or rng.random() < 0.35:
            self._play_riff(chords, rng.choice(style.leads))
        if rng.random() < style.drums:
            self._play_drums()

        meta = mido.MidiTrack()
        meta.append(mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(self.bpm), time=0))
        meta.append(mido.MetaMessage("time_signature", numerator=self.metre, denominator=4, time=0))
        meta.append(mido.MetaMessage("key_signature", key=_SIGNATURES[self.mode][self.tonic], time=0))
        midi = mido.MidiFile(type=1, ticks_per_beat=TICKS_PER_BEAT, tracks=[meta, *self.tracks])
        labels = {
            "genre": None,
            "key": self.tonic,
            "mode": self.mode,
            "bpm": float(self.bpm),
            "time_signature": self.metre,
            "instruments": sorted(set(self.programs)),
            "style": self.style_name,
            "scale": self.scale_name,
            "detuning_cents": self.detuning_cents,
        }
        return Composition(midi, labels)

    # Harmony: a chord is (root in semitones above the tonic, intervals above the root).

    def _loop(self) -> list[tuple[int, tuple[int, ...]]]:
        """Return one chord per bar: a loop of 1 to 8 bars that begins or ends with the tonic."""
        rng = self.rng
        length = rng.choice((1, 2, 2, 4, 4, 4, 4, 8, 8))
        tonic = self._chord(0)
        if length == 1:
            return [tonic]
        degrees = [self._degree() for _ in range(length - 1)]
        loop = [self._chord(degree) for degree in degrees]
        if rng.random() < 0.25:  # a borrowed chord or a secondary dominant
            at = rng.randrange(len(loop))
            loop[at] = rng.choice(self._foreign_chords())
        if length >= 4 and rng.random() < 0.5:
            loop[-1] = self._dominant() if rng.random() < 0.6 else self._chord(3)
        # Once more in the middle: power chords do not make the key clear by their thirds, and long loops forget it.
        if length == 8 or (length == 4 and (self.power or rng.random() < 0.5)):
            loop[length // 2 - 1] = tonic
        # A loop that ends with its tonic comes to rest there, and begins with something else.
        return [tonic, *loop] if rng.random() < 0.8 else [*loop, tonic]

    def _degree(self) -> int:
        weights = (3, 1.2, 1, 3.5, 3, 3, 0.6) if self.mode == "major" else (3, 0.6, 1.5, 3, 2.5, 3, 2.5)
        return self.rng.choices(range(7), weights)[0]

    def _chord(self, degree: int) -> tuple[int, tuple[int, ...]]:
        """Return the chord of thirds on a degree of the scale. Its fifth is perfect, except in a leading role."""
        scale = self.scale
        root = scale[degree]
        third, fifth = ((scale[(degree + step) % 7] - root) % 12 for step in (2, 4))
        if fifth != 7 and self.rng.random() < 0.7:  # diminished chords are rare in popular music
            return self._chord((degree + 3) % 7)
        if self.power:
            return root, (0, 7)
        chord = (0, third, fifth)
        draw = self.rng.random()
        if draw < 0.12:
            chord = (*chord, (scale[(degree + 6) % 7] - root) % 12)
        elif draw < 0.18:
            chord = (0, (scale[(degree + 1) % 7] - root) % 12, fifth)
        elif draw < 0.22 and degree == 0:
            chord = (0, fifth)
        return root, chord

    def _dominant(self) -> tuple[int, tuple[int, ...]]:
        if self.scale_name in ("ionian", "harmonic minor") or (
            self.scale_name == "aeolian" and self.rng.random() < 0.4
        ):
            return 7, (0, 7) if self.power else self.rng.choice(((0, 4, 7), (0, 4, 7, 10)))
        return self._chord(self.rng.choice((6, 4)))

    def _foreign_chords(self) -> list[tuple[int, tuple[int, ...]]]:
        major, minor = (0, 4, 7), (0, 3, 7)
        if self.power:
            major = minor = (0, 7)
        if self.mode == "major":  # bVI, bVII, bIII, iv, II, III, VI
            return [(8, major), (10, major), (3, major), (5, minor), (2, major), (4, major), (9, major)]
        return [(1, major), (5, major), (2, major), (7, major), (6, major), (10, minor), (0, major)]

    # Parts

    def _play_chords(self, chords: Sequence[tuple[int, tuple[int, ...]]], program: int) -> None:
        rng, notes = self.rng, []
        lowest = 40 + rng.randrange(6) if program in (29, 30) else rng.randrange(48, 60)
        kind = rng.choice(("held", "struck", "struck", "arpeggio", "off-beat"))
        rhythm = self._rhythm(rng.choice(_RIFFS if program in (29, 30) else _RHYTHMS))
        length = rng.choice((0.4, 0.7, 0.95))
        velocity = rng.randint(60, 105)
        for bar, chord in enumerate(chords):
            pitches = self._voicing(chord, lowest)
            if kind == "held":
                notes += [(bar * self.metre, self.metre * 0.97, pitch, velocity) for pitch in pitches]
            elif kind == "arpeggio":
                order = [*pitches, pitches[0] + 12]
                for step in range(2 * self.metre):
                    notes.append((bar * self.metre + step / 2, 0.6, order[step % len(order)], velocity))
            elif kind == "off-beat":
                for beat in range(self.metre):
                    notes += [(bar * self.metre + beat + 0.5, 0.3, pitch, velocity) for pitch in pitches]
            else:
                for at, duration in rhythm:
                    notes += [(bar * self.metre + at, duration * length, pitch, velocity) for pitch in pitches]
        self._add_track(program, notes)

    def _play_pad(self, chords: Sequence[tuple[int, tuple[int, ...]]], program: int) -> None:
        velocity, lowest = self.rng.randint(50, 95), self.rng.randrange(50, 62)
        drone = self.rng.random() < self.style.drone / 2
        notes = []
        for bar, chord in enumerate(chords):
            pitches = [lowest + (self.tonic - lowest) % 12, lowest + (self.tonic + 7 - lowest) % 12]
            for pitch in pitches if drone else self._voicing(chord, lowest):
                notes.append((bar * self.metre, self.metre, pitch, velocity))
        self._add_track(program, notes)

    def _play_bass(self, chords: Sequence[tuple[int, tuple[int, ...]]], program: int) -> None:
        rng, notes = self.rng, []
        drone = rng.random() < self.style.drone
        rhythm = self._rhythm(rng.choice((*_RIFFS, (4,), (2, 2), (1.5, 0.5, 2), (3, 1))))
        lowest, velocity = rng.randrange(26, 34), rng.randint(75, 115)
        walks = rng.random() < 0.3
        for bar, (root, intervals) in enumerate(chords):
            pitch = lowest + (self.tonic + (0 if drone else root) - lowest) % 12
            for number, (at, duration) in enumerate(rhythm):
                step = rng.choice((0, 7, 12)) if walks and number % 2 else 0
                if walks and not drone and number == len(rhythm) - 1:
                    step = rng.choice(intervals)
                notes.append((bar * self.metre + at, duration * 0.9, pitch + step, velocity))
        self._add_track(program, notes)

    def _play_melody(self, chords: Sequence[tuple[int, tuple[int, ...]]], program: int) -> None:
        rng, notes = self.rng, []
        rhythms = [self._rhythm(rng.choice(_RHYTHMS)) for _ in range(2)]
        velocity, low = rng.randint(75, 115), rng.randrange(52, 68)
        pentatonic = rng.random() < 0.35
        left_out = ((3, 6) if self.mode == "major" else (1, 5)) if pentatonic else ()
        scale = {(self.tonic + tone) % 12 for degree, tone in enumerate(self.scale) if degree not in left_out}
        phrase = rng.choice((2, 4, 4, 8))
        pitch, score = low + (self.tonic - low) % 12, {}
        for bar, (root, intervals) in enumerate(chords):
            tones = {(self.tonic + root + interval) % 12 for interval in intervals}
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
            notes += [(bar * self.metre + at, duration, p, velocity) for at, duration, p in repeated]
        self._add_track(program, notes)

    def _play_riff(self, chords: Sequence[tuple[int, tuple[int, ...]]], program: int) -> None:
        """One figure on the tonic's scale, always the same, whatever the chords are."""
        rng = self.rng
        rhythm = self._rhythm(rng.choice(_RIFFS))
        low = rng.randrange(45, 64)
        tonic = low + (self.tonic - low) % 12
        steps = [self.scale[2], 7]  # third and fifth of the tonic, which comes first
        steps += rng.choices(self.scale, k=len(rhythm) - 3, weights=(4, 1.5, 3, 1.5, 3, 1, 1))
        rng.shuffle(steps)
        steps.insert(0, 0)
        velocity = rng.randint(65, 105)
        notes = []
        for bar in range(len(chords)):
            for (at, duration), step in zip(rhythm, steps, strict=True):
                notes.append((bar * self.metre + at, duration * 0.85, tonic + step, velocity))
        self._add_track(program, notes)

    def _play_drums(self) -> None:
        """Kick, snare, hi-hat, and other drums at random places of a pattern that repeats."""
        rng, notes = self.rng, []
        loud = self.style.loudness * rng.uniform(0.6, 1.1)
        kit = rng.choice((0, 0, 8, 16, 24, 25, 40, 48))
        steps = 4 * self.metre
        pattern = [(step, 36) for step in range(steps) if step % 4 == 0 and (step % 8 == 0 or rng.random() < 0.5)]
        pattern += [(step, rng.choice((38, 40))) for step in range(4, steps, 8)]
        hat_every = rng.choice((1, 2, 2, 4))
        pattern += [(step, rng.choice((42, 42, 42, 46))) for step in range(0, steps, hat_every)]
        for drum in rng.choices((36, 38, 39, 41, 43, 45, 47, 49, 51, 54, 56, 60, 62, 64, 69, 75), k=rng.randrange(6)):
            pattern += [(step, drum) for step in rng.sample(range(steps), rng.randrange(1, 5))]
        for bar in range(self.bars):
            for step, drum in pattern:
                velocity = min(127, max(20, round(loud * rng.randint(70, 100))))
                notes.append((bar * self.metre + step / 4, 0.2, drum, velocity))
        self._add_track(kit, notes, channel=DRUM_CHANNEL)

    def _rhythm(self, durations: Sequence[float]) -> list[tuple[float, float]]:
        """Return (start, duration) in beats for one bar; durations that cross its end are cut."""
        result, at = [], 0.0
        for duration in itertools.cycle(durations):
            if at >= self.metre:
                return result
            result.append((at, min(duration, self.metre - at)))
            at += duration
        return result

    def _voicing(self, chord: tuple[int, tuple[int, ...]], lowest: int) -> list[int]:
        """Return the pitches of a chord, close together from the lowest one up."""
        root, intervals = chord
        if self.power:  # the root stays below the fifth, or the chord would be a fourth
            bass = lowest + (self.tonic + root - lowest) % 12
            return [bass, bass + 7, bass + 12]
        return sorted(lowest + (self.tonic + root + interval - lowest) % 12 for interval in intervals)

    def _add_track(
        self, program: int, notes: list[tuple[float, float, int, int]], *, channel: int | None = None
    ) -> None:
        """Add a part. notes: (start in beats, duration in beats, pitch, velocity)."""
        if channel is None:
            channel = len(self.programs) + (len(self.programs) >= DRUM_CHANNEL)
            self.programs.append(program)
            self.pitch_classes |= {pitch % 12 for _, _, pitch, _ in notes}
        setup = [
            mido.Message("program_change", channel=channel, program=program),
            mido.Message("control_change", channel=channel, control=7, value=self.rng.randint(60, 120)),
            mido.Message("control_change", channel=channel, control=91, value=self.rng.choice((0, 30, 60, 110))),
        ]
        if channel != DRUM_CHANNEL and self.detuning_cents:
            bend = round(self.detuning_cents / 200 * 8192)  # the wheel has a range of two semitones
            setup.append(mido.Message("pitchwheel", channel=channel, pitch=bend))
        events = []
        for start, duration, pitch, velocity in notes:
            on, off = round(start * TICKS_PER_BEAT), round((start + duration) * TICKS_PER_BEAT)
            events.append((on, 1, mido.Message("note_on", channel=channel, note=pitch, velocity=velocity)))
            events.append((max(off, on + 1), 0, mido.Message("note_off", channel=channel, note=pitch)))
        track, last = mido.MidiTrack(setup), 0
        for tick, _, message in sorted(events, key=lambda event: event[:2]):
            track.append(message.copy(time=tick - last))
            last = tick
        self.tracks.append(track)


def _neighbours(tones: set[int]) -> set[int]:
    """Return the pitch classes a semitone from tones, which would clash with them."""
    return {(tone + step) % 12 for tone in tones for step in (-1, 1)}
