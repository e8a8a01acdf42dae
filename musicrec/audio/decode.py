"""Decode audio files to mono float32 at one sample rate. No other module opens an audio file.

libsndfile reads WAV, FLAC, OGG, MP3 and AIFF. Other formats (M4A) are decoded by the program `ffmpeg`, if it is on the
PATH. Files are decoded and resampled in blocks, so memory holds the result and a few seconds of audio.

A file that holds less audio than its header states is refused as cut off. This works for MP3, WAV, AIFF, AU, W64 and
FLAC. An OGG file (Vorbis, Opus) does not state its length, so a cut-off file looks like a shorter track. The same holds
for a WAV that was written to a pipe and states the largest possible length.
"""

import math
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator

import numpy as np
import soundfile
import soxr

from musicrec.audio.mp3_length import mp3_promise
from musicrec.errors import AudioError

AUDIO_SUFFIXES = frozenset(
    {".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc", ".au", ".m4a", ".mp4", ".aac"}
)
_BLOCK_FRAMES = 1 << 17
_MARGIN_S = 0.05  # longer than the resampling filter, so that a span equals the same span of the whole file
_LEAST_SHARE = 0.95  # of the stated length; encoder delays and junk between frames take less than the rest
_UNSTATED_BYTES = 0x7FFF0000  # programs that write to a pipe state a length from here to 0xFFFFFFFF, or 0
# In libsndfile's log: the bytes of samples that a header states, and those found (of the whole file for W64 and RF64).
_SHORT_OF = re.compile(r"^ *(?:data|SSND|Data Size|riff|Riff size)\s*: (\d+) \(should be (\d+)\)", re.MULTILINE)
_UNKNOWN_FRAMES = 1 << 48  # libsndfile answers more than this if a stream does not state its length


