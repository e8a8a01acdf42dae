"""What browsers play as it is: told by the content of a file, as suffixes do not tell AAC from ALAC."""

import os
from collections.abc import Iterator
from typing import BinaryIO

BROWSER_TYPES = ("audio/flac", "audio/wav", "audio/ogg", "audio/mp4", "audio/mpeg")
_MOST_BOXES = 10_000  # that are looked at in an MP4 file; a damaged one may hold any number
_WAV_PCM, _WAV_FLOAT, _WAV_EXTENSIBLE = 1, 3, 0xFFFE
_AAC_OBJECTS = (0x40, 0x66, 0x67, 0x68)  # ISO/IEC 14496-1, table 5
_MP3_OBJECTS = (0x69, 0x6B)


def browser_type(path: str | os.PathLike) -> str | None:
    """Return the media type under which all current browsers play a file; None if some do not.

    MP3, FLAC, WAV (PCM or float), Ogg Vorbis, Opus, and AAC in MP4 without a video are played.

    Args:
        path: The audio file.

    Raises:
        OSError: It cannot be read.
    """
    with open(path, "rb") as file:
        head = file.read(64)
        if head[:4] == b"fLaC":
            return "audio/flac"
        if head[:4] in (b"RIFF", b"RF64") and head[8:12] == b"WAVE":
            return "audio/wav" if head[:4] == b"RIFF" and _is_plain_wav(file) else None
        if head[:4] == b"OggS":
            return "audio/ogg" if head[28:36] == b"OpusHead" or head[28:35] == b"\x01vorbis" else None
        if head[4:8] == b"ftyp":
            return "audio/mp4" if _is_plain_mp4(file) else None
        return "audio/mpeg" if _is_mp3(file, head) else None


def _is_plain_wav(file: BinaryIO) -> bool:
    """Return whether the samples of a WAV are integers or floats as they are."""
    size, position = file.seek(0, os.SEEK_END), 12
    for _ in range(64):
        file.seek(position)
        header = file.read(8)
        if len(header) < 8 or position > size:
            return False
        length = int.from_bytes(header[4:], "little")
        if header[:4] == b"fmt ":
            fields = file.read(min(length, 40))
            code, bits = int.from_bytes(fields[:2], "little"), int.from_bytes(fields[14:16], "little")
            if code == _WAV_EXTENSIBLE:
                code = int.from_bytes(fields[24:26], "little")
            return (code == _WAV_PCM and bits in (8, 16, 24, 32)) or (code == _WAV_FLOAT and bits == 32)
        position += 8 + length + length % 2
    return False


def _is_mp3(file: BinaryIO, head: bytes) -> bool:
    """Return whether a file begins with a frame of MPEG audio, layer 3, perhaps after an ID3 tag."""
    start = 0
    if head[:3] == b"ID3" and len(head) >= 10:
        start = 10 + (head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9])
    file.seek(start)
    padded = file.read(4096).lstrip(b"\0")  # some taggers leave zeros behind the tag
    return len(padded) >= 2 and padded[0] == 0xFF and padded[1] & 0xE6 == 0xE2


def _is_plain_mp4(file: BinaryIO) -> bool:
    """Return whether the first sound of an MP4 file is AAC or MP3 and there is no video."""
    handlers: list[bytes] = []
    kinds: list[bool] = []
    left = [_MOST_BOXES]
    for kind, start, end in _boxes(file, 0, file.seek(0, os.SEEK_END), left):
        if kind != b"moov":
            continue
        for track, track_start, track_end in _boxes(file, start, end, left):
            if track != b"trak":
                continue
            for box, at, until in _inside(file, track_start, track_end, left):
                if box == b"hdlr":
                    file.seek(at + 8)
                    handlers.append(file.read(4))
                elif box == b"stsd" and handlers and handlers[-1] == b"soun":
                    file.seek(at)
                    kinds.append(_is_plain_sound(file.read(min(until - at, 4096))))
    return b"vide" not in handlers and kinds[:1] == [True]


def _is_plain_sound(description: bytes) -> bool:
    """Return whether a sample description is that of AAC or MP3: mp4a with a known object type."""
    if description[12:16] != b"mp4a":
        return False
    place = description.find(b"esds")
    if place < 0:
        return False
    at = place + 8  # behind the version and the flags
    for tag, skip in ((3, 3), (4, 0)):  # ES descriptor: id and flags; then the decoder's description
        if at >= len(description) or description[at] != tag:
            return False
        at += 1
        while at < len(description) and description[at] & 0x80:
            at += 1
        at += 1 + skip
    return at < len(description) and description[at] in _AAC_OBJECTS + _MP3_OBJECTS


def _inside(file: BinaryIO, start: int, end: int, left: list[int]) -> Iterator[tuple[bytes, int, int]]:
    """Yield the boxes of a track at any depth that lead to its sample description."""
    for kind, at, until in _boxes(file, start, end, left):
        if kind in (b"mdia", b"minf", b"stbl"):
            yield from _inside(file, at, until, left)
        else:
            yield kind, at, until


def _boxes(file: BinaryIO, start: int, end: int, left: list[int]) -> Iterator[tuple[bytes, int, int]]:
    """Yield (kind, start, end) of the boxes between two places. left: how many may still be looked at, one number."""
    while start + 8 <= end and left[0] > 0:
        left[0] -= 1
        file.seek(start)
        header = file.read(16)
        size, kind, content = int.from_bytes(header[:4], "big"), header[4:8], start + 8
        if size == 1:
            size, content = int.from_bytes(header[8:16], "big"), start + 16
        until = end if size == 0 else min(end, start + size)
        if until < content:
            return
        yield kind, content, until
        start = until
