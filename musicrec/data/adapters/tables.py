"""The tables and small text files of public datasets, read so that damage is told by file, row, column and value."""

import itertools
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import polars as pl

from musicrec.errors import ManifestError
from musicrec.system import csv_table
from musicrec.system.csv_table import EncodingProblem, QuotingProblem

_ROWS_AT_ONCE = 4_096  # rows held as Python objects; the others are columns already


def damaged_file(path: Path, what: str, *, row: int | None = None, column: str = "") -> ManifestError:
    """The error for a file of a dataset that is not as its publisher made it. row: 1 is the header."""
    place = ", ".join([f"row {row}"] * (row is not None) + [column] * bool(column))
    return ManifestError(f"{path}: {place}{': ' * bool(place)}{what}; fetch the file again")


def read_text_file(path: Path) -> str:
    """The text of a small file, without the white space around it. Raises ManifestError where it is none."""
    try:
        return path.read_text(encoding="utf-8-sig").strip()
    except OSError as error:
        raise unreadable_file(path, error) from None
    except UnicodeDecodeError as error:
        raise damaged_file(path, f"{error.object[:20]!r} is not text in UTF-8") from None


def read_rows(
    path: Path, *, separator: str = ",", quoted: bool = True, strict: bool = True
) -> Iterator[tuple[int, list[str]]]:
    """The number of each row, from 1, and its cells; empty rows at the end do not count.

    quoted: quotation marks hold a cell together; else they are text as any other. strict: a mark within such a cell
    that is not doubled is damage; else it is text, as data frames read it.

    Raises:
        ManifestError: the file cannot be read, is not UTF-8, or ends within a cell.
    """
    try:
        yield from csv_table.read_rows(path, separator=separator, quoted=quoted, strict=strict)
    except OSError as error:
        raise unreadable_file(path, error) from None
    except EncodingProblem as problem:
        raise damaged_file(path, str(problem), row=problem.row) from None
    except QuotingProblem as problem:
        what = f"the quotation marks are wrong, or it is cut off ({problem})"
        raise damaged_file(path, what, row=problem.row) from None


def read_table(path: Path, *, columns: Collection[str], separator: str = ",") -> pl.DataFrame:
    """A table of a dataset, every cell as text, an empty one null. Its first row stands in row 2 of the file.

    Raises:
        ManifestError: it cannot be read, lacks one of the columns, has no row, or a row of another length.
    """
    lines = read_rows(path, separator=separator)
    _, header = next(lines, (1, []))
    absent = [name for name in columns if name not in header]
    if absent:
        has = f"{', '.join(header[:12])[:200]} …" if header else "nothing"
        raise damaged_file(path, f"has no column {', '.join(absent)} (it has {has})")
    return collect_columns(lines, {name: place for place, name in enumerate(header)}, width=len(header), path=path)


def collect_columns(
    lines: Iterator[tuple[int, list[str]]], places: Mapping[str, int], *, width: int, path: Path
) -> pl.DataFrame:
    """Some columns of what `rows` still gives. places: {name: place of the column}. width: cells that a row has."""
    schema = dict.fromkeys(places, pl.String)
    frames = []
    while block := list(itertools.islice(lines, _ROWS_AT_ONCE)):
        for number, cells in block:
            if len(cells) != width:
                what = f"{len(cells)} cells, expected {width}"
                raise damaged_file(path, f"{what}; it begins with {', '.join(cells)[:60]!r}", row=number)
        cells_of = ([cells[place] for _, cells in block] for place in places.values())
        frames.append(pl.DataFrame(dict(zip(places, cells_of, strict=True)), schema=schema))
    if not frames:
        raise damaged_file(path, "has a header, and no row below it")
    return pl.concat(frames).with_columns(pl.col(pl.String).replace("", None))


def check_column(
    frame: pl.DataFrame, column: str, good: pl.Expr, expected: str, *, path: Path, called: str = "", first_row: int = 2
) -> None:
    """Raise ManifestError where a cell of a column is not good, or an empty one is neither good nor bad.

    called: the name of the column in the file. first_row: the row of the file that the frame's first row was.
    """
    bad = frame.with_row_index("row", first_row).filter(~good.fill_null(False))
    if bad.height:
        value = bad[column][0]
        more = f" (and {bad.height - 1:,} more such rows)" if bad.height > 1 else ""
        what = f"{'empty' if value is None else repr(value[:60])}, expected {expected}{more}"
        raise damaged_file(path, what, row=bad["row"][0], column=called or column)


def unreadable_file(path: Path, error: OSError) -> ManifestError:
    return ManifestError(f"{path}: cannot be read ({error.strerror or error}); make it readable, or fetch it again")
