"""Compose one track: chords in a key, a bass on their roots, a melody from the scale, and drums."""

from dataclasses import dataclass, field

import numpy as np

from musicrec.data.synthetic.styles import STYLES, Groove, SyntheticStyle

SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}
# Four chords each, as scale degrees from 0 = tonic. All start on the tonic, so that every phrase states the key.
PROGRESSIONS = {
    "major": ((0, 3, 4, 0), (0, 5, 3, 4), (0, 3, 0, 4), (0, 1, 4, 0), (0, 4, 0, 3), (0, 5, 1, 4)),
    "minor": ((0, 3, 4, 0), (0, 5, 3, 4), (0, 3, 0, 4), (0, 5, 4, 0), (0, 4, 0, 3), (0, 6, 5, 4)),
}
STEPS_PER_BEAT = 4
LONGEST_CHORD_S = 1.7  # phrases in 4/4 then take 4 to 7 s, so that a chunk of 3.7 s has the tonic and a cadence


@dataclass(frozen=True)
class SyntheticTrack:
    """The labels and seeds that determine the sound of a track.

    Attributes:
        track_id: Such as techno_0001.
        split: Train, valid or test.
        artist: Name of the artist.
        title: Title of the track.
        genre: Name of a style.
        bpm: Tempo in beats per minute.
        key: Pitch class of the tonic, C = 0.
        mode: Major or minor.
        time_signature: Beats per bar.
        energy: 0 to 1.
        artist_seed: Decides what all tracks of the artist share.
        track_seed: Decides everything else.
    """

    track_id: str
    split: str
    artist: str
    title: str
    genre: str
    bpm: float
    key: int
    mode: str
    time_signature: int
    energy: float
    artist_seed: tuple[int, ...]
    track_seed: tuple[int, ...]


@dataclass(frozen=True)
class Note:
    """One tone.

    Attributes:
        start_s: Start in seconds.
        duration_s: Duration in seconds.
        pitch: MIDI number.
        velocity: 0 to 1.
    """

    start_s: float
    duration_s: float
    pitch: int
    velocity: float


@dataclass
class Score:
    """The notes of a track.

    Attributes:
        parts: {(role, instrument): notes}.
        drums: {drum: hits as (start_s, velocity)}.
    """

    parts: dict[tuple[str, str], list[Note]] = field(default_factory=dict)
    drums: dict[str, list[tuple[float, float]]] = field(default_factory=dict)

    @property
    def instruments(self) -> list[str]:
        """The sorted names of the instruments that play."""
        return sorted({instrument for _, instrument in self.parts} | ({"drums"} if self.drums else set()))


def compose(track: SyntheticTrack, *, duration_s: float) -> Score:
    """Compose the score of a track of `duration_s` seconds; the same track always gives the same score."""
    rng, artist = np.random.default_rng(track.track_seed), np.random.default_rng(track.artist_seed)
    style = STYLES[track.genre]
    groove = style.grooves[track.time_signature]
    bass_pattern = groove.bass[artist.integers(len(groove.bass))]
    chord_pattern = groove.chords[artist.integers(len(groove.chords))]
    swing = artist.uniform(0.0, 0.18)  # delay of every second sixteenth note, as a share of it

    steps_per_bar = STEPS_PER_BEAT * track.time_signature
    step_s = 60.0 / track.bpm / STEPS_PER_BEAT
    bars = int(np.ceil(duration_s / (steps_per_bar * step_s)))
    grid_s = np.arange(bars * steps_per_bar + 1) * step_s
    grid_s[1::2] += swing * step_s
    chords = _chords(track, bars=bars, steps_per_bar=steps_per_bar, step_s=step_s, duration_s=duration_s, rng=rng)
    clock = _Clock(grid_s=grid_s, steps_per_bar=steps_per_bar, energy=track.energy, rng=rng)

    score = Score()
    chord_player = str(rng.choice(style.chord_instruments))
    others = [name for name in style.melody_instruments if name != chord_player] or list(style.melody_instruments)
    bass_player = "bass" if rng.random() < style.bass_chance else chord_player
    score.parts["melody", str(rng.choice(others))] = _melody(track, style, chords, clock)
    score.parts["chords", chord_player] = _accompaniment(chord_pattern, chords, clock)
    score.parts["bass", bass_player] = _bass(bass_pattern, chords, clock)
    if rng.random() < style.pad_chance:
        pad = "C" + "-" * (steps_per_bar - 1)
        score.parts["pad", str(rng.choice(style.pad_instruments))] = _accompaniment(pad, chords, clock)
    if rng.random() < style.drums_chance:
        score.drums = _drums(groove, clock)
    return score


