"""Render pieces with the program fluidsynth, one process per file, so that a crash loses one file only."""

import shutil
import subprocess
import tempfile
from pathlib import Path

import mido
import numpy as np

from musicrec.audio.decode import decode
from musicrec.data.midi.parse import Piece
from musicrec.errors import AudioError, ConfigError, MidiError

TAIL_S = 1.0  # rendered after the last note, which rings on
_RENDER_RATE = 44_100  # Hz, the rate of the samples in sound fonts; at 16 kHz the synthesiser would alias
_GAIN = 0.1  # the output is floating point, so nothing clips before its level is set
_PEAK_DB = -1.0
_SILENCE = 1e-5  # of full scale, before the level is set
_FADE_S = 0.05
_ALL_SOUND_OFF = 120  # number of the MIDI controller
_TICKS_PER_S = 1920  # of the file that FluidSynth gets: 960 per quarter note at 120 BPM


def find_fluidsynth() -> str:
    """Return the path of the program fluidsynth.

    Raises:
        ConfigError: If it is not installed; the message says how to install it.
    """
    program = shutil.which("fluidsynth")
    if program is None:
        raise ConfigError(
            "the program fluidsynth is not on the PATH; install it (Debian and Ubuntu: apt install fluidsynth)"
        )
    return program


def check_sound_font(path: Path, *, option: str = "--sound-font") -> None:
    """Check that a file is a sound font, as FluidSynth would render silence without one.

    Args:
        path: The file.
        option: The option that named it, for messages.

    Raises:
        ConfigError: If the file cannot be read or is not a sound font.
    """
    try:
        with open(path, "rb") as file:
            head = file.read(12)
    except OSError as error:
        raise ConfigError(f"{option} {path}: cannot be read: {error.strerror}") from None
    if head[:4] != b"RIFF" or head[8:] != b"sfbk":
        raise ConfigError(f"{option} {path}: is not a sound font (.sf2 or .sf3)")


def render(
    piece: Piece, *, program: str, sound_font: Path, scratch: Path, duration_s: float, sample_rate: int
) -> np.ndarray:
    """Render a piece.

    Args:
        piece: The piece.
        program: Path of fluidsynth.
        sound_font: The sound font.
        scratch: Folder for temporary files.
        duration_s: Seconds to render at most.
        sample_rate: The sample rate of the audio, in Hz.

    Returns:
        The audio as (samples,) float32, mono, with a peak of -1 dB.

    Raises:
        MidiError: If FluidSynth fails, takes too long or renders silence. The message does not name the file.
    """
    duration_s = min(duration_s, piece.duration_s + TAIL_S)
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        score, sound = Path(folder, "score.mid"), Path(folder, "sound.wav")
        _write_score(piece, score, duration_s)
        options = ["-n", "-i", "-q", "-r", str(_RENDER_RATE), "-g", str(_GAIN), "-T", "wav", "-O", "float"]
        try:
            finished = subprocess.run(
                [program, *options, "-F", str(sound), str(sound_font), str(score)],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=60 + 10 * duration_s,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise MidiError(f"FluidSynth did not finish within {error.timeout:.0f} s") from None
        try:
            waveform = decode(sound, sample_rate=sample_rate, duration_s=duration_s)
        except AudioError:
            lines = finished.stderr.decode(errors="replace").strip().splitlines()
            reason = f"status {finished.returncode}: {' '.join(lines[-1:])}"
            raise MidiError(f"FluidSynth wrote no sound ({reason})") from None
    peak = np.abs(waveform).max()
    if peak < _SILENCE:
        raise MidiError(f"silent: {sound_font.name} has no sound for its instruments, or their volume is zero")
    waveform *= 10 ** (_PEAK_DB / 20) / peak
    fade = min(len(waveform), round(_FADE_S * sample_rate))
    waveform[len(waveform) - fade :] *= np.linspace(1.0, 0.0, fade, dtype=np.float32)
    return waveform


def _write_score(piece: Piece, path: Path, duration_s: float) -> None:
    """Write the events as a MIDI file with one track and one tempo, so that FluidSynth never gets a damaged file.

    All sound is switched off at the end, because FluidSynth renders for as long as anything sounds, and a note without
    an end would sound forever.
    """
    track, at = mido.MidiTrack(), 0
    silence = [mido.Message("control_change", channel=channel, control=_ALL_SOUND_OFF) for channel in range(16)]
    for time_s, message in [*piece.events, *((duration_s, message) for message in silence)]:
        tick = max(at, round(time_s * _TICKS_PER_S))
        track.append(message.copy(time=tick - at, skip_checks=True))
        at = tick
    mido.MidiFile(type=0, ticks_per_beat=_TICKS_PER_S // 2, tracks=[track]).save(path)
