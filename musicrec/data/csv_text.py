"""Read tables in CSV as people and spreadsheets write them, with every cell as text."""

import itertools
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from musicrec.data.schema import ROW, Problems
from musicrec.errors import ManifestError
from musicrec.system.csv_table import EncodingProblem, QuotingProblem, read_first_line, read_rows

_BLOCK_ROWS = 4_096  # rows that are held as Python objects at a time, which limits the memory


def read_csv(path: Path, problems: Problems) -> pl.DataFrame:
    """Read a table whose cells are separated by commas or tabs.

    Args:
        path: The file.
        problems: Receives the problems of rows and columns.

    Returns:
        All columns as text, empty cells as null, and the row of the file as the column `ROW`.

    Raises:
        ManifestError: If the file is not such a table.
        OSError: If the file cannot be read.
    """
    commas, tabs, semicolons = (read_first_line(path).count(separator) for separator in ",\t;")
    if semicolons > max(commas, tabs):
        raise ManifestError(f"{path}: the columns are separated by semicolons; save the file with commas or tabs")
    try:
        return _frame(read_rows(path, separator="\t" if tabs > commas else ","), problems)
    except EncodingProblem as problem:
        raise ManifestError(
            f"{path}: row {problem.row}: {problem}; save the file as UTF-8, which spreadsheets call "
            '"CSV UTF-8" or offer when exporting'
        ) from None
    except QuotingProblem as problem:
        raise ManifestError(
            f"{path}: row {problem.row}: a cell begins with a quotation mark that is not closed, or text follows the "
            f"closing one ({problem}); put the whole cell in quotation marks and double those inside it"
        ) from None


def _frame(rows: Iterator[tuple[int, list[str]]], problems: Problems) -> pl.DataFrame:
    header = [name.strip() or f"unnamed column {i}" for i, name in enumerate(next(rows, (1, []))[1], start=1)]
    for name, count in Counter(header).items():
        if count > 1:
            problems.add(1, name, f"{count} columns have this name, expected one")
    if len(set(header)) < len(header):
        return pl.DataFrame(schema=dict.fromkeys(header, pl.String))
    schema = {**dict.fromkeys(header, pl.String), ROW: pl.UInt32}
    frames = [pl.DataFrame(schema=schema)]
    while block := list(itertools.islice(rows, _BLOCK_ROWS)):
        for number, cells in block:
            if len(cells) > len(header):
                problems.add(number, "", f"{len(cells)} cells, expected {len(header)} as in the header")
            cells += [""] * (len(header) - len(cells))
        filled = [(*cells[: len(header)], number) for number, cells in block if any(cells)]
        columns = zip(*filled, strict=True) if filled else [()] * len(schema)
        series = [pl.Series(*item) for item in zip(schema, columns, schema.values(), strict=True)]
        frames.append(pl.DataFrame(series))
    return pl.concat(frames).with_columns(pl.col(pl.String).replace("", None))
