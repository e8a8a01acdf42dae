"""Render one clip of a corpus: its score, its sound and its labels."""

import random
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import mido
import numpy as np

from musicrec.data.midi.fluidsynth import render
from musicrec.data.midi.midi_labels import instruments_of
from musicrec.data.midi.parse import Piece, read_midi
from musicrec.data.midi.render_journal import RenderJournal
from musicrec.data.midi.workplace import write_audio
from musicrec.data.rendering.arrange import Arrangement, arrange
from musicrec.data.rendering.composer import compose
from musicrec.data.rendering.plan import Clip
from musicrec.data.rendering.styles import grooves_of
from musicrec.errors import MidiError
from musicrec.heads.beat_times import steady_beats

LATEST_START_S = 6.0  # of the music that precedes a clip
MINOR = 1 / 3  # share of the arrangements
LOUDNESS_DB = (-26.0, -10.0)  # mean power of the clips; the loudest are limited as much as masters of pop music
_LINEAR = 0.6  # of full scale: above it, the limiter bends the waveform
_LEAST_MUSIC = 0.5  # share of a clip before the last note ends


@dataclass(frozen=True, kw_only=True)
class ClipRenderer:
    """Renders clips. The same clip gives the same samples.

    Attributes:
        mma: Path of mma.
        fluidsynth: Path of fluidsynth.
        out: Folder of the corpus.
        scratch: Folder for temporary files.
        journal: Journal of the clips that are rendered already.
        duration_s: Seconds of each clip.
        sample_rate: The sample rate of the audio, in Hz.
    """

    mma: str
    fluidsynth: str
    out: Path
    scratch: Path
    journal: RenderJournal
    duration_s: float
    sample_rate: int

    def __call__(self, clip: Clip) -> dict | str:
        """Return the row of the manifest for a clip, or the reason why there is none."""
        name, font = f"audio/{clip.track_id}.flac", clip.sound_font.stat()
        key = f"{sorted(asdict(clip).items())} {font.st_size} {font.st_mtime_ns}"
        earlier_key, record = self.journal.rendered.get(name, (None, None))
        if earlier_key != key or not (self.out / name).is_file():
            try:
                record = self._render(clip, self.out / name)
            except MidiError as error:
                return str(error)
            self.journal.append(name, key, record)
        return {
            "track_id": clip.track_id,
            "path": str(self.out / name),
            "split": clip.split,
            **record,
            "artist": clip.style,
            "title": clip.title,
            "sound_font": clip.sound_font.stem,
            "duration_s": self.duration_s,
        }

    def _render(self, clip: Clip, path: Path) -> dict:
        """Write the audio of a clip, and return its labels."""
        rng = random.Random(clip.seed)
        start_s, loudness_db, seed = rng.uniform(0, LATEST_START_S), rng.uniform(*LOUDNESS_DB), rng.randrange(2**31)
        end_s = start_s + self.duration_s
        midi, labels = self._score(clip, seed, end_s)
        piece = self._read(midi, clip.track_id, end_s)
        waveform = render(
            piece,
            program=self.fluidsynth,
            sound_font=clip.sound_font,
            scratch=self.scratch,
            duration_s=end_s,
            sample_rate=self.sample_rate,
        )
        samples = round(self.duration_s * self.sample_rate)
        waveform = waveform[round(start_s * self.sample_rate) :][:samples]
        if len(waveform) < _LEAST_MUSIC * samples:
            raise MidiError(f"the piece ends after {piece.duration_s:.1f} s; {end_s:.1f} s are needed")
        waveform = np.pad(set_loudness(waveform, loudness_db), (0, samples - len(waveform)))
        write_audio(path, waveform, self.sample_rate)
        names = ("bpm", "key", "mode", "time_signature")
        return {
            "genre": labels.get("genre"),
            "instruments": _heard(piece, start_s),
            **{name: labels.get(name) for name in names},
            "beats": beats_of(labels, before_s=piece.lead_s + start_s, duration_s=self.duration_s),
        }

    def _score(self, clip: Clip, seed: int, end_s: float) -> tuple[mido.MidiFile, dict]:
        """Return the piece that a clip is cut from, and its labels."""
        if clip.style is None:
            composition = compose(seed)
            return composition.midi, composition.labels
        arrangement = self._arrange(clip, random.Random(seed), end_s)
        return arrangement.midi, arrangement.labels

    def _arrange(self, clip: Clip, rng: random.Random, end_s: float) -> Arrangement:
        """Arrange in the first groove of the style, in random order, that has a metre for it."""
        grooves = grooves_of(clip.style)
        rng.shuffle(grooves)
        bpm, tonic, mode = rng.randint(*clip.tempo), rng.randrange(12), "minor" if rng.random() < MINOR else "major"
        seed, reasons = rng.randrange(2**31), []
        for groove in grooves:
            try:
                return arrange(
                    program=self.mma,
                    genre=clip.genre,
                    groove=groove,
                    bpm=bpm,
                    tonic=tonic,
                    mode=mode,
                    seed=seed,
                    duration_s=end_s,
                    scratch=self.scratch,
                )
            except MidiError as error:
                reasons.append(f"{groove}: {error}")
        raise MidiError("; ".join(reasons))

    def _read(self, midi: mido.MidiFile, name: str, end_s: float) -> Piece:
        path = self.scratch / f"{name}.mid"
        try:
            midi.save(path)
            return read_midi(path, duration_s=end_s)
        finally:
            path.unlink(missing_ok=True)


def set_loudness(waveform: np.ndarray, loudness_db: float) -> np.ndarray:
    """Amplify a waveform to a mean power, and limit its peaks softly.

    Args:
        waveform: (samples,) float32.
        loudness_db: Mean power relative to full scale, before peaks are limited.

    Returns:
        (samples,) float32 in (-1, 1).
    """
    power = float(np.mean(np.square(waveform, dtype=np.float64)))
    louder = waveform * np.float32(10 ** (loudness_db / 20) / max(power, 1e-12) ** 0.5)
    size, room = np.abs(louder), 1 - _LINEAR
    limited = _LINEAR + room * np.tanh((size - _LINEAR) / room)
    return np.where(size > _LINEAR, np.sign(louder) * limited, louder).astype(np.float32)


def beats_of(labels: dict, *, before_s: float, duration_s: float) -> str | None:
    """Return the beats of a clip as `musicrec.heads.beat_times` writes them; None if its tempo or metre is not known.

    Args:
        labels: `bpm` and `time_signature` (beats per bar) of the piece.
        before_s: Seconds of the piece before the clip.
        duration_s: Seconds of the clip.
    """
    bpm, metre = labels.get("bpm"), labels.get("time_signature")
    if not bpm or not metre:
        return None
    return steady_beats(bpm=bpm, beats_per_bar=metre, before_s=before_s, duration_s=duration_s)


def _heard(piece: Piece, start_s: float) -> list[str]:
    """Return the instruments that sound after a time."""
    notes = [replace(note, start_s=max(note.start_s, start_s)) for note in piece.notes if note.end_s > start_s]
    return instruments_of(replace(piece, notes=notes))
