"""Audio files that libsndfile reads, with checks that it reads all of their audio."""

import os
import re
from collections.abc import Iterator

import numpy as np
import soundfile

from musicrec.audio.audio_source import BLOCK_FRAMES, LEAST_SHARE, DecoderError, check_sample_rate, cut_off, is_short
from musicrec.audio.caf_chunks import caf_share
from musicrec.audio.channels import VORBIS_ORDER, WAVE_ORDER
from musicrec.audio.file_window import FileWindow
from musicrec.audio.flac_end import flac_end, flac_streams
from musicrec.audio.mp3_frames import mp3_frames_s
from musicrec.audio.mp3_length import Mp3Promise, mp3_promise
from musicrec.audio.wav_chunks import WavChunks, wav_chunks
from musicrec.errors import AudioError

_MP3_SUFFIXES = (".mp3", ".mp2")
_MP3_FRAME_S = 0.03  # the longest in common use, of 1,152 samples at 44.1 kHz
_MP3_DELAYS_S = 0.3  # what encoders add and players leave out
_UNSTATED_BYTES = 0x7FFF0000  # programs that write to a pipe state a length from here to 0xFFFFFFFF, or 0
# In libsndfile's log: the bytes of samples that a header states, and those found (of the whole file for W64 and RF64).
_SHORT_OF = re.compile(r"^ *(?:data|SSND|Data Size|riff|Riff size)\s*: (\d+) \(should be (\d+)\)", re.MULTILINE)
_UNKNOWN_FRAMES = 1 << 48  # libsndfile answers more than this if a stream does not state its length


class _Forward(soundfile.SoundFile):
    """Reads on without a seek after each block, which is slow, and fails in a FLAC of unstated length."""

    def seekable(self) -> bool:
        return False


