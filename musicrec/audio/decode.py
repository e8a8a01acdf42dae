"""Decode audio files to mono float32 at one sample rate. No other module opens an audio file.

libsndfile reads WAV, FLAC, OGG, MP3, AIFF and CAF. The program ffmpeg decodes the other formats, and the files that
libsndfile cannot read to their end: the program on the PATH, else that of the package imageio-ffmpeg. Files are decoded
and resampled in blocks, so memory holds the result and a few seconds of audio.

All the audio in a file is decoded, also where its header states less or a decoder would stop at an estimate. A file
that holds less audio than its header states is refused as cut off. An OGG file (Vorbis, Opus) and a raw AAC file do
not state their length, so a cut-off file looks like a shorter track. The same holds for the audio of a video, and for a
WAV that was written to a pipe and states the largest possible length.
"""

import functools
import math
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
import soxr

from musicrec.audio.asf_header import asf_duration_s
from musicrec.audio.audio_source import AudioSource, DecoderError
from musicrec.audio.channels import MonoMix
from musicrec.audio.ffmpeg_source import FfmpegSource, ffmpeg_program
from musicrec.audio.ogg_links import ogg_links
from musicrec.audio.remark import Remark
from musicrec.audio.sndfile_source import SndfileSource
from musicrec.audio.suffixes import UNDECODABLE_SUFFIXES
from musicrec.errors import AudioError

_MARGIN_S = 0.05  # longer than the resampling filter, so that a span equals the same span of the whole file
_ASF = b"\x30\x26\xb2\x75"
_APPLE_DOUBLE = (b"\x00\x05\x16\x07", b"\x00\x05\x16\x00")  # the second: AppleSingle
_NOT_REGULAR = {
    stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}  # fmt: skip


class Meter(Protocol):
    """Measures something on a recording while it is decoded, at its own sample rate and on all of its channels."""

    def __call__(self, block: np.ndarray) -> None:
        """Take the next block, (frames, channels) float32, which must not be changed."""
        ...


MeterFactory = Callable[[int, Sequence[str] | None], Meter]
"""Makes a meter from the sample rate in Hz and the speaker of each channel (None if the file does not say)."""


@dataclass(frozen=True)
class Decoded:
    """The audio of a file.

    Attributes:
        waveform: (samples,) float32 in [-1, 1], mono.
        remarks: What to know about it, such as that one channel was left out.
        meters: The meters that saw all of it, one per part of the file; empty if it was decoded without a meter.
    """

    waveform: np.ndarray
    remarks: tuple[Remark, ...] = ()
    meters: tuple[Meter, ...] = ()


@dataclass(frozen=True)
class _Span:
    """A span of a file at the sample rate of the result; `duration_s` is None for all that follows."""

    sample_rate: int
    offset_s: float
    duration_s: float | None

    @property
    def first(self) -> int:
        return round(self.offset_s * self.sample_rate)

    @property
    def samples(self) -> int | None:
        return None if self.duration_s is None else max(1, round(self.duration_s * self.sample_rate))


def decode(
    path: str | os.PathLike, *, sample_rate: int = 16_000, offset_s: float = 0.0, duration_s: float | None = None
) -> np.ndarray:
    """Decode a file, or a span of it, to mono, as `decode_track` does.

    Args:
        path: As in `decode_track`.
        sample_rate: As in `decode_track`.
        offset_s: As in `decode_track`.
        duration_s: As in `decode_track`.

    Returns:
        The waveform, (samples,) float32 in [-1, 1].

    Raises:
        AudioError: As in `decode_track`.
        ValueError: As in `decode_track`.
    """
    return decode_track(path, sample_rate=sample_rate, offset_s=offset_s, duration_s=duration_s).waveform


