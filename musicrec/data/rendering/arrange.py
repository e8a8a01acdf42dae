"""Arrange chords in a style with MMA (Musical MIDI Accompaniment, by Bob van der Poel)."""

import math
import random
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import mido

from musicrec.data.midi.parse import DRUM_CHANNEL
from musicrec.data.rendering.harmony import write_chords
from musicrec.data.rendering.melody import write_melody
from musicrec.errors import ConfigError, MidiError

METRES = (2, 3, 4, 5)  # beats per bar that are arranged
_MELODY = 0.7  # share of the arrangements that have a lead line
_LONGEST_S = 600  # that MMA may take; long, so that a busy computer does not lead to another groove, and other music
_METRE = re.compile(r"^METRE ([\d.]+)", re.MULTILINE)


@dataclass(frozen=True)
class Arrangement:
    """An arranged piece.

    Attributes:
        midi: The piece.
        labels: {genre, bpm, key (pitch class), mode, time_signature (beats per bar): label}
    """

    midi: mido.MidiFile
    labels: dict[str, object]


def find_mma() -> str:
    """Return the path of the program mma.

    Raises:
        ConfigError: If it is not installed; the message says how to install it.
    """
    program = shutil.which("mma")
    if program is None:
        raise ConfigError("the program mma is not on the PATH; install it (Debian and Ubuntu: apt install mma)")
    return program


def arrange(
    *,
    program: str,
    genre: str,
    groove: str,
    bpm: int,
    tonic: int,
    mode: str,
    seed: int,
    duration_s: float,
    scratch: Path,
) -> Arrangement:
    """Arrange a piece.

    Args:
        program: Path of mma.
        genre: The label.
        groove: Groove of MMA.
        bpm: Tempo.
        tonic: Pitch class of the tonic, 0 for C.
        mode: ``"major"`` or ``"minor"``.
        seed: Seed of chords, accompaniment and lead line.
        duration_s: Seconds that the piece must last.
        scratch: Folder for temporary files.

    Returns:
        The arrangement: the same for the same arguments.

    Raises:
        MidiError: If MMA fails, or the groove has a metre that is not in `METRES`.
    """
    rng = random.Random(seed)
    bars = math.ceil(duration_s * bpm / 60 / min(METRES)) + 1
    chords = write_chords(rng, tonic=tonic, mode=mode, bars=bars)
    lines = [f"RndSeed {rng.randrange(2**31)}", f"Tempo {bpm}", f"Groove {groove}", "Print METRE $_Time"]
    lines += [f"{bar} {chord.name}" for bar, chord in enumerate(chords, start=1)]
    midi, beats = _run(program, "\n".join(lines) + "\n", scratch)
    if rng.random() < _MELODY:
        used = {message.channel for track in midi.tracks for message in track if message.type == "note_on"}
        free = [channel for channel in range(16) if channel not in used | {DRUM_CHANNEL}]
        if free:
            midi.tracks.append(
                write_melody(
                    rng,
                    chords,
                    tonic=tonic,
                    mode=mode,
                    beats=beats,
                    ticks_per_beat=midi.ticks_per_beat,
                    channel=free[0],
                )
            )
    labels = {"genre": genre, "bpm": float(bpm), "key": tonic, "mode": mode, "time_signature": beats}
    return Arrangement(midi, labels)


def _run(program: str, text: str, scratch: Path) -> tuple[mido.MidiFile, int]:
    """Return the MIDI file that MMA makes of a text, and the beats per bar."""
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        source, target = Path(folder, "piece.mma"), Path(folder, "piece.mid")
        source.write_text(text, encoding="ascii")
        try:
            done = subprocess.run(
                [program, "-f", str(target), str(source)],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_LONGEST_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise MidiError(f"MMA did not finish within {_LONGEST_S} s") from None
        metre = _METRE.search(done.stdout)
        if done.returncode or metre is None or not target.is_file():
            said = [line for line in f"{done.stdout}\n{done.stderr}".splitlines() if "rror" in line]
            raise MidiError(f"MMA made no arrangement (status {done.returncode}: {' '.join(said)[:200]})")
        beats = float(metre[1])
        if beats not in METRES:
            raise MidiError(f"the groove has {metre[1]} beats per bar; {', '.join(map(str, METRES))} are arranged")
        return mido.MidiFile(target), int(beats)
