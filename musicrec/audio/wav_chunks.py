"""The chunks of a WAV file: the speakers of its channels, and whether it states the length of its samples."""

import os
from typing import NamedTuple

from musicrec.audio.channels import speakers_of_mask

_MOST_CHUNKS = 1_000
_WRAPPED = 1 << 32  # sizes have 32 bits
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_SUBTYPES = {
    (_PCM, 8): "PCM_U8",
    (_PCM, 16): "PCM_16",
    (_PCM, 24): "PCM_24",
    (_PCM, 32): "PCM_32",
    (_FLOAT, 32): "FLOAT",
    (_FLOAT, 64): "DOUBLE",
}  # by code and bits, as libsndfile names them


class WavFormat(NamedTuple):
    """The form of the samples of a WAV file.

    Attributes:
        channels: Number of channels.
        sample_rate: In Hz.
        subtype: The name of libsndfile; None for compressed samples.
        speakers: The speaker of each channel; None if the file does not say.
    """

    channels: int
    sample_rate: int
    subtype: str | None
    speakers: tuple[str, ...] | None


class WavChunks(NamedTuple):
    """What the chunks of a WAV file say.

    Attributes:
        format: The form of the samples; None if no chunk says.
        start: Byte of the first sample; None if there are none.
        unstated: Why the stated length of the samples must not be heeded; None if it may be.
    """

    format: WavFormat | None = None
    start: int | None = None
    unstated: str | None = None


def wav_chunks(path: str | os.PathLike) -> WavChunks:
    """Read the headers of the chunks up to the samples. RF64 files state their length elsewhere, and reliably.

    Args:
        path: The WAV file.
    """
    form = None
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        is_rf64 = file.read(12)[:4] != b"RIFF"
        at = 12
        for _ in range(_MOST_CHUNKS):
            file.seek(at)
            header = file.read(8)
            if len(header) < 8:
                break
            length = int.from_bytes(header[4:], "little")
            at += 8
            if header[:4] == b"fmt ":
                form = _format(file.read(min(length, 40)))
            elif header[:4] == b"data":
                unstated = None
                if not is_rf64 and length == 0 and size - at >= 8 and not _is_chunk(file.read(8), size - at - 8):
                    unstated = "its header says that it holds 0 bytes of samples"
                elif not is_rf64 and size - at - length >= _WRAPPED:
                    unstated = "it is larger than the 4 GB that its header can state"
                return WavChunks(form, at, unstated)
            at += length + length % 2
    return WavChunks(form)


def _format(fields: bytes) -> WavFormat | None:
    if len(fields) < 16:
        return None
    code, channels = int.from_bytes(fields[:2], "little"), int.from_bytes(fields[2:4], "little")
    sample_rate, bits = int.from_bytes(fields[4:8], "little"), int.from_bytes(fields[14:16], "little")
    speakers = None
    if code == _EXTENSIBLE and len(fields) >= 26:
        code = int.from_bytes(fields[24:26], "little")
        speakers = speakers_of_mask(int.from_bytes(fields[20:24], "little"), channels)
    return WavFormat(channels, sample_rate, _SUBTYPES.get((code, bits)), speakers)


def _is_chunk(header: bytes, room: int) -> bool:
    """Return whether the header of a chunk may be meant, rather than samples; room: the bytes that follow."""
    return header[:4].isascii() and header[:4].decode().isprintable() and int.from_bytes(header[4:], "little") <= room
