"""Read the tags and the stated length of an audio file, as text under the names that programs give them.

The package `tinytag` reads ID3 (MP3, WAV, AIFF, FLAC), Vorbis comments (FLAC, OGG, Opus), MP4 atoms, RIFF INFO and the
tags of WMA. This module adds what it lacks: APEv2 tags, and ID3 tags with unsynchronisation, which older taggers write.
It also limits how much a file can make `tinytag` read.
"""

import os
import re
import struct
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import BinaryIO

from tinytag import TinyTag, UnsupportedFormatError

from musicrec.errors import AudioError

_COMMON = ("artist", "albumartist", "album", "title", "genre", "year")  # what tinytag keeps outside `other`
_MOST_BYTES = 1 << 26  # a cover in a tag has some megabytes
_CALLS, _BYTES_PER_CALL = 20_000, 200  # a page of an OGG file has 750 bytes or more, and takes two or three calls
_ID3_HEADER, _ID3V1, _APE_FOOTER = 10, 128, 32


@dataclass(frozen=True, kw_only=True)
class FileHeader:
    """What an audio file says about itself.

    Attributes:
        values: The texts of each tag. The names are in lower case, without blanks, ``_`` and ``-``.
        length_s: The stated length in seconds; None if the file states none.
    """

    values: dict[str, list[str]]
    length_s: float | None = None


def read_header(path: str | os.PathLike) -> FileHeader:
    """Read the tags and the stated length of an audio file. The audio itself is not read.

    Args:
        path: The audio file.

    Returns:
        The header; an empty one if the format is unknown.

    Raises:
        AudioError: The file cannot be opened, or its header is damaged.
    """
    try:
        if not os.path.isfile(path) and os.path.exists(path):  # opening a pipe would wait for a writer
            raise OSError("not a regular file")
        with open(path, "rb") as file:
            return _read(file, os.fspath(path))
    except OSError as error:
        raise AudioError(f"{path}: tags cannot be read ({error.strerror or error})") from None
    except AudioError:
        raise
    except Exception as error:  # a damaged file makes the parsers fail in many ways, for example with an IndexError
        raise AudioError(f"{path}: tags cannot be read (damaged: {error or type(error).__name__})") from None


def _read(file: BinaryIO, path: str) -> FileHeader:
    values: dict[str, list[str]] = defaultdict(list)
    length_s, nothing = None, False
    head = file.read(_ID3_HEADER)
    raw_aac = head[:1] == b"\xff" and len(head) > 1 and head[1] & 0xF6 == 0xF0  # tinytag takes it for a broken MP3
    with suppress(UnsupportedFormatError):
        tag = None if raw_aac else _parsed(file, path, _without_unsynchronisation(file, head))
        if tag is not None:
            length_s = tag.duration or None
            for name in _COMMON:
                values[name] += [text] if (text := getattr(tag, name)) else []
            for name, texts in tag.other.items():
                values[_folded(name)] += texts
            nothing = not tag.samplerate and length_s is None
    for name, texts in _ape_items(file):
        values[_folded(name)] += texts
    if nothing and not any(values.values()):
        raise AudioError(f"{path}: tags cannot be read (no header of its format)")
    return FileHeader(values=dict(values), length_s=length_s)


def _folded(name: str) -> str:
    return re.sub(r"[\s_-]", "", name.casefold())


def _parsed(file: BinaryIO, path: str, head: bytes) -> TinyTag:
    """Let tinytag read a file; if its length cannot be found, only the tags."""
    try:
        return _parsed_by_content(file, path, head, duration=True)
    except UnsupportedFormatError:
        raise
    except Exception:
        return _parsed_by_content(file, path, head, duration=False)


def _parsed_by_content(file: BinaryIO, path: str, head: bytes, *, duration: bool) -> TinyTag:
    """Choose the format by the first bytes, and only if they are unknown by the suffix, which is often wrong."""
    try:
        return TinyTag.get(file_obj=_LimitedFile(file, head), duration=duration)  # type: ignore[arg-type]
    except UnsupportedFormatError:
        return TinyTag.get(path, file_obj=_LimitedFile(file, head), duration=duration)  # type: ignore[arg-type]


