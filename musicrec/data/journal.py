"""The half of a waveform store that only grows: the samples, and a line for every track whose samples are all there."""

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
KEY = ["path", "size", "mtime_ns"]  # what tells that a source file is still the one that was decoded
PLACE = ["offset", "length", "crc32"]
_SCHEMA = {"path": pl.String, **dict.fromkeys([*KEY[1:], *PLACE], pl.Int64)}
_FORMAT = 1
_CHECKED_AT_ONCE = 4_096


class Journal:
    """Appends tracks to a store's folder, behind those that an earlier build finished at the same sample rate.

    A line is written after the samples it speaks of, so that a killed process leaves at worst samples without a line,
    which the next one overwrites. A crash of the machine may lose samples and keep the line: unless `trust`, the
    samples of every line are held against their checksum, and lines that fail are forgotten.
    """

    def __init__(self, folder: Path, *, sample_rate: int, trust: bool, workers: int) -> None:
        self.folder = folder
        header = json.dumps({"format": _FORMAT, "sample_rate": sample_rate}).encode() + b"\n"
        waveforms, journal = folder / WAVEFORMS, folder / JOURNAL
        if not waveforms.is_file() or not journal.is_file() or not _begins_with(journal, header):
            # Unlinked, not truncated: a reader of the old store keeps what it has mapped.
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
        """Add a track. source: its `KEY`; samples: (length,) int16; checksum: crc32 of the bytes."""
        view = memoryview(samples).cast("B")
        while len(view):  # a nearly full disk takes a part, and refuses the next
            view = view[self._waveforms.write(view) :]
        line = {**{name: source[name] for name in KEY}, "offset": self._end, "length": len(samples), "crc32": checksum}
        self._journal.write(json.dumps(line).encode() + b"\n")
        self._end += len(samples)

    def sync(self) -> None:
        """Return when all of it is on the disk."""
        for file in (self._waveforms, self._journal):
            os.fsync(file.fileno())

    def close(self) -> None:
        self._waveforms.close()
        self._journal.close()


def read_finished(folder: Path) -> pl.DataFrame:
    """The tracks that a journal names, one row a source file: `KEY` and `PLACE`. Lines cut off or torn are left out."""
    with open(folder / JOURNAL, "rb") as file:
        data = file.read(_whole_lines(folder / JOURNAL))
    lines = data[data.index(b"\n") + 1 :]
    if not lines:
        return pl.DataFrame(schema=_SCHEMA)
    try:
        frame = pl.read_ndjson(lines, schema=_SCHEMA)
    except pl.exceptions.PolarsError:  # a crash of the machine has left lines that are none
        frame = pl.DataFrame(list(filter(None, map(_line, lines.splitlines()))), schema=_SCHEMA)
    return frame.drop_nulls().unique(KEY, keep="last", maintain_order=True)


def intact(waveforms: Path, tracks: pl.DataFrame, *, workers: int) -> np.ndarray:
    """Which rows of `tracks` (with the columns of `PLACE`) lie in the file as their checksum says: (rows,) bool."""
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
    """Bytes up to and with the last line feed."""
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return data.rfind(b"\n") + 1
