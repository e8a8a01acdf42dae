"""Read tables and small text files of public datasets; errors name the file, row, column and value."""

import itertools
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import polars as pl

from musicrec.errors import ManifestError
from musicrec.system import csv_table
from musicrec.system.csv_table import EncodingProblem, QuotingProblem

_BLOCK_ROWS = 4_096  # rows that are held as Python objects at a time, which limits the memory


def damaged_file(path: Path, what: str, *, row: int | None = None, column: str = "") -> ManifestError:
    """Return the error for a file that is not as its publisher made it.

    Args:
        path: The file.
        what: What is wrong.
        row: Row of the file; 1 is the header.
        column: Name of the column, "" for none.
    """
    place = ", ".join([f"row {row}"] * (row is not None) + [column] * bool(column))
    return ManifestError(f"{path}: {place}{': ' * bool(place)}{what}; download the file again")


def read_text_file(path: Path) -> str:
    """Read a small text file, and return its text without surrounding white space.

    Raises:
        ManifestError: If the file cannot be read or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig").strip()
    except OSError as error:
        raise unreadable_file(path, error) from None
    except UnicodeDecodeError as error:
        raise damaged_file(path, f"{error.object[:20]!r} is not text in UTF-8") from None


def read_rows(
    path: Path, *, separator: str = ",", quoted: bool = True, strict: bool = True
) -> Iterator[tuple[int, list[str]]]:
    """Yield (row number from 1, cells) of a table, without empty rows at the end.

    Args:
        path: The table.
        separator: Character between cells.
        quoted: Whether quotation marks enclose cells; if not, they are ordinary text.
        strict: Whether a single quotation mark within a quoted cell is damage; if not, it is ordinary text.

    Yields:
        The number of the row and its cells.

    Raises:
        ManifestError: If the file cannot be read, is not UTF-8, or ends within a cell.
    """
    try:
        yield from csv_table.read_rows(path, separator=separator, quoted=quoted, strict=strict)
    except OSError as error:
        raise unreadable_file(path, error) from None
    except EncodingProblem as problem:
        raise damaged_file(path, str(problem), row=problem.row) from None
    except QuotingProblem as problem:
        what = f"a quotation mark is wrong, or the file is cut off ({problem})"
        raise damaged_file(path, what, row=problem.row) from None


def read_table(path: Path, *, columns: Collection[str], separator: str = ",") -> pl.DataFrame:
    """Read a table with a header, with every cell as text and empty cells as null.

    Args:
        path: The table.
        columns: Columns that it must have.
        separator: Character between cells.

    Returns:
        All columns. The first row of the frame is row 2 of the file.

    Raises:
        ManifestError: If the table cannot be read, lacks one of the columns, has no rows, or has a row of another
            length.
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
    """Collect columns from the remaining rows of `read_rows`.

    Args:
        lines: What `read_rows` returned.
        places: {name: index of the column}.
        width: Number of cells that each row must have.
        path: The file, for messages.

    Returns:
        The columns as text, empty cells as null.

    Raises:
        ManifestError: If there is no row, or a row of another length.
    """
    schema = dict.fromkeys(places, pl.String)
    frames = []
    while block := list(itertools.islice(lines, _BLOCK_ROWS)):
        for number, cells in block:
            if len(cells) != width:
                what = f"{len(cells)} cells, expected {width}"
                raise damaged_file(path, f"{what}; it begins with {', '.join(cells)[:60]!r}", row=number)
        cells_of = ([cells[place] for _, cells in block] for place in places.values())
        frames.append(pl.DataFrame(dict(zip(places, cells_of, strict=True)), schema=schema))
    if not frames:
        raise damaged_file(path, "has a header but no rows")
    return pl.concat(frames).with_columns(pl.col(pl.String).replace("", None))


def check_column(
    frame: pl.DataFrame, column: str, good: pl.Expr, expected: str, *, path: Path, called: str = "", first_row: int = 2
) -> None:
    """Raise a ManifestError for the first cell of a column that is not good.

    Args:
        frame: The table.
        column: Name of the column in the frame.
        good: True for good cells; null counts as bad.
        expected: What the cells should hold.
        path: The file, for the message.
        called: Name of the column in the file, if another.
        first_row: Row of the file that is the first of the frame.
    """
    bad = frame.with_row_index("row", first_row).filter(~good.fill_null(False))
    if bad.height:
        value = bad[column][0]
        more = f" (and {bad.height - 1:,} more such rows)" if bad.height > 1 else ""
        what = f"{'empty' if value is None else repr(value[:60])}, expected {expected}{more}"
        raise damaged_file(path, what, row=bad["row"][0], column=called or column)


def unreadable_file(path: Path, error: OSError) -> ManifestError:
    """Return the error for a file or folder that cannot be read."""
    return ManifestError(f"{path}: cannot be read ({error.strerror or error}); make it readable, or download it again")
