"""Tables in CSV as people and spreadsheets write them, every cell as text."""

import csv
import itertools
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import polars as pl

from musicrec.data.schema import ROW, Problems
from musicrec.errors import ManifestError

_ROWS_AT_ONCE = 4_096  # held as Python objects; the others are columns already


def read_csv(path: Path, problems: Problems) -> pl.DataFrame:
    """All columns as text, and `ROW`. Python's reader keeps to the quoting of spreadsheets and knows the row it is at;
    polars reads a title such as ``12" mix`` as the beginning of a cell of many lines.

    Raises ManifestError for what is no such table, OSError for a file that cannot be read.
    """
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            return _cells(file, path, problems)
    except UnicodeDecodeError:
        raise _not_utf8(path) from None


def _cells(file: TextIO, path: Path, problems: Problems) -> pl.DataFrame:
    first_line = file.readline()
    file.seek(0)
    commas, tabs, semicolons = (first_line.count(separator) for separator in ",\t;")
    if semicolons > max(commas, tabs):
        raise ManifestError(f"{path}: its columns are separated by semicolons; save it with commas or tabs")
    rows = _numbered(csv.reader(file, delimiter="\t" if tabs > commas else ",", strict=True), path)
    header = [name.strip() or f"unnamed column {i}" for i, name in enumerate(next(rows, (1, []))[1], start=1)]
    for name, count in Counter(header).items():
        if count > 1:
            problems.add(1, name, f"{count} columns have this name, expected one")
    if len(set(header)) < len(header):
        return pl.DataFrame(schema=dict.fromkeys(header, pl.String))
    schema = {**dict.fromkeys(header, pl.String), ROW: pl.UInt32}
    frames = [pl.DataFrame(schema=schema)]
    while block := list(itertools.islice(rows, _ROWS_AT_ONCE)):
        for number, cells in block:
            if len(cells) > len(header):
                problems.add(number, "", f"{len(cells)} cells, expected {len(header)} as in the header")
            cells += [""] * (len(header) - len(cells))
        filled = [(*cells[: len(header)], number) for number, cells in block if any(cells)]
        columns = zip(*filled, strict=True) if filled else [()] * len(schema)
        series = [pl.Series(*item) for item in zip(schema, columns, schema.values(), strict=True)]
        frames.append(pl.DataFrame(series))
    return pl.concat(frames).with_columns(pl.col(pl.String).replace("", None))


def _not_utf8(path: Path) -> ManifestError:
    """The error that names the first line that is not UTF-8, as spreadsheets save where nobody chooses."""
    with open(path, "rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode()
            except UnicodeDecodeError as error:
                around = line[max(0, error.start - 20) : error.end + 20].strip()
                return ManifestError(
                    f"{path}: line {number} is not text in UTF-8 ({around!r}); save the file as UTF-8, which "
                    'spreadsheets call "CSV UTF-8" or ask for when exporting'
                )
    return ManifestError(f"{path}: has just been changed; try again")


def _numbered(rows: Iterator[list[str]], path: Path) -> Iterator[tuple[int, list[str]]]:
    """Each row after its number, from 1. Raises ManifestError where the quoting goes wrong: a quotation mark without
    its partner would swallow the rows up to the next one."""
    number = 0
    try:
        for number, cells in enumerate(rows, start=1):
            yield number, cells
    except csv.Error as error:
        raise ManifestError(
            f"{path}: row {number + 1}: a cell begins with a quotation mark that is not closed, or text follows the "
            f"closing one ({error}); put the whole cell in quotation marks and double those that belong to its text"
        ) from None