class _Clock:
    """Turns steps of the grid into seconds, with small random deviations as of a human player."""

    def __init__(self, *, grid_s: np.ndarray, steps_per_bar: int, energy: float, rng: np.random.Generator):
        self.grid_s, self.steps_per_bar, self.energy, self.rng = grid_s, steps_per_bar, energy, rng
        self.steps = len(grid_s) - 1

    def note(self, step: int, end: int, pitch: int, velocity: float, *, legato: float = 0.92) -> Note:
        start_s = max(0.0, self.grid_s[step] + self.rng.normal(0.0, 0.004))
        accent = 1.0 if step % self.steps_per_bar == 0 else 0.85
        duration_s = (self.grid_s[end] - self.grid_s[step]) * legato
        return Note(start_s, duration_s, pitch, velocity * accent * self.rng.uniform(0.85, 1.0))


def _chords(
    track: SyntheticTrack, *, bars: int, steps_per_bar: int, step_s: float, duration_s: float, rng: np.random.Generator
) -> np.ndarray:
    """Return the pitch classes (steps, 3) of the triad at each step, with the root first.

    The track ends on the tonic, from the last whole bar on, after the dominant. The dominant in minor is a major
    chord, which distinguishes minor from its relative major.
    """
    halves = 2 if track.time_signature == 4 and steps_per_bar * step_s > LONGEST_CHORD_S else 1
    progression = PROGRESSIONS[track.mode][rng.integers(len(PROGRESSIONS[track.mode]))]
    degrees = np.resize(progression, bars * halves)
    whole_bars = max(1, int(duration_s / (steps_per_bar * step_s)))
    final = (whole_bars - 1) * halves
    degrees[final:] = 0
    if final >= 2:
        degrees[final - 1] = 4
    triads = np.array([_triad(track.key, track.mode, int(degree)) for degree in degrees])
    return np.repeat(triads, steps_per_bar // halves, axis=0)


def _triad(key: int, mode: str, degree: int) -> list[int]:
    tones = [SCALES[mode][(degree + third) % 7] for third in (0, 2, 4)]
    if mode == "minor" and degree == 4:
        tones[1] = 11  # the raised leading tone
    return [(key + tone) % 12 for tone in tones]


def _spans(pattern: str, chords: np.ndarray, clock: _Clock) -> list[tuple[int, int, str]]:
    """Repeat a pattern over all bars as (step, end, symbol); a held symbol starts again where the chord changes."""
    changes = np.r_[True, (chords[1:] != chords[:-1]).any(axis=1)]
    spans: list[tuple[int, int, str]] = []
    for step in range(clock.steps):
        symbol = pattern[step % clock.steps_per_bar]
        if symbol in "cr" and clock.energy <= 0.5:
            symbol = "-"
        if symbol == "-" and spans and spans[-1][1] == step:
            start, _, held = spans[-1]
            if changes[step]:
                spans.append((step, step + 1, held))
            else:
                spans[-1] = (start, step + 1, held)
        elif symbol not in ".-":
            spans.append((step, step + 1, symbol))
    return spans


def _accompaniment(pattern: str, chords: np.ndarray, clock: _Clock) -> list[Note]:
    """Return chords in close position around C5, where mel bands are narrow enough to separate semitones."""
    lowest = int(clock.rng.integers(58, 64))
    notes = []
    for step, end, symbol in _spans(pattern, chords, clock):
        voicing = sorted(lowest + (int(tone) - lowest) % 12 for tone in chords[step])
        if symbol.isdigit():
            pitch = (*voicing, voicing[0] + 12)[int(symbol)]
            notes.append(clock.note(step, min(end + 1, clock.steps), pitch, 0.9))
        else:
            notes += [clock.note(step, end, pitch, 0.7) for pitch in voicing]
    return notes


def _bass(pattern: str, chords: np.ndarray, clock: _Clock) -> list[Note]:
    notes = []
    for step, end, symbol in _spans(pattern, chords, clock):
        root = 33 + (int(chords[step, 0]) - 33) % 12
        above = {"F": 7, "O": 12}.get(symbol, 0)
        notes.append(clock.note(step, end, root + above, 0.9))
    return notes


def _melody(track: SyntheticTrack, style: SyntheticStyle, chords: np.ndarray, clock: _Clock) -> list[Note]:
    """Repeat a two-bar rhythm with chord tones on the beat, mostly the tonic, and steps of the scale in between."""
    rng = clock.rng
    step_in_motif = np.arange(2 * clock.steps_per_bar)
    on_beat, off_beat = 0.75 - 0.4 * style.syncopation, 0.1 + 0.4 * style.syncopation
    chance = np.select(
        [step_in_motif % clock.steps_per_bar == 0, step_in_motif % 4 == 0, step_in_motif % 4 == 2],
        [0.95, on_beat + 0.2 * track.energy, off_beat + 0.35 * track.energy],
        default=0.12 * track.energy + 0.08 * style.syncopation,
    )
    starts = np.flatnonzero(np.resize(rng.random(len(chance)) < chance, clock.steps))
    scale = np.array([pitch for pitch in range(64, 92) if (pitch - track.key) % 12 in SCALES[track.mode]])
    centre = int(rng.integers(70, 80))
    pitch, notes = centre, []
    for step, end in zip(starts, np.r_[starts[1:], clock.steps], strict=True):
        chord = {int(tone) for tone in chords[step]}
        if step % 4 == 0:
            candidates = np.array([p for p in range(64, 92) if p % 12 in chord])
            weights = np.where(candidates % 12 == track.key, 3.0, 1.0)
        else:
            candidates, weights = scale, np.ones(len(scale))
        distance = np.abs(candidates - pitch) + 0.35 * np.abs(candidates - centre)
        weights = weights * np.exp(-distance / 3.0) * np.where(candidates == pitch, 0.5, 1.0)
        pitch = int(rng.choice(candidates, p=weights / weights.sum()))
        if track.mode == "minor" and (pitch - track.key) % 12 == 10 and (track.key + 11) % 12 in chord:
            pitch += 1
        notes.append(clock.note(int(step), min(int(end), int(step) + 8), pitch, 0.95))
    return notes


def _drums(groove: Groove, clock: _Clock) -> dict[str, list[tuple[float, float]]]:
    loudness = {"X": 1.0, "x": 0.75, "o": 0.55 * (clock.energy > 0.4), "g": 0.35 * (clock.energy > 0.65)}
    hits: dict[str, list[tuple[float, float]]] = {}
    for drum, pattern in groove.drums.items():
        for step in range(clock.steps):
            velocity = loudness.get(pattern[step % clock.steps_per_bar], 0.0)
            if velocity and clock.rng.random() > 0.02:  # players miss a hit now and then
                start_s = max(0.0, clock.grid_s[step] + clock.rng.normal(0.0, 0.003))
                hits.setdefault(drum, []).append((start_s, velocity * clock.rng.uniform(0.85, 1.0)))
    return hits