class SndfileSource:
    """An audio file, or a part of it, that libsndfile reads. See `musicrec.audio.audio_source.AudioSource`.

    Args:
        path: The audio file.
        part: First byte and end of the part to read; None for the whole file.

    Raises:
        AudioError: The file is cut off.
        DecoderError: libsndfile cannot read the file, or would not read all of it.
    """

    def __init__(self, path: str | os.PathLike, part: tuple[int, int] | None = None) -> None:
        self._path = path
        self._promise, self._mp3_s, self._wav = _facts(path)
        self._bytes = open(path, "rb")  # noqa: SIM115  closed with the source
        try:
            self._file = self._opened(part)
        except (soundfile.LibsndfileError, TypeError, ValueError) as error:
            self._bytes.close()
            raise DecoderError(_reason(error), recognised=False) from None
        except BaseException:
            self._bytes.close()
            raise
        try:
            self.sample_rate: int = self._file.samplerate
            check_sample_rate(path, self.sample_rate)
            self.frames: int | None = self._file.frames
            if self.frames > _UNKNOWN_FRAMES or (self._is_mp3 and not (self._promise and self._promise.heeded)):
                self.frames = None
            self.speakers = self._speakers()
            self._promised_s = self._promise.duration_s if self._promise else (self.frames or 0) / self.sample_rate
            self._check_stated_length()
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self) -> "SndfileSource":
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()
        self._bytes.close()

    @property
    def _is_mp3(self) -> bool:
        return self._file.format == "MP3"

    def _opened(self, part: tuple[int, int] | None) -> soundfile.SoundFile:
        form = self._wav.format
        if self._wav.unstated and form:  # samples without a header, to the end of the file
            if not form.subtype:
                raise DecoderError(self._wav.unstated)
            return _Forward(
                FileWindow(self._bytes, self._wav.start or 0),
                format="RAW",
                subtype=form.subtype,
                channels=form.channels,
                samplerate=form.sample_rate,
                endian="LITTLE",
            )
        if part:
            return _Forward(FileWindow(self._bytes, *part))
        return _Forward(self._bytes.fileno(), closefd=False)

    def _speakers(self) -> tuple[str, ...] | None:
        channels = self._file.channels
        if self._file.format == "OGG":
            return VORBIS_ORDER.get(channels)
        if self._wav.format and self._wav.format.speakers:
            return self._wav.format.speakers
        return WAVE_ORDER.get(channels) if self._file.format == "FLAC" or channels in (6, 8) else None

    def _check_stated_length(self) -> None:
        """Raise if the file has less audio than it states, or more than libsndfile will decode."""
        stated = _SHORT_OF.search(self._file.extra_info)
        if stated and self.frames and int(stated[2]) < int(stated[1]) < _UNSTATED_BYTES:
            there_s = self.frames / self.sample_rate
            stated_s = there_s * int(stated[1]) / int(stated[2])
            if is_short(there_s, stated_s):
                raise cut_off(self._path, there_s, stated_s)
        if self._is_mp3:
            end_s = self._promised_s if self.frames else self._file.frames / self.sample_rate
            if self._mp3_s and self._mp3_s > end_s + 1.5 * _MP3_FRAME_S:
                raise DecoderError(f"libsndfile would decode {end_s:.1f} s of the {self._mp3_s:.1f} s in it")
        if self._file.format == "FLAC" and self.frames and not self._is_whole_flac():
            reason = f"its header states {self._promised_s:.1f} s, but its last frame does not end there"
            raise DecoderError(reason, promised_s=self._promised_s)

    def _is_whole_flac(self) -> bool:
        return flac_end(self._path) in (None, self.frames) and flac_streams(self._path) == 1

    def blocks(self, start: int, stop: int | None) -> Iterator[np.ndarray]:
        """Yield the frames start..stop in blocks of (frames, channels) float32; without stop, all that follow.

        Raises:
            DecoderError: libsndfile fails, or all is read and it is less than there must be.
        """
        ends = [end for end in (stop, self.frames) if end is not None]
        end = min(ends) if ends else None
        try:
            at = self._skip(start)
            while end is None or at < end:
                wanted = BLOCK_FRAMES if end is None else min(BLOCK_FRAMES, end - at)
                block = self._file.read(wanted, dtype="float32", always_2d=True)
                at += len(block)
                if len(block):
                    yield block
                if len(block) < wanted:
                    break
        except (soundfile.LibsndfileError, RuntimeError) as error:
            raise DecoderError(_reason(error), promised_s=self._promised_s) from None
        at_s = at / self.sample_rate
        least_s = max(self._promised_s * LEAST_SHARE - 0.1, (self._mp3_s or 0) - _MP3_DELAYS_S)
        if stop is None and at_s < least_s:
            promised_s = max(self._promised_s, self._mp3_s or 0)
            raise DecoderError(f"libsndfile decodes {at_s:.1f} s of {promised_s:.1f} s", promised_s=self._promised_s)

    def _skip(self, start: int) -> int:
        """Go to a frame, and return where the file is then: the end if that comes first."""
        if self.frames is not None and start >= self.frames:
            return self.frames
        if not start:
            return 0
        if self.frames is not None or (self._is_mp3 and start < self._file.frames):
            return self._file.seek(start)
        at = 0
        while at < start:  # libsndfile cannot seek in a FLAC of unstated length, nor behind the end of an MP3
            read = len(self._file.read(min(BLOCK_FRAMES, start - at), dtype="float32"))
            at += read
            if not read:
                break
        return at


def _facts(path: str | os.PathLike) -> tuple[Mp3Promise | None, float | None, WavChunks]:
    """Return what an MP3 states, the length of its frames in seconds, and the chunks of a WAV.

    Raises:
        AudioError: The file is an MP3 or a CAF that is cut off.
    """
    with open(path, "rb") as file:
        head = file.read(4)
    if head in (b"RIFF", b"RF64", b"BW64"):
        return None, None, wav_chunks(path)
    if head == b"caff" and (share := caf_share(path)) < LEAST_SHARE:
        raise AudioError(f"{path}: cut off: {share:.0%} of the audio that its header promises")
    named_mp3 = os.fspath(path).lower().endswith(_MP3_SUFFIXES) and head not in (b"fLaC", b"OggS", b"FORM")
    if not named_mp3 and head[0] != 0xFF:
        return None, None, WavChunks()
    promise = mp3_promise(path)
    if promise and promise.share < LEAST_SHARE:
        raise cut_off(path, promise.duration_s * promise.share, promise.duration_s)
    return promise, mp3_frames_s(path), WavChunks()


def _reason(error: Exception) -> str:
    text = getattr(error, "error_string", None) or str(error)
    if "File does not exist" in text:  # libsndfile says this also of an MP3 without a frame
        return "Format not recognised"
    return text.strip().rstrip(".:") or f"libsndfile error {getattr(error, 'code', '')}"
