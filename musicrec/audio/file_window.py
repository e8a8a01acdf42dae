"""A part of a file that can be read like a file."""

import io
import os
from typing import Any, BinaryIO


class FileWindow(io.RawIOBase):
    """Reads the bytes start..end of an opened file as if they were a file.

    Args:
        file: The file; nothing else may move its position.
        start: The first byte.
        end: The end; None for that of the file.
    """

    def __init__(self, file: BinaryIO, start: int, end: int | None = None) -> None:
        self._file, self._start = file, start
        self._end = os.fstat(file.fileno()).st_size if end is None else end
        self._at = start

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to a byte of the part and return its number."""
        base = {os.SEEK_SET: self._start, os.SEEK_CUR: self._at, os.SEEK_END: self._end}[whence]
        self._at = max(self._start, base + offset)
        return self._at - self._start

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer and return the number of bytes that were read."""
        self._file.seek(self._at)
        data = self._file.read(min(len(buffer), max(0, self._end - self._at)))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)