def decode(
    path: str | os.PathLike, *, sample_rate: int = 16_000, offset_s: float = 0.0, duration_s: float | None = None
) -> np.ndarray:
    """Decode a file, or a span of it, to mono.

    The result is the mean of the channels, resampled by soxr (HQ).

    Args:
        path: The audio file.
        sample_rate: Sample rate of the result in Hz.
        offset_s: Start of the span in seconds. It must lie before the end of the audio.
        duration_s: Length of the span in seconds; None reads to the end. If the audio ends earlier, the result is
            shorter.

    Returns:
        The waveform, (samples,) float32 in [-1, 1].

    Raises:
        AudioError: The file is missing, empty, not audio, cut off, has no sample in the span, or holds NaN or infinity.
            The message names the file.
        ValueError: The offset is negative, or the duration is not positive.
    """
    if offset_s < 0 or (duration_s is not None and duration_s <= 0):
        raise ValueError(f"offset_s={offset_s} must not be negative and duration_s={duration_s} must be positive")
    with _opened(path) as source:
        # Decoding starts a little before the span, at a frame that coincides with a sample of the result.
        common = math.gcd(source.sample_rate, sample_rate)
        unit_frames, unit_samples = source.sample_rate // common, sample_rate // common
        first = round(offset_s * sample_rate)
        start_unit = max(0, first // unit_samples - math.ceil(_MARGIN_S * sample_rate / unit_samples))
        skip = first - start_unit * unit_samples
        samples = stop = None
        if duration_s is not None:
            samples = max(1, round(duration_s * sample_rate))
            stop = math.ceil((first + samples) * source.sample_rate / sample_rate + _MARGIN_S * source.sample_rate)
        blocks = source.blocks(start_unit * unit_frames, stop)
        waveform = _resampled(_mono(blocks, path), source.sample_rate, sample_rate)
        waveform = waveform[skip:] if samples is None else waveform[skip : skip + samples]
    if not len(waveform):
        raise AudioError(f"{path}: no audio{f' after {offset_s:g} s' if offset_s else ' in it, 0 samples'}")
    return np.clip(waveform, -1.0, 1.0, out=waveform)


def duration_of(path: str | os.PathLike) -> float:
    """Return the length of the audio in seconds.

    The file is decoded only if it does not state its length.

    Args:
        path: The audio file.

    Returns:
        The length in seconds.

    Raises:
        AudioError: As in `decode`.
    """
    with _opened(path) as source:
        frames = source.frames
        if frames is None:
            frames = sum(len(block) for block in source.blocks(0, None))
    if not frames:
        raise AudioError(f"{path}: no audio in it, 0 samples")
    return frames / source.sample_rate


def _opened(path: str | os.PathLike) -> "_Sndfile | _Ffmpeg":
    try:
        if os.path.isdir(path):
            raise AudioError(f"{path}: is a folder, not an audio file")
        with open(path, "rb") as file:
            if not file.read(1):
                raise AudioError(f"{path}: is empty (0 bytes)")
    except OSError as error:
        raise AudioError(f"{path}: cannot be opened: {error.strerror}") from None
    try:
        return _Sndfile(path)
    except (soundfile.LibsndfileError, TypeError) as error:  # TypeError: the suffix of a format without a header
        ffmpeg = shutil.which("ffmpeg")
        if ffmpeg is None:
            raise AudioError(
                f"{path}: not audio that libsndfile can decode ({_reason(error)}); for M4A put ffmpeg on the PATH"
            ) from None
        return _Ffmpeg(path, ffmpeg)


class _Sndfile:
    """An audio file that libsndfile reads. `frames` is its length, or None if only decoding can tell."""

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = path
        promise = mp3_promise(path) if os.fspath(path).lower().endswith(".mp3") else None
        if promise and promise.share < _LEAST_SHARE:
            raise _cut_off(path, promise.duration_s * promise.share, promise.duration_s)
        self.file = soundfile.SoundFile(path)
        self.sample_rate = self.file.samplerate
        self.frames: int | None = self.file.frames
        if self.frames > _UNKNOWN_FRAMES or (self.file.format == "MP3" and not (promise and promise.heeded)):
            self.frames = None
        stated = _SHORT_OF.search(self.file.extra_info)
        if stated and self.frames and int(stated[2]) < int(stated[1]) < _UNSTATED_BYTES:
            there_s = self.frames / self.sample_rate
            stated_s = there_s * int(stated[1]) / int(stated[2])
            if there_s < stated_s * _LEAST_SHARE - 0.1:
                self.file.close()
                raise _cut_off(path, there_s, stated_s)
        self.promised_s = promise.duration_s if promise else (self.frames or 0) / self.sample_rate

    def __enter__(self) -> "_Sndfile":
        return self

    def __exit__(self, *exception: object) -> None:
        self.file.close()

    def blocks(self, start: int, stop: int | None) -> Iterator[np.ndarray]:
        """Yield frames start..stop as (frames, channels) float32; without stop all, and check the stated length."""
        try:
            if start and (self.frames is None or start < self.frames):
                start = self.file.seek(start)
            elif start:
                return
            at = start
            while stop is None or at < stop:
                wanted = _BLOCK_FRAMES if stop is None else min(_BLOCK_FRAMES, stop - at)
                block = self.file.read(wanted, dtype="float32", always_2d=True)
                at += len(block)
                if len(block):
                    yield block
                if len(block) < wanted:
                    break
            else:
                return
        except (soundfile.LibsndfileError, RuntimeError) as error:
            raise AudioError(f"{self.path}: damaged or cut off ({_reason(error)})") from None
        if stop is None and at / self.sample_rate < self.promised_s * _LEAST_SHARE - 0.1:
            raise _cut_off(self.path, at / self.sample_rate, self.promised_s)


class _Ffmpeg:
    """An audio file that the program ffmpeg decodes, as AU: a short header, then big-endian float32."""

    frames: int | None = None

    def __init__(self, path: str | os.PathLike, ffmpeg: str) -> None:
        self.path = path
        self.messages = tempfile.TemporaryFile()  # noqa: SIM115  closed with the process; a pipe could fill and block
        options = ["-nostdin", "-v", "error", "-protocol_whitelist", "file,pipe"]
        output = ["-map", "0:a:0", "-map_metadata", "-1", "-c:a", "pcm_f32be", "-f", "au", "pipe:1"]
        self.process = subprocess.Popen(
            [ffmpeg, *options, "-i", f"file:{os.fspath(path)}", *output],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self.messages,
        )
        assert self.process.stdout is not None
        self.stdout = self.process.stdout
        header = self.stdout.read(24)
        if len(header) < 24:
            message = self._failure()
            self.__exit__()
            raise AudioError(f"{path}: not audio that libsndfile or ffmpeg can decode ({message})")
        header_bytes, _, _, self.sample_rate, self.channels = np.frombuffer(header, ">u4", offset=4).tolist()
        self.stdout.read(header_bytes - 24)

    def __enter__(self) -> "_Ffmpeg":
        return self

    def __exit__(self, *exception: object) -> None:
        self.process.kill()
        self.stdout.close()
        self.process.wait()
        self.messages.close()

    def blocks(self, start: int, stop: int | None) -> Iterator[np.ndarray]:
        """Yield frames start..stop as (frames, channels) float32; earlier ones are decoded and dropped."""
        at, frame_bytes = 0, 4 * self.channels
        while stop is None or at < stop:
            wanted = _BLOCK_FRAMES if stop is None else min(_BLOCK_FRAMES, stop - at)
            data = self.stdout.read(wanted * frame_bytes)
            frames = len(data) // frame_bytes
            block = np.frombuffer(data, ">f4", frames * self.channels).reshape(frames, self.channels)
            if at + frames > start:
                yield block[max(0, start - at) :].astype(np.float32)
            at += frames
            if frames < wanted:
                if self.process.wait() != 0:
                    raise AudioError(f"{self.path}: damaged or cut off ({self._failure()})")
                return

    def _failure(self) -> str:
        self.process.wait()
        self.messages.seek(0)
        lines = self.messages.read().decode(errors="replace").strip().splitlines()
        # Without "[in#0 @ 0x55f…]", which differs between runs.
        return re.sub(r"\[[^]]*\] ?", "", lines[-1]) if lines else f"ffmpeg ended with {self.process.returncode}"


def _mono(blocks: Iterator[np.ndarray], path: str | os.PathLike) -> Iterator[np.ndarray]:
    for block in blocks:
        mono = block[:, 0] if block.shape[1] == 1 else block.mean(axis=1, dtype=np.float32)
        if not np.isfinite(mono.sum(dtype=np.float64)):  # no finite float32 can overflow the sum
            raise AudioError(f"{path}: holds samples that are NaN or infinite; render it again")
        yield np.ascontiguousarray(mono)


def _resampled(blocks: Iterator[np.ndarray], source_rate: int, sample_rate: int) -> np.ndarray:
    """Join all blocks and resample them to `sample_rate`: (samples,) float32."""
    if source_rate == sample_rate:
        return np.concatenate([np.zeros(0, np.float32), *blocks])
    stream = soxr.ResampleStream(source_rate, sample_rate, 1, dtype="float32", quality="HQ")
    frames, out = 0, []
    for block in blocks:
        frames += len(block)
        out.append(stream.resample_chunk(block))
    out.append(stream.resample_chunk(np.zeros(0, np.float32), last=True))
    return np.concatenate(out)[: round(frames * sample_rate / source_rate)]


def _cut_off(path: str | os.PathLike, decoded_s: float, promised_s: float) -> AudioError:
    return AudioError(f"{path}: cut off: {decoded_s:.1f} s of the {promised_s:.1f} s that its header promises")


def _reason(error: Exception) -> str:
    text = getattr(error, "error_string", None) or str(error)
    if "File does not exist" in text:  # libsndfile says this also of an MP3 without a frame
        return "Format not recognised"
    return text.strip().rstrip(".:") or f"libsndfile error {getattr(error, 'code', '')}"
