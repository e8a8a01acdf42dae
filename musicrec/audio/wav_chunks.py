"""The chunks of a WAV file: which speakers its channels are for, and whether it states the length of its samples."""

import os
from typing import NamedTuple

from musicrec.audio.channels import speakers_of_mask

_MOST_CHUNKS = 1_000
_WRAPPED = 1 << 32  # sizes have 32 bits
_EXTENSIBLE = 0xFFFE


class WavChunks(NamedTuple):
    """What the chunks of a WAV file say.

    Attributes:
        speakers: The speaker of each channel; None if the file does not say.
        missing: Why the stated length of the samples must not be heeded; None if it may be.
        data_chunks: Number of chunks of samples.
    """

    speakers: tuple[str, ...] | None = None
    missing: str | None = None
    data_chunks: int = 0


def wav_chunks(path: str | os.PathLike) -> WavChunks:
    """Read the chunk headers of a WAV file. RF64 files state their sizes elsewhere; only their speakers are read."""
    speakers, missing, data_chunks = None, None, 0
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        wide = file.read(12)[:4] != b"RIFF"
        at = 12
        for _ in range(_MOST_CHUNKS):
            file.seek(at)
            header = file.read(8)
            if len(header) < 8:
                break
            length = int.from_bytes(header[4:], "little")
            at += 8
            if header[:4] == b"fmt ":
                speakers = _speakers(file.read(min(length, 40)))
            elif header[:4] == b"data":
                data_chunks += 1
                if wide:
                    break
                if length == 0 and size - at >= 8 and not _is_chunk(file.read(8), size - at - 8):
                    missing = "its header says that it holds 0 bytes of samples"
                    break
                if size - at - length >= _WRAPPED - (1 << 20):
                    missing = "it is larger than the 4 GB that its header can state"
                    break
            at += length + length % 2
    return WavChunks(speakers, missing, data_chunks)


def _is_chunk(header: bytes, room: int) -> bool:
    """Return whether the header of a chunk may be meant, rather than samples; room: the bytes that follow."""
    return header[:4].isascii() and header[:4].decode().isprintable() and int.from_bytes(header[4:], "little") <= room


def _speakers(fields: bytes) -> tuple[str, ...] | None:
    if len(fields) < 24 or int.from_bytes(fields[:2], "little") != _EXTENSIBLE:
        return None
    return speakers_of_mask(int.from_bytes(fields[20:24], "little"), int.from_bytes(fields[2:4], "little"))