class _LimitedFile:
    """A file for tinytag that ends with an error if too much is read. Its first bytes can be replaced.

    Without limits, a length in a damaged header may ask for any number of bytes, and a long file without a sync word is
    searched in steps of four bytes.
    """

    def __init__(self, file: BinaryIO, head: bytes) -> None:
        self._file, self._head, self._position = file, head, 0
        self._size = file.seek(0, os.SEEK_END)
        self._calls, self._bytes = _CALLS + self._size // _BYTES_PER_CALL, _MOST_BYTES

    def read(self, size: int = -1) -> bytes:
        self._calls -= 1
        start = self._position
        end = self._size if size < 0 else max(start, min(start + size, self._size))
        self._bytes -= end - start
        if self._calls < 0 or self._bytes < 0:
            raise ValueError("more of the file would have to be read than a header takes")
        self._position = end
        head = self._head[start:end]
        if end <= len(self._head):
            return head
        self._file.seek(start + len(head))
        return head + self._file.read(end - start - len(head))

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        position = offset + (0, self._position, self._size)[whence]
        if position < 0:
            raise OSError("a position before the start of the file")
        self._position = position
        return position

    def tell(self) -> int:
        return self._position


def _without_unsynchronisation(file: BinaryIO, head: bytes) -> bytes:
    """Return the ID3 tag at the start of a file as it would be without unsynchronisation; empty if it has none.

    Unsynchronisation adds a zero after every byte 0xFF. tinytag does not remove it, which garbles text in UTF-16.
    """
    if len(head) < _ID3_HEADER or head[:3] != b"ID3" or not head[5] & 0x80:
        return b""
    size, major, extended = _syncsafe(head[6:10]), head[3], head[5] & 0x40
    file.seek(_ID3_HEADER)
    body = file.read(min(size, _MOST_BYTES))
    if major < 4:
        plain, flags = body.replace(b"\xff\x00", b"\xff"), extended
    else:
        plain, flags = b"".join(_plain_frames(body, _syncsafe(body[:4]) if extended else 0)), 0
    return head[:5] + bytes([flags]) + head[6:10] + plain.ljust(len(body), b"\0")


def _plain_frames(body: bytes, position: int) -> Iterator[bytes]:
    """Yield the frames of an ID3v2.4 tag without unsynchronisation and length indicators."""
    while position + 10 <= len(body) and body[position]:
        size, flags = _syncsafe(body[position + 4 : position + 8]), body[position + 9]
        content = body[position + 10 : position + 10 + size].replace(b"\xff\x00", b"\xff")
        content = content[4:] if flags & 0x01 else content
        count = bytes(len(content) >> shift & 0x7F for shift in (21, 14, 7, 0))
        if not flags & 0x0C:  # neither compressed nor encrypted
            yield body[position : position + 4] + count + bytes(2) + content
        position += 10 + size


def _syncsafe(four: bytes) -> int:
    """Return a number that is stored in the lower seven bits of each byte."""
    number = 0
    for byte in four:
        number = number << 7 | byte & 0x7F
    return number


def _ape_items(file: BinaryIO) -> Iterator[tuple[str, list[str]]]:
    """Yield the texts of the APEv2 tag at the end of a file, if it has one; an ID3v1 tag may follow."""
    size = file.seek(0, os.SEEK_END)
    for end in (size, size - _ID3V1):
        if end < _APE_FOOTER:
            return
        file.seek(end - _APE_FOOTER)
        footer = file.read(_APE_FOOTER)
        if footer[:8] == b"APETAGEX":
            break
    else:
        return
    length, count = struct.unpack_from("<II", footer, 12)
    if not _APE_FOOTER <= length <= min(end, _MOST_BYTES):
        raise ValueError("the APE tag states an impossible length")
    file.seek(end - length)
    content, position = file.read(length - _APE_FOOTER), 0
    for _ in range(count):
        length, flags = struct.unpack_from("<II", content, position)
        name_end = content.index(b"\0", position + 8)
        value = content[name_end + 1 : name_end + 1 + length]
        if not flags & 0b110:  # text, not a picture or a link
            yield content[position + 8 : name_end].decode(errors="replace"), value.decode(errors="replace").split("\0")
        position = name_end + 1 + length
