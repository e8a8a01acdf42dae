"""The end of the audio in a FLAC file, by its last frame. The header of an unfinished file may state less."""

import os
import re

_TAIL = 1 << 18  # bytes; frames are shorter
_BLOCK = 1 << 20
_MARKER = b"fLaC\x00\x00\x00\x22"  # with the header of the first block of metadata, whose size is fixed
_SYNC = re.compile(rb"\xff[\xf8\xf9]", re.DOTALL)
_BLOCK_SIZES = {1: 192, **{code: 576 << code - 2 for code in range(2, 6)}, **{code: 1 << code for code in range(8, 16)}}


def flac_end(path: str | os.PathLike) -> int | None:
    """Return the number of samples up to the end of the last complete frame header (RFC 9639, section 9.1).

    Args:
        path: The FLAC file.

    Returns:
        Samples per channel; None if the end of the file holds no frame, for example below a very large tag.
    """
    with open(path, "rb") as file:
        head = file.read(4096)
        size = os.fstat(file.fileno()).st_size
        file.seek(max(0, size - _TAIL))
        tail = file.read()
    start = head.find(b"fLaC")
    if start < 0 or len(head) < start + 42:
        return None
    frame_samples = int.from_bytes(head[start + 10 : start + 12], "big")  # of every frame but the last
    ends = [end for place in _SYNC.finditer(tail) if (end := _end_of_frame(tail, place.start(), frame_samples))]
    return ends[-1] if ends else None


def flac_streams(path: str | os.PathLike) -> int:
    """Return the number of FLAC streams in a file, one after another, as `cat` joins them."""
    count, before = 0, b""
    with open(path, "rb") as file:
        while block := file.read(_BLOCK):
            data = before + block
            count += data.count(_MARKER)
            before = data[1 - len(_MARKER) :]
    return count


def _end_of_frame(data: bytes, at: int, frame_samples: int) -> int | None:
    """Return the number of samples up to the end of a frame; None if no frame header begins there."""
    header = data[at : at + 16].ljust(16, b"\0")  # the last frame may be shorter
    if header[3] & 1 or header[2] & 15 == 15 or header[3] >> 4 > 10:
        return None
    more = next((bits for bits in range(8) if not header[4] << bits & 128), 8)  # bytes of a number as in UTF-8
    if more in (1, 8):
        return None
    number, place = header[4] & 127 >> more, 5
    for byte in header[5 : 4 + max(1, more)]:
        number, place = number << 6 | byte & 63, place + 1
    code = header[2] >> 4
    samples = _BLOCK_SIZES.get(code)
    if code in (6, 7):
        samples = int.from_bytes(header[place : place + code - 5], "big") + 1
        place += code - 5
    place += {12: 1, 13: 2, 14: 2}.get(header[2] & 15, 0)
    if samples is None or place >= len(header) or _crc8(header[:place]) != header[place]:
        return None
    return (number if header[1] & 1 else number * frame_samples) + samples


def _crc8(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc << 1 & 0xFF ^ (0x07 if crc & 0x80 else 0)
    return crc
