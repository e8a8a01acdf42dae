"""Read the rows of CSV files, and write tables as CSV, completely or not at all."""

import csv
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO

from rich import progress

from musicrec.errors import MusicrecError
from musicrec.system.atomic_write import atomic_write
from musicrec.system.console import error_console

_LARGE_BYTES = 1 << 26  # a file of this size takes seconds to read
_CELL_CHARACTERS = 1 << 24  # a cell may be longer than the 128 kB at which Python's reader gives up
_UNDECODED = re.compile("[\ud800-\udfff]+")


class EncodingProblem(Exception):
    """A cell is not text in UTF-8."""

    def __init__(self, row: int, cell: bytes) -> None:
        super().__init__(f"{cell[:40]!r} is not text in UTF-8")
        self.row = row


class QuotingProblem(Exception):
    """A quotation mark is not closed, or not doubled within a cell."""

    def __init__(self, row: int, error: csv.Error) -> None:
        super().__init__(str(error))
        self.row = row


def read_rows(
    path: Path, *, separator: str = ",", quoted: bool = True, strict: bool = True
) -> Iterator[tuple[int, list[str]]]:
    """Yield (number, cells) of every row of a UTF-8 file. The first row is 1; empty rows at the end are left out.

    Python's reader follows the quoting of spreadsheets and knows its row. polars reads a title such as ``12" mix`` as
    the beginning of a cell of many lines. A large file gets a progress bar.

    Args:
        path: The file.
        separator: The character between two cells.
        quoted: Quotation marks hold a cell together; else they are text as any other.
        strict: A mark within such a cell that is not doubled is an error; else it is text, as data frames read it.

    Raises:
        EncodingProblem: A cell is not text in UTF-8.
        QuotingProblem: The quotation marks are wrong, or the file ends within a cell.
        OSError: The file cannot be read.
    """
    limit = csv.field_size_limit(_CELL_CHARACTERS)
    number = 0
    empty: list[tuple[int, list[str]]] = []
    try:
        with _opened(path) as file:
            reader = csv.reader(
                file, delimiter=separator, quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE, strict=strict
            )
            for number, cells in enumerate(reader, 1):
                if not cells:
                    empty.append((number, cells))
                    continue
                if not "".join(cells).isascii():
                    for cell in filter(_UNDECODED.search, cells):
                        raise EncodingProblem(number, cell.encode(errors="surrogateescape"))
                yield from empty
                empty.clear()
                yield number, cells
    except csv.Error as error:
        raise QuotingProblem(number + 1, error) from None
    finally:
        csv.field_size_limit(limit)


def read_first_line(path: Path) -> str:
    """Return the first line of a text file, whatever its encoding."""
    with open(path, newline="", encoding="utf-8-sig", errors="replace") as file:
        return file.readline()


def write_csv(
    path: str | Path,
    header: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    error: type[MusicrecError] = MusicrecError,
) -> Path:
    """Replace a file by a CSV table.

    Args:
        path: The file.
        header: The names of the columns.
        rows: The cells of each row; None is an empty cell.
        error: What to raise where the file cannot be written.

    Returns:
        The path.
    """
    with atomic_write(path, error=error) as file:
        csv.writer(file).writerows([header, *rows])
    return Path(path)


def write_records(
    path: str | Path, records: Sequence[Mapping[str, object]], *, error: type[MusicrecError] = MusicrecError
) -> Path:
    """Replace a file by a CSV table with one row per record.

    The columns are those of all records, in the order in which they first appear; a record without one has an empty
    cell.

    Args:
        path: The file.
        records: {column: value} of each row.
        error: What to raise where the file cannot be written.

    Returns:
        The path.
    """
    header = list(dict.fromkeys(name for record in records for name in record))
    return write_csv(path, header, ([record.get(name) for name in header] for record in records), error=error)


def _opened(path: Path) -> AbstractContextManager[IO[str]]:
    if os.path.getsize(path) < _LARGE_BYTES:
        return open(path, newline="", encoding="utf-8-sig", errors="surrogateescape")
    return progress.open(
        path,
        "r",
        newline="",
        encoding="utf-8-sig",
        errors="surrogateescape",
        description=f"Reading {path.name}",
        console=error_console(),
        transient=True,
    )
