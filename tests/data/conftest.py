"""MIDI files, and a replacement of FluidSynth for tests that need any sound."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile

SOUND_FONT = Path(os.environ.get("MUSICREC_SOUND_FONT", "/usr/share/sounds/sf2/default-GM.sf2"))


@pytest.fixture(scope="session")
def write_midi() -> Callable[..., Path]:
    """Return write_midi(path, *tracks, header=[…]). A track is a list of messages; the header is a first track."""

    def write(path: Path, *tracks: list, header: list = (), ticks_per_beat: int = 480) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = mido.MidiFile(ticks_per_beat=ticks_per_beat)
        file.tracks.extend(mido.MidiTrack(track) for track in (list(header), *tracks))
        file.save(path)
        return path

    return write


@pytest.fixture(scope="session")
def tones() -> Callable[..., list]:
    """Return tones([60, 62], channel=0, program=0, ticks=480), which returns a track of notes in sequence."""

    def make(pitches: list[int], *, channel: int = 0, program: int = 0, ticks: int = 480, velocity: int = 90) -> list:
        track = [mido.Message("program_change", channel=channel, program=program)]
        for pitch in pitches:
            track.append(mido.Message("note_on", channel=channel, note=pitch, velocity=velocity))
            track.append(mido.Message("note_off", channel=channel, note=pitch, time=ticks))
        return track

    return make


@pytest.fixture
def fake_fluidsynth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install a program named fluidsynth that always writes the same tone of 100 s.

    Returns:
        The file to which it appends a line per call.
    """
    bin_folder, calls = tmp_path / "bin", tmp_path / "calls.txt"
    bin_folder.mkdir()
    tone = 0.05 * np.sin(2 * np.pi * 440 * np.arange(800_000) / 8000)
    soundfile.write(bin_folder / "tone.wav", tone.astype(np.float32), 8000, subtype="FLOAT")
    script = bin_folder / "fluidsynth"
    script.write_text(
        f'#!/bin/sh\necho "$*" >> "{calls}"\n'
        'while [ "$1" != -F ]; do shift; done\n'
        f'case "$3" in *empty*) exit 1;; esac\ncp "{bin_folder}/tone.wav" "$2"\n'
    )
    script.chmod(0o755)
    calls.touch()
    monkeypatch.setenv("PATH", f"{bin_folder}{os.pathsep}{os.environ['PATH']}")
    return calls


@pytest.fixture
def sound_font(tmp_path: Path) -> Path:
    """A file with the first bytes of a sound font, for the replacement."""
    path = tmp_path / "font.sf2"
    path.write_bytes(b"RIFF\x04\x00\x00\x00sfbk")
    return path


@pytest.fixture(scope="session")
def general_midi() -> Path:
    """A real sound font; skips the test if it or FluidSynth is not installed."""
    if shutil.which("fluidsynth") is None or not SOUND_FONT.is_file():
        pytest.skip(f"no fluidsynth on the PATH, or no {SOUND_FONT}; set MUSICREC_SOUND_FONT to run this test")
    return SOUND_FONT
