"""Write tables as CSV, completely or not at all."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from musicrec.errors import MusicrecError
from musicrec.system.atomic_write import atomic_write


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
    """
    header = list(dict.fromkeys(name for record in records for name in record))
    return write_csv(path, header, ([record.get(name) for name in header] for record in records), error=error)
