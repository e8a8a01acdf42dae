"""The synthesiser: the program fluidsynth, a process for each file, so that one that breaks it breaks no other."""

import shutil
import subprocess
import tempfile
from pathlib import Path

import mido
import numpy as np

from musicrec.audio.decode import decode
from musicrec.data.midi.parse import Piece
from musicrec.errors import AudioError, ConfigError, MidiError

TAIL_S = 1.0  # the last notes of a piece ring on
_RENDER_RATE = 44_100  # of the samples in sound fonts; at 16 kHz the synthesiser would alias
_GAIN = 0.1  # in float, so that neither this nor anything louder clips before the level is set
_PEAK_DB = -1.0
_SILENCE = 1e-5  # of full scale, before the level is set
_FADE_S = 0.05
_ALL_SOUND_OFF = 120  # the controller
_TICKS_PER_S = 1920  # of the file that is rendered: 960 a quarter note at 120 a minute


def find_fluidsynth() -> str:
    """The program's path. Raises ConfigError, with what to install, where there is none."""
    program = shutil.which("fluidsynth")
    if program is None:
        raise ConfigError("no program fluidsynth on the PATH; install it, on Debian and Ubuntu: apt install fluidsynth")
    return program


def check_sound_font(path: Path) -> None:
    """Raises ConfigError where a file is no sound font: FluidSynth itself would render silence."""
    try:
        with open(path, "rb") as file:
            head = file.read(12)
    except OSError as error:
        raise ConfigError(f"--sound-font {path}: cannot be read: {error.strerror}") from None
    if head[:4] != b"RIFF" or head[8:] != b"sfbk":
        raise ConfigError(f"--sound-font {path}: is no sound font (.sf2 or .sf3)")


def render(
    piece: Piece, *, program: str, sound_font: Path, scratch: Path, duration_s: float, sample_rate: int
) -> np.ndarray:
    """The sound of a piece, at most `duration_s` of it: (samples,) float32 mono, its peak at -1 dB.

    scratch: a folder for files that are deleted again.

    Raises:
        MidiError: FluidSynth fails, takes too long or is silent; the message says which and does not name the file.
    """
    duration_s = min(duration_s, piece.duration_s + TAIL_S)
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        score, sound = Path(folder, "score.mid"), Path(folder, "sound.wav")
        _write_score(piece, score, duration_s)
        options = ["-n", "-i", "-q", "-r", str(_RENDER_RATE), "-g", str(_GAIN), "-T", "wav", "-O", "float"]
        try:
            done = subprocess.run(
                [program, *options, "-F", str(sound), str(sound_font), str(score)],
                stdin=subprocess.DEVNULL, capture_output=True, timeout=60 + 10 * duration_s, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise MidiError(f"FluidSynth did not end within {error.timeout:.0f} s") from None
        try:
            waveform = decode(sound, sample_rate=sample_rate, duration_s=duration_s)
        except AudioError:
            said = done.stderr.decode(errors="replace").strip().splitlines()
            raise MidiError(f"FluidSynth wrote no sound (status {done.returncode}: {' '.join(said[-1:])})") from None
    peak = np.abs(waveform).max()
    if peak < _SILENCE:
        raise MidiError(f"silent: {sound_font.name} has no sound for its instruments, or their volume is zero")
    waveform *= 10 ** (_PEAK_DB / 20) / peak
    fade = min(len(waveform), round(_FADE_S * sample_rate))
    waveform[len(waveform) - fade :] *= np.linspace(1.0, 0.0, fade, dtype=np.float32)
    return waveform


def _write_score(piece: Piece, path: Path, duration_s: float) -> None:
    """The events as a file of one track and one tempo: whatever came in, FluidSynth is given what mido wrote.

    It ends in silence, since FluidSynth goes on for as long as anything sounds: a note that is cut before its end would
    sound for ever.
    """
    track, at = mido.MidiTrack(), 0
    silence = [mido.Message("control_change", channel=channel, control=_ALL_SOUND_OFF) for channel in range(16)]
    for time_s, message in [*piece.events, *((duration_s, message) for message in silence)]:
        tick = max(at, round(time_s * _TICKS_PER_S))
        track.append(message.copy(time=tick - at, skip_checks=True))
        at = tick
    mido.MidiFile(type=0, ticks_per_beat=_TICKS_PER_S // 2, tracks=[track]).save(path)
