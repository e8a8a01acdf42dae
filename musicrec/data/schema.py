"""The columns of a manifest, their types, and the check of every cell."""

import difflib
import os
import re
from collections import Counter
from collections.abc import Callable, Sequence

import polars as pl

from musicrec.config.number_types import BPM_RANGE, DURATION_RANGE_S
from musicrec.errors import ManifestError
from musicrec.heads.beat_times import parse_beats
from musicrec.heads.keys import PITCH_CLASSES, parse_key

UNIT_FEATURES = ("danceability", "energy", "acousticness", "instrumentalness", "liveness", "valence")
LABELS = {
    "genre": pl.String,
    "tags": pl.List(pl.String),
    "instruments": pl.List(pl.String),
    "bpm": pl.Float64,
    "key": pl.Int8,
    "mode": pl.String,
    "time_signature": pl.Int8,
    **dict.fromkeys(UNIT_FEATURES, pl.Float64),
    "loudness": pl.Float64,
    "beats": pl.String,
}
REQUIRED = ("track_id", "path")
SCHEMA = {
    **dict.fromkeys((*REQUIRED, "split", "artist", "album", "title"), pl.String),
    **LABELS,
    "duration_s": pl.Float64,
}
ROW = "row number in the file"  # a column that exists only while a manifest is read

RANGES = {
    "bpm": BPM_RANGE,
    **dict.fromkeys(UNIT_FEATURES, (0.0, 1.0)),
    "loudness": (
        -200.0,
        100.0,
    ),  # in dB; wide enough for any scale, narrow enough to refuse an identifier in the wrong column
    "duration_s": DURATION_RANGE_S,
}

_OTHER_NAMES = {"tempo": "bpm"}  # names of columns in other datasets, such as dumps of Spotify
_NOT_MISSPELT = ("duration", "duration_ms")  # similar to "duration_s", but may have other units: kept as they are
_SHOWN = 20


class Problems:
    """Collects the problems of one table, to report them all at once.

    All problems are counted; only the messages that will be shown are kept.

    Args:
        source: The file, for the message.
    """

    def __init__(self, source: str | os.PathLike):
        self.source = source
        self._counts: Counter[str] = Counter()
        self._first: list[tuple[int, str]] = []

    def add(self, row: int, column: str, message: str) -> None:
        """Add one problem.

        Args:
            row: Row of the file; 1 is the header, 0 stands for the file as a whole.
            column: Name of the column, "" for none.
            message: The value, and what was expected.
        """
        self._counts[column] += 1
        if self._counts[column] <= _SHOWN:
            place = [f"row {row}"] * (row > 0) + [column] * bool(column)
            self._first.append((row, f"{', '.join(place)}: {message}" if place else message))

    def add_cells(self, rows: pl.Series, column: str, values: pl.Series, bad: pl.Series, expected: str) -> None:
        """Add every cell that is bad.

        Args:
            rows: Row of the file of each cell.
            column: Name of the column.
            values: The cells as they are in the file.
            bad: True for the cells to add; null counts as false.
            expected: What the cells should hold.
        """
        count = int(bad.sum() or 0)
        if not count:
            return
        head = pl.DataFrame({"row": rows, "value": values}).filter(bad).head(_SHOWN)
        for row, value in head.iter_rows():
            self.add(row, column, f"{'empty' if value is None else repr(value)}, expected {expected}")
        self._counts[column] += count - head.height

    def raise_if_any(self) -> None:
        """Raise a ManifestError with the first problems and the number of all, if there are any."""
        total = self._counts.total()
        if not total:
            return
        shown = [message for _, message in sorted(self._first, key=lambda item: item[0])[:_SHOWN]]
        lines = [f"{self.source}: {total} problem{'s' * (total > 1)}", *shown]
        if total > len(shown):
            by_column = ", ".join(f"{column or 'file'} {count}" for column, count in self._counts.items())
            lines.append(f"and {total - len(shown)} more (in all: {by_column})")
        raise ManifestError("\n  ".join(lines))


