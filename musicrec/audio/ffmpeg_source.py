"""Audio files that the program ffmpeg decodes, in a process of its own.

The program may open nothing but the file: only formats whose files stand for themselves are allowed, no playlists and
no descriptions that name other files or addresses.
"""

import os
import re
import select
import shutil
import signal
import struct
import subprocess
import time
from collections.abc import Iterator

import numpy as np

from musicrec.audio.audio_source import BLOCK_FRAMES, DecoderError, check_sample_rate, is_short
from musicrec.audio.channels import WAVE_ORDER, speakers_of_mask
from musicrec.errors import AudioError

_FORMATS = (
    "aac,ac3,aiff,amr,amrnb,amrwb,ape,asf,au,avi,caf,dsf,dts,dtshd,eac3,flac,flv,iff,loas,matroska,mov,mp3,mpc,mpc8,"
    "mpeg,mpegts,ogg,oma,rm,shn,tak,truehd,tta,w64,wav,wv,xwma"
)
_STALLED_S = 30.0  # without a byte from the program
_MOST_LOGGED = 1 << 16  # bytes of its messages that are kept: the first half, and the last
_PIPE_BYTES = 1 << 16
_ROUNDED_S = 0.1  # between a stated length and the audio
_MOST_BYTES = 1 << 28  # of one piece of memory; a packed header may ask for gigabytes
_ERROR = re.compile(r"^(?:\[[^]]*@[^]]*\] )*\[(?:error|fatal)\] (?:\[[^]]*\] ?)*(.*)", re.MULTILINE)
_SAYS_LITTLE = (  # of the causes, which ffmpeg reports before these
    "file:", "Conversion failed", "Error opening", "Format not on whitelist", "Nothing was written", "Task finished",
    "Terminating thread", "error reading header",
)  # fmt: skip
_DURATION = re.compile(r"^\[info\]   Duration: (\d+):(\d+):(\d+\.\d+)", re.MULTILINE)
_STREAM = re.compile(r"^\[info\] +Stream #0:\d+.*?: (\w+): (.*)", re.MULTILINE)
_PROTECTED = ("drms", "aavd", "enca")  # names of streams in MP4 files of iTunes and Audible
_CUT_OFF = ("Error during demuxing", "partial file")


def ffmpeg_program() -> str | None:
    """Return the program on the PATH, else that of the package imageio-ffmpeg, else None."""
    if found := shutil.which("ffmpeg"):
        return found
    try:
        import imageio_ffmpeg  # here, as most files need no ffmpeg

        return imageio_ffmpeg.get_ffmpeg_exe()
    except (ImportError, RuntimeError):
        return None


def input_options(path: str | os.PathLike) -> list[str]:
    """Return the options of ffmpeg that let it read the sound of one file and open nothing else."""
    options = ["-max_alloc", str(_MOST_BYTES), "-protocol_whitelist", "file", "-format_whitelist", _FORMATS]
    return [*options, "-threads", "1", "-vn", "-sn", "-dn", "-i", f"file:{os.fspath(path)}"]


