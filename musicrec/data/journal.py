"""The part of a waveform store that only grows: the samples, and one journal line per track that is complete."""

import json
import mmap
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from zlib import crc32

import numpy as np
import polars as pl

from musicrec.system.atomic_write import atomic_write

WAVEFORMS, JOURNAL = "waveforms.i16", "journal.jsonl"
KEY = ["path", "size", "mtime_ns"]  # a source file with the same values is the one that was decoded
PLACE = ["offset", "length", "crc32"]
_SCHEMA = {"path": pl.String, **dict.fromkeys([*KEY[1:], *PLACE], pl.Int64)}
_FORMAT = 1
_CHECKED_AT_ONCE = 4_096


class Journal:
    """Appends tracks to a store, after those that an earlier build at the same sample rate finished.

    The line of a track is written after its samples. A killed process therefore leaves at worst samples without a line,
    which the next build overwrites. A crash of the machine may lose samples and keep their line, so checksums are
    compared unless the journal can be trusted.

    Attributes:
        finished: The tracks that were complete when the journal was opened, as `read_finished` returns them.
    """

    def __init__(self, folder: Path, *, sample_rate: int, trust: bool, workers: int) -> None:
        """Open the journal of a store, or begin a new one.

        Args:
            folder: Folder of the store.
            sample_rate: Sample rate of the store, in Hz; a journal of another one is deleted with its samples.
            trust: Whether to skip comparing the samples with their checksums. Tracks that differ are forgotten.
            workers: Threads that compare checksums.
        """
        self.folder = folder
        header = json.dumps({"format": _FORMAT, "sample_rate": sample_rate}).encode() + b"\n"
        waveforms, journal = folder / WAVEFORMS, folder / JOURNAL
        if not waveforms.is_file() or not journal.is_file() or not _begins_with(journal, header):
            # Deleted, not truncated: a process that reads the old store keeps the file that it has mapped.
            journal.unlink(missing_ok=True)
            waveforms.unlink(missing_ok=True)
            waveforms.touch()
            journal.write_bytes(header)
        finished = read_finished(folder)
        if not trust:
            sound = intact(waveforms, finished, workers=workers)
            if not sound.all():
                finished = finished.filter(pl.Series(sound))
                with atomic_write(journal, "wb", error=None) as file:
                    file.write(header + finished.write_ndjson().encode())
        self.finished = finished
        self._end = finished.select((pl.col("offset") + pl.col("length")).max()).item() or 0
        self._waveforms = open(waveforms, "r+b", buffering=0)  # noqa: SIM115 (closed by close)
        self._waveforms.truncate(2 * self._end)
        self._waveforms.seek(2 * self._end)
        self._journal = open(journal, "r+b", buffering=0)  # noqa: SIM115
        self._journal.truncate(_whole_lines(journal))
        self._journal.seek(0, os.SEEK_END)

    def append(self, source: dict, samples: np.ndarray, checksum: int) -> None:
        """Append a track.

        Args:
            source: The values of `KEY` for its file.
            samples: (length,) int16.
            checksum: CRC-32 of the samples.
        """
        view = memoryview(samples).cast("B")
        while len(view):  # a nearly full disk writes one part and refuses the next
            view = view[self._waveforms.write(view) :]
        line = {**{name: source[name] for name in KEY}, "offset": self._end, "length": len(samples), "crc32": checksum}
        self._journal.write(json.dumps(line).encode() + b"\n")
        self._end += len(samples)

    def sync(self) -> None:
        """Wait until everything is on the disk."""
        for file in (self._waveforms, self._journal):
            os.fsync(file.fileno())

    def close(self) -> None:
        """Close the files."""
        self._waveforms.close()
        self._journal.close()


def read_finished(folder: Path) -> pl.DataFrame:
    """Return the tracks in a journal, one row per source file with `KEY` and `PLACE`; damaged lines are left out."""
    with open(folder / JOURNAL, "rb") as file:
        data = file.read(_whole_lines(folder / JOURNAL))
    lines = data[data.index(b"\n") + 1 :]
    if not lines:
        return pl.DataFrame(schema=_SCHEMA)
    try:
        frame = pl.read_ndjson(lines, schema=_SCHEMA)
    except pl.exceptions.PolarsError:  # a crash of the machine left damaged lines
        frame = pl.DataFrame(list(filter(None, map(_line, lines.splitlines()))), schema=_SCHEMA)
    return frame.drop_nulls().unique(KEY, keep="last", maintain_order=True)


def intact(waveforms: Path, tracks: pl.DataFrame, *, workers: int) -> np.ndarray:
    """Compare samples with their checksums.

    Args:
        waveforms: The file of samples.
        tracks: Rows with the columns of `PLACE`.
        workers: Threads that compare.

    Returns:
        Whether the samples of each row are intact, (rows,) bool.
    """
    sound = np.zeros(tracks.height, dtype=bool)
    count = waveforms.stat().st_size // 2
    if tracks.is_empty() or not count:
        return sound
    samples = np.memmap(waveforms, dtype="<i2", mode="r", shape=count).view(np.ndarray)

    def check(place: tuple[int, int, int]) -> bool:
        offset, length, checksum = place
        return offset + length <= len(samples) and crc32(samples[offset : offset + length]) == checksum

    with ThreadPoolExecutor(workers) as pool:
        for number, part in enumerate(tracks.select(PLACE).iter_slices(_CHECKED_AT_ONCE)):
            first = number * _CHECKED_AT_ONCE
            sound[first : first + part.height] = list(pool.map(check, part.iter_rows()))
    return sound


def _line(text: bytes) -> dict | None:
    try:
        line = json.loads(text)
        return line if isinstance(line, dict) and set(line) == set(_SCHEMA) else None
    except ValueError:
        return None


def _begins_with(path: Path, beginning: bytes) -> bool:
    with open(path, "rb") as file:
        return file.read(len(beginning)) == beginning


def _whole_lines(path: Path) -> int:
    """Return the number of bytes up to and including the last line feed."""
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return data.rfind(b"\n") + 1