def with_all_columns(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the rows with all columns of `SCHEMA` in its order: absent ones null, additional ones last."""
    absent = [pl.lit(None, dtype).alias(name) for name, dtype in SCHEMA.items() if name not in frame.columns]
    extra = [name for name in frame.columns if name not in SCHEMA]
    return frame.with_columns(absent).select(*SCHEMA, *extra)


def check_header(header: list[str], problems: Problems, required: Sequence[str] = REQUIRED) -> None:
    """Add a problem for every required column that is missing and every column that looks misspelt.

    Args:
        header: The names of the columns in the file.
        problems: Receives the problems.
        required: Columns that must be present.
    """
    absent = [name for name in SCHEMA if name not in header]
    for name in header:
        if name not in SCHEMA and name.lower() not in _NOT_MISSPELT:
            usual_name = _OTHER_NAMES.get(name.lower(), name.lower())
            for meant in difflib.get_close_matches(usual_name, absent, n=1, cutoff=0.8):
                problems.add(1, name, f"unknown column; did you mean {meant!r}?")
    for name in required:
        if name not in header:
            problems.add(1, name, f"required column is missing; the file has {', '.join(header) or 'none'}")


def check_cells(raw: pl.DataFrame, problems: Problems) -> pl.DataFrame:
    """Convert every known column to its type in `SCHEMA`.

    Args:
        raw: The table as read, with the column `ROW`.
        problems: Receives every bad cell.

    Returns:
        The table with bad cells null.
    """
    rows, columns = raw[ROW], {}
    for name, dtype in SCHEMA.items():
        if name not in raw.columns or name in ("key", "mode"):
            continue
        column = raw[name]
        try:
            if dtype == pl.Float64:
                columns[name] = _numbers(column, rows, problems, *RANGES[name])
            elif dtype == pl.List(pl.String):
                columns[name] = _lists(column)
            elif name == "time_signature":
                expected = "beats per bar such as 4, 4/4 or 6/8, or an empty cell"
                columns[name] = _parsed(column, rows, problems, _beats_per_bar, pl.Int8, expected)
            elif name == "beats":
                columns[name] = _beats(column, rows, problems)
            else:
                columns[name] = _text(column, strip=name in ("split", "genre"))
        except pl.exceptions.PolarsError:
            problems.add(1, name, f"the column holds {column.dtype}, expected {dtype}")
    columns.update(_keys_and_modes(raw, rows, problems))
    return raw.with_columns(**columns)


def _text(column: pl.Series, *, strip: bool) -> pl.Series:
    text = column.cast(pl.String)
    stripped = text.str.strip_chars()
    return (stripped if strip else text).set(stripped == "", None)


def _lists(column: pl.Series) -> pl.Series:
    if not isinstance(column.dtype, pl.List):
        column = _text(column, strip=True).str.split("|")
    items = pl.element().str.strip_chars()
    return column.cast(pl.List(pl.String)).list.eval(items.filter(items != ""))


def _numbers(column: pl.Series, rows: pl.Series, problems: Problems, low: float, high: float) -> pl.Series:
    if column.dtype == pl.String:
        text = _text(column, strip=True)
        numbers = text.cast(pl.Float64, strict=False)
        bad = (text.is_not_null() & numbers.is_null()) | numbers.is_nan().fill_null(False)
    else:
        numbers = column.cast(pl.Float64).fill_nan(None)  # data frame libraries write NaN for a missing number
        bad = pl.Series([False]).new_from_index(0, len(column))
    bad = bad | ~numbers.is_between(low, high).fill_null(True)
    problems.add_cells(rows, column.name, column, bad, f"a number from {low:g} to {high:g}, or an empty cell")
    return numbers.set(bad, None)


def _parsed(
    column: pl.Series, rows: pl.Series, problems: Problems, parse: Callable, dtype: pl.DataType, expected: str
) -> pl.Series:
    """Parse a column. `parse` is called once per distinct cell, and raises ValueError for a cell it cannot read."""
    text = _text(column, strip=True).str.strip_suffix(".0")  # data frame libraries write whole numbers as floats
    known, values = [], []
    for cell in text.drop_nulls().unique():
        try:
            values.append(parse(cell))
            known.append(cell)
        except ValueError:
            continue
    parsed = text.replace_strict(known, values, default=None, return_dtype=dtype) if known else text.clear(len(text))
    problems.add_cells(rows, column.name, column, text.is_not_null() & parsed.is_null(), expected)
    return parsed.cast(dtype)


def _beats(column: pl.Series, rows: pl.Series, problems: Problems) -> pl.Series:
    """Return the column as text. A cell has hundreds of beats, so a problem shows the first bad one only."""
    text = _text(column, strip=True)
    for row, cell in zip(rows, text, strict=True):
        try:
            parse_beats(cell)
        except ManifestError as error:
            problems.add(row, column.name, str(error))
    return text


def _keys_and_modes(raw: pl.DataFrame, rows: pl.Series, problems: Problems) -> dict[str, pl.Series]:
    """Return the columns key (pitch class) and mode. A key such as ``A minor`` fills an empty cell of mode."""
    columns = {}
    try:
        if "mode" in raw.columns:
            expected = "major, minor, 1 (major) or 0 (minor), or an empty cell"
            columns["mode"] = _parsed(raw["mode"], rows, problems, _mode, pl.String, expected)
        if "key" in raw.columns:
            expected = "a note such as C, F# or Bb, a key such as A minor or 8A, or an empty cell"
            keys = _parsed(raw["key"], rows, problems, _key, pl.String, expected)  # "9 minor", "9 "
            columns["key"] = keys.str.extract(r"^(\d+)").cast(pl.Int8)
            key_modes = keys.str.extract(r"(\w+)$").set(keys.str.ends_with(" "), None)
            modes = columns.get("mode", key_modes)
            conflict = (modes != key_modes).fill_null(False)
            problems.add_cells(rows, "key", raw["key"], conflict, "the same mode as in the mode column")
            columns["mode"] = pl.select(pl.coalesce(modes, key_modes)).to_series().alias("mode")
    except pl.exceptions.PolarsError:
        problems.add(1, "key", "the columns key and mode hold neither text nor numbers")
    return columns


def _key(cell: str) -> str:
    if cell.isdecimal():
        pitch_class, mode = int(cell), None
        if pitch_class >= len(PITCH_CLASSES):
            raise ValueError(cell)
    else:
        pitch_class, mode = parse_key(cell)
    return f"{pitch_class} {mode or ''}"


def _mode(cell: str) -> str:
    names = {"major": "major", "maj": "major", "1": "major", "true": "major"}
    names |= {"minor": "minor", "min": "minor", "0": "minor", "false": "minor"}
    if cell.lower() not in names:
        raise ValueError(cell)
    return names[cell.lower()]


def _beats_per_bar(cell: str) -> int:
    match = re.fullmatch(r"(\d{1,2})(?:/(?:1|2|4|8|16|32))?", cell)
    if match is None or not 1 <= int(match[1]) <= 32:
        raise ValueError(cell)
    return int(match[1])