def decode_track(
    path: str | os.PathLike,
    *,
    sample_rate: int = 16_000,
    offset_s: float = 0.0,
    duration_s: float | None = None,
    meter: MeterFactory | None = None,
) -> Decoded:
    """Decode a file, or a span of it, to mono, with remarks.

    Two channels are averaged. If one is the inverse of the other, so that they would cancel each other out, the louder
    one is taken, with a remark; what counts is their correlation over the span. Surround channels are weighted as by
    ITU-R BS.775. soxr (HQ) resamples the result.

    Args:
        path: The audio file.
        sample_rate: Sample rate of the result in Hz.
        offset_s: Start of the span in seconds. It must lie before the end of the audio.
        duration_s: Length of the span in seconds; None reads to the end. If the audio ends earlier, the result is
            shorter.
        meter: Makes a meter that is shown every block before its channels are mixed, such as `LoudnessMeter`. Only for
            whole files, without an offset and a duration.

    Returns:
        The waveform, the remarks and the meters.

    Raises:
        AudioError: The file is missing, empty, not audio, cut off, has no sample in the span, or holds NaN or infinity.
            The message names the file.
        ValueError: The offset is negative, the duration is not positive, or a meter is given for a span.
    """
    if offset_s < 0 or (duration_s is not None and duration_s <= 0):
        raise ValueError(f"offset_s={offset_s} must not be negative and duration_s={duration_s} must be positive")
    if meter is not None and (offset_s or duration_s is not None):
        raise ValueError(f"offset_s={offset_s}, duration_s={duration_s}: a meter is for whole files")
    span = _Span(sample_rate, offset_s, duration_s)
    try:
        decoded = _with_any_decoder(path, functools.partial(_decode_parts, path, span, meter))
    except MemoryError:
        raise AudioError(f"{path}: its audio is too long for the free memory") from None
    if not len(decoded.waveform):
        raise AudioError(f"{path}: no audio{f' after {offset_s:g} s' if offset_s else ' in it, 0 samples'}")
    np.clip(decoded.waveform, -1.0, 1.0, out=decoded.waveform)
    return decoded


def duration_of(path: str | os.PathLike) -> float:
    """Return the length of the audio in seconds.

    The file is decoded only if it does not state its length.

    Args:
        path: The audio file.

    Returns:
        The length in seconds.

    Raises:
        AudioError: As in `decode_track`.
    """
    duration_s = _with_any_decoder(path, _duration_of_parts)
    if not duration_s:
        raise AudioError(f"{path}: no audio in it, 0 samples")
    return duration_s


_Opener = Callable[[], AudioSource]
_Result = TypeVar("_Result")


def _with_any_decoder(path: str | os.PathLike, use: Callable[[list[_Opener]], _Result]) -> _Result:
    """Call `use` with the parts of a file, opened by libsndfile; if that fails, with the file opened by ffmpeg."""
    head = _checked_head(path)
    try:
        return _with_libsndfile_or_ffmpeg(path, head, use)
    except OSError as error:  # of a failing disk or network drive
        raise AudioError(f"{path}: cannot be read: {error.strerror or error}") from None


def _with_libsndfile_or_ffmpeg(
    path: str | os.PathLike, head: bytes, use: Callable[[list[_Opener]], _Result]
) -> _Result:
    parts = ogg_links(path) if head == b"OggS" else []
    openers: list[_Opener] = [functools.partial(SndfileSource, path)]
    if len(parts) > 1:
        openers = [functools.partial(SndfileSource, path, part) for part in parts]
    try:
        return use(openers)
    except DecoderError as error:
        failure = error
    program = ffmpeg_program()
    if program is None:
        raise _no_ffmpeg(path, failure) from None
    promised_s = asf_duration_s(path) if head == _ASF else failure.promised_s
    opener = functools.partial(FfmpegSource, path, program, promised_s=promised_s)
    try:
        return use([opener])
    except DecoderError as error:
        raise _undecodable(path, failure, error) from None


def _checked_head(path: str | os.PathLike) -> bytes:
    """Return the first four bytes of a file.

    Raises:
        AudioError: It cannot hold audio, whatever the decoders say.
    """
    try:
        kind = stat.S_IFMT(os.stat(path).st_mode)
        if kind != stat.S_IFREG:
            raise AudioError(f"{path}: is {_NOT_REGULAR.get(kind, 'no regular file')}, not an audio file")
        with open(path, "rb") as file:
            head = file.read(4)
    except OSError as error:
        raise AudioError(f"{path}: cannot be opened: {error.strerror}") from None
    if not head:
        raise AudioError(f"{path}: is empty (0 bytes)")
    if head in _APPLE_DOUBLE:
        raise AudioError(f"{path}: holds what macOS stores beside a file (AppleDouble), not audio{_beside(path)}")
    return head


def _beside(path: str | os.PathLike) -> str:
    name = os.path.basename(path)
    return f"; the audio is in {name[2:]}" if name.startswith("._") and len(name) > 2 else ""


