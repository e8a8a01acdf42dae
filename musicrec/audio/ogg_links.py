"""The links of a chained OGG file: complete streams, one after another, as radio stations and `cat` write them."""

import os
from typing import BinaryIO

_BUFFER = 1 << 20
_FIRST_PAGE = 2  # bit of the header type: a logical stream begins


def ogg_links(path: str | os.PathLike) -> list[tuple[int, int]]:
    """Return the first byte and the end of every link of an OGG file (RFC 3533, sections 4 and 6).

    Streams that begin together (such as the audio and the picture of a video) are one link. This reads the file but
    decodes nothing.

    Args:
        path: The OGG file.

    Returns:
        One pair per link; a file that is not chained has one. Bytes between pages belong to the link before them.
    """
    starts, beginning = [0], True
    with open(path, "rb", buffering=_BUFFER) as file:
        size = os.fstat(file.fileno()).st_size
        at = 0
        while at + 27 <= size:
            file.seek(at)
            header = file.read(27)
            if header[:4] != b"OggS":
                at = _next_page(file, at + 1)
                continue
            begins = bool(header[5] & _FIRST_PAGE)
            if begins and not beginning:
                starts.append(at)
            beginning = begins
            at += 27 + header[26] + sum(file.read(header[26]))
    return list(zip(starts, [*starts[1:], size], strict=True))


def _next_page(file: BinaryIO, at: int) -> int:
    """Return where the next page begins, or the end of the file."""
    file.seek(at)
    while block := file.read(_BUFFER):
        if (place := block.find(b"OggS")) >= 0:
            return at + place
        at += max(1, len(block) - 3)
        file.seek(at)
    return at