class FfmpegSource:
    """An audio file that ffmpeg reads. See `musicrec.audio.audio_source.AudioSource`.

    Args:
        path: The audio file.
        program: The program ffmpeg.
        promised_s: The length of the audio in seconds, if it is known. Otherwise, what the file states is taken.

    Raises:
        DecoderError: ffmpeg cannot read the file.
        AudioError: The file holds no audio, or the program cannot be started.
    """

    frames: int | None = None
    speakers: tuple[str, ...] | None = None

    def __init__(self, path: str | os.PathLike, program: str, *, promised_s: float | None = None) -> None:
        self._path, self._promised_s = path, promised_s
        self._first_log, self._last_log = b"", b""
        options = ["-hide_banner", "-nostdin", "-nostats", "-loglevel", "level+info"]
        output = ["-map", "0:a:0", "-map_metadata", "-1", "-c:a", "pcm_f32le", "-fflags", "+bitexact", "-f", "wav"]
        # ffmpeg inherits that Ctrl-C is blocked. Otherwise it would end, and the file would seem to be cut off.
        unblocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self._process = subprocess.Popen(
                [program, *options, *input_options(path), *output, "pipe:1"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
            )
        except OSError as error:
            why = f"{program} cannot be started ({error.strerror})"
            signal.pthread_sigmask(signal.SIG_SETMASK, unblocked)
            raise AudioError(f"{path}: needs ffmpeg, but {why}; put a working ffmpeg on the PATH") from None
        try:
            signal.pthread_sigmask(signal.SIG_SETMASK, unblocked)  # a Ctrl-C meanwhile is raised here
            assert self._process.stdout is not None and self._process.stderr is not None
            self._out, self._err = self._process.stdout.fileno(), self._process.stderr.fileno()
            self._poll = select.poll()
            self._poll.register(self._out, select.POLLIN)
            self._poll.register(self._err, select.POLLIN)
            self._open = {self._out, self._err}
            self._read_header()
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self) -> "FfmpegSource":
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()

    def blocks(self, start: int, stop: int | None) -> Iterator[np.ndarray]:
        """Yield the frames start..stop in blocks of (frames, channels) float32; earlier ones are decoded and dropped.

        Raises:
            AudioError: ffmpeg fails, or the file is cut off.
        """
        at, frame_bytes = 0, 4 * self._channels
        while stop is None or at < stop:
            wanted = BLOCK_FRAMES if stop is None else min(BLOCK_FRAMES, stop - at)
            data = self._read(wanted * frame_bytes)
            frames = len(data) // frame_bytes
            block = np.frombuffer(data, "<f4", frames * self._channels).reshape(frames, self._channels)
            if at + frames > start:
                yield block[max(0, start - at) :]
            at += frames
            if frames < wanted:
                self._check_end(at / self.sample_rate)
                return

    def _check_end(self, decoded_s: float) -> None:
        status = self._finish()
        promised_s = self._stated_s() if self._promised_s is None else self._promised_s
        if promised_s is not None and is_short(decoded_s, promised_s):
            there = f"{decoded_s:.1f} s of the {promised_s:.1f} s that its header promises"
            raise AudioError(f"{self._path}: damaged or cut off: {there}")
        # What follows the stated end is no audio: ffmpeg reports an error for a tag behind a WavPack.
        complete = promised_s is not None and decoded_s > promised_s - _ROUNDED_S
        if status or (not complete and any(sign in self._log() for sign in _CUT_OFF)):
            raise AudioError(f"{self._path}: damaged or cut off ({self._failure()})")

    def _read_header(self) -> None:
        """Read the header of the WAV that ffmpeg writes."""
        chunk = self._read(12)
        while len(chunk) >= 8:
            chunk = self._read(8)
            if chunk[:4] == b"data":
                self._refuse_protected()
                return
            fields = self._read(int.from_bytes(chunk[4:], "little"))
            if chunk[:4] == b"fmt " and len(fields) >= 16:
                _, self._channels, self.sample_rate = struct.unpack_from("<HHI", fields)
                check_sample_rate(self._path, self.sample_rate)
                named = speakers_of_mask(int.from_bytes(fields[20:24], "little"), self._channels)
                self.speakers = named or (WAVE_ORDER[self._channels] if self._channels in (6, 8) else None)
        self._finish()
        streams = _STREAM.findall(self._log())
        if "matches no streams" in self._log() and streams:
            kinds = ", ".join(sorted({kind.lower() for kind, _ in streams}))
            raise AudioError(f"{self._path}: holds no audio, only {kinds}")
        raise DecoderError(self._failure(), recognised=bool(streams))

    def _refuse_protected(self) -> None:
        """Raise AudioError if the audio is encrypted: ffmpeg would decode it as noise."""
        for file, _ in self._poll.poll(0):  # ffmpeg describes its input before it writes anything
            if file == self._err:
                self._keep(os.read(file, _PIPE_BYTES))
        streams = _STREAM.findall(self._log().partition("Stream mapping:")[0])
        audio = next((more for kind, more in streams if kind == "Audio"), "")
        if any(f"({code} /" in audio for code in _PROTECTED):
            raise AudioError(f"{self._path}: copy-protected, only the shop's own program can play it")

    def _read(self, size: int) -> bytes:
        """Return this many bytes of the program's output, or fewer at its end; keep what it logs meanwhile."""
        parts, missing = [], size
        while missing and self._out in self._open:
            for file in self._ready():
                data = os.read(file, min(missing, _PIPE_BYTES) if file == self._out else _PIPE_BYTES)
                if not data:
                    self._poll.unregister(file)
                    self._open.discard(file)
                elif file == self._out:
                    parts.append(data)
                    missing -= len(data)
                else:
                    self._keep(data)
                if not missing:
                    break
        return b"".join(parts)

    def _ready(self) -> list[int]:
        ready = self._poll.poll(1000 * _STALLED_S)
        if not ready:
            raise AudioError(f"{self._path}: ffmpeg does not finish reading it: nothing for {_STALLED_S:.0f} s")
        return [file for file, _ in ready]

    def _keep(self, logged: bytes) -> None:
        room = _MOST_LOGGED // 2 - len(self._first_log)
        self._first_log += logged[:room]
        self._last_log = (self._last_log + logged[room:])[-_MOST_LOGGED // 2 :]

    def _finish(self) -> int:
        """Read what is left of the program's messages and return its exit status."""
        until = time.monotonic() + _STALLED_S
        while self._err in self._open and time.monotonic() < until:
            for file in self._ready():
                data = os.read(file, _PIPE_BYTES)
                if not data:
                    self._poll.unregister(file)
                    self._open.discard(file)
                elif file == self._err:
                    self._keep(data)
        try:
            return self._process.wait(_STALLED_S)
        except subprocess.TimeoutExpired:
            raise AudioError(f"{self._path}: ffmpeg does not finish reading it") from None

    def _log(self) -> str:
        return (self._first_log + self._last_log).decode(errors="replace")

    def _failure(self) -> str:
        errors = [text.strip() for text in _ERROR.findall(self._log()) if text.strip()]
        errors = [text for text in errors if not text.startswith(_SAYS_LITTLE)] or errors
        return errors[-1] if errors else f"ffmpeg ended with {self._process.returncode}"

    def _stated_s(self) -> float | None:
        """Return the length that the file states for its audio; None if it is an estimate, or may be of a video."""
        log = self._log()
        duration = _DURATION.search(log)
        streams = _STREAM.findall(log.partition("Stream mapping:")[0])
        only_audio = all(kind == "Audio" or "attached pic" in more for kind, more in streams)
        if not duration or not only_audio or "Estimating duration" in log:
            return None
        hours, minutes, seconds = duration.groups()
        return 3600 * int(hours) + 60 * int(minutes) + float(seconds)