def _decode_parts(path: str | os.PathLike, span: _Span, meter: MeterFactory | None, openers: list[_Opener]) -> Decoded:
    """Decode the parts of a file, one after another; the span counts from the beginning of the first one."""
    if len(openers) == 1:
        return _decode_one(path, span, meter, openers[0])
    whole = _Span(span.sample_rate, 0.0, None)
    decoded = [_decode_one(path, whole, meter, opener) for opener in openers]
    waveform = np.concatenate([part.waveform for part in decoded])[span.first :][: span.samples]
    remarks = tuple(dict.fromkeys(remark for part in decoded for remark in part.remarks))
    return Decoded(waveform, remarks, tuple(used for part in decoded for used in part.meters))


def _decode_one(path: str | os.PathLike, span: _Span, meter: MeterFactory | None, opener: _Opener) -> Decoded:
    meters: tuple[Meter, ...] = ()
    with opener() as source:
        mix = MonoMix(source.speakers)
        if meter is not None:  # a new one for each try: the decoder before may have failed in the middle of the file
            meters = (meter(source.sample_rate, source.speakers),)
        waveform = _waveform(path, span, source, mix, meters)
    if mix.audible is None:
        return Decoded(waveform, meters=meters)
    with opener() as source:
        waveform = _waveform(path, span, source, MonoMix(source.speakers, only=mix.audible))
    side = ("left", "right")[mix.audible]
    remark = Remark(
        f"one channel is the inverse of the other (correlation {mix.correlation:.2f}), so that their mean is almost "
        f"silent: only the {side} channel is used",
        unreliable=False,
    )
    return Decoded(waveform, (remark,), meters)


def _waveform(
    path: str | os.PathLike, span: _Span, source: AudioSource, mix: MonoMix, meters: tuple[Meter, ...] = ()
) -> np.ndarray:
    # Decoding starts a little before the span, at a frame that coincides with a sample of the result.
    sample_rate = span.sample_rate
    common = math.gcd(source.sample_rate, sample_rate)
    unit_frames, unit_samples = source.sample_rate // common, sample_rate // common
    start_unit = max(0, span.first // unit_samples - math.ceil(_MARGIN_S * sample_rate / unit_samples))
    stop = None
    if span.samples is not None:
        end_s = (span.first + span.samples) / sample_rate
        stop = math.ceil(end_s * source.sample_rate + _MARGIN_S * source.sample_rate)
    blocks = _mixed(source.blocks(start_unit * unit_frames, stop), mix, path, meters)
    waveform = _resampled(blocks, source.sample_rate, sample_rate)
    return waveform[span.first - start_unit * unit_samples :][: span.samples]


def _duration_of_parts(openers: list[_Opener]) -> float:
    duration_s = 0.0
    for opener in openers:
        with opener() as source:
            frames = source.frames
            if frames is None:
                frames = sum(len(block) for block in source.blocks(0, None))
            duration_s += frames / source.sample_rate
    return duration_s


def _mixed(
    blocks: Iterator[np.ndarray], mix: MonoMix, path: str | os.PathLike, meters: tuple[Meter, ...]
) -> Iterator[np.ndarray]:
    for block in blocks:
        with np.errstate(over="ignore", invalid="ignore"):
            mono = mix(block)
            finite = np.isfinite(mono.sum(dtype=np.float64))  # no finite float32 can overflow the sum
        if not finite:
            raise AudioError(f"{path}: holds samples that are NaN or infinite; render it again")
        for meter in meters:
            meter(block)
        yield mono


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


def _no_ffmpeg(path: str | os.PathLike, failure: DecoderError) -> AudioError:
    way_out = "ffmpeg may read it: pip install imageio-ffmpeg, or put ffmpeg on the PATH"
    if failure.recognised:
        return AudioError(f"{path}: libsndfile cannot decode all of it ({failure}); {way_out}")
    return AudioError(f"{path}: not audio that libsndfile can decode ({failure}); {way_out}")


def _undecodable(path: str | os.PathLike, of_libsndfile: DecoderError, of_ffmpeg: DecoderError) -> AudioError:
    suffix = os.path.splitext(path)[1].lower()
    if suffix in UNDECODABLE_SUFFIXES:
        return AudioError(f"{path}: {UNDECODABLE_SUFFIXES[suffix]} ({suffix})")
    if of_libsndfile.recognised or of_ffmpeg.recognised:
        return AudioError(f"{path}: damaged or cut off ({of_ffmpeg})")
    return AudioError(f"{path}: not audio that libsndfile or ffmpeg can decode ({of_ffmpeg})")
