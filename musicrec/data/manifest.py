"""The one table every dataset becomes: a row a track, missing labels missing.

`read_manifest` gives a frame with the columns of `musicrec.data.schema.SCHEMA` in that order, whatever the file leaves
out, then the file's further columns as they are (text, if from CSV). An empty cell is a missing label (null), never
zero; in the list columns a lone ``|`` is a track that was looked at and has none. In the frame a key is a pitch class
(C = 0) and a path absolute; in CSV a key is a note name, and a path relative to the manifest's folder if it lies below.
"""

import csv
import hashlib
import itertools
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl

from musicrec.audio import AUDIO_SUFFIXES
from musicrec.data.schema import LABELS, REQUIRED, ROW, Problems, check_cells, check_header, complete
from musicrec.errors import ManifestError
from musicrec.keys import PITCH_CLASSES

_CSV_ROWS_AT_ONCE = 4_096  # rows held as Python objects; the others are columns already


def read_manifest(
    path: str | os.PathLike, *, check_files: bool = True, required: Sequence[str] = REQUIRED
) -> pl.DataFrame:
    """Read and validate a manifest: CSV (commas or tabs) or Parquet.

    Args:
        path: the manifest; the paths in it are relative to its folder, or absolute.
        check_files: also make sure that every audio file exists.
        required: columns that must be there; a table of labels by path needs no track_id.

    Raises:
        ManifestError: lists every problem of the file at once, by row (the header is row 1), column, value and what
            was expected.
    """
    path, problems = Path(path), Problems(path)
    parquet = _is_parquet(path)
    try:
        raw = pl.read_parquet(path) if parquet else _read_csv(path, problems)
    except FileNotFoundError:
        raise ManifestError(f"{path}: no such manifest") from None
    except (OSError, UnicodeDecodeError, pl.exceptions.PolarsError) as error:
        reason = str(error).splitlines()[0]
        raise ManifestError(f"{path}: cannot be read as {'Parquet' if parquet else 'CSV in UTF-8'}: {reason}") from None
    check_header([name for name in raw.columns if name != ROW], problems, required)
    if parquet:
        raw = raw.with_row_index(ROW, offset=1)
    elif ROW not in raw.columns:
        problems.raise_if_any()
    if raw.is_empty():
        problems.add(0, "", "no rows, expected at least one track")
    frame = check_cells(raw, problems)
    _check_tracks(raw, frame, os.path.abspath(path.parent), problems, check_files=check_files)
    problems.raise_if_any()
    return complete(_with_absolute_paths(frame, os.path.abspath(path.parent)).drop(ROW))


def write_manifest(frame: pl.DataFrame, path: str | os.PathLike) -> None:
    """Write a manifest that `read_manifest` reads back equal: Parquet by suffix, tabs for ``.tsv``, else CSV.

    Paths below the manifest's folder are written relative to it, so that the folder can be moved. Columns that hold
    only nulls are left out. The file appears whole or not at all.

    Raises:
        ManifestError: the file cannot be written, or CSV cannot hold what the frame holds.
    """
    path = Path(path)
    folder = os.path.abspath(path.parent).rstrip("/") + "/"
    used = [name for name in frame.columns if name in REQUIRED or frame[name].null_count() < frame.height]
    out = frame.select(used).with_columns(pl.col("path").str.strip_prefix(folder))
    if not _is_parquet(path):
        out = _csv_columns(out, path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            if _is_parquet(path):
                out.write_parquet(file)
            else:
                out.write_csv(file, separator="\t" if path.suffix.lower() == ".tsv" else ",")
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise ManifestError(f"{path}: cannot be written: {error.strerror or error}") from None


def manifest_hash(frame: pl.DataFrame) -> str:
    """SHA-256 (hexadecimal) over track_id, split and labels: the same for any order of rows or tags, in any folder."""
    digest = hashlib.sha256()
    ordered = complete(frame).sort("track_id")
    for name in ("track_id", "split", *LABELS):
        column = ordered[name]
        digest.update(f"\x1d{name}\x1d".encode())
        digest.update(column.is_null().to_numpy().tobytes())
        if isinstance(column.dtype, pl.List):
            joined = column.list.join("\x1f")  # sorted in Python: 30 times as fast as polars' sort inside lists
            column = pl.Series([text and "\x1f".join(sorted(text.split("\x1f"))) for text in joined], dtype=pl.String)
        if column.dtype == pl.String:
            digest.update(column.fill_null("").str.join("\x1e").item().encode())
        else:
            digest.update(column.cast(pl.Float64).fill_null(0.0).to_numpy().astype("<f8").tobytes())
    return digest.hexdigest()


def scan_folder(folder: str | os.PathLike) -> pl.DataFrame:
    """A manifest without labels of every audio file below a folder, sorted; hidden files and folders are left out.

    The track_id is the path below the folder without its suffix, or with it where two files differ in nothing else.

    Raises:
        ManifestError: there is no such folder, no audio file below it, or a file name that is not UTF-8.
    """
    top = os.path.abspath(folder)
    if not os.path.isdir(top):
        raise ManifestError(f"{folder}: no such folder")
    found = []
    for parent, folders, files in os.walk(top):
        folders[:] = [name for name in folders if not name.startswith(".")]
        audio = [name for name in files if os.path.splitext(name)[1].lower() in AUDIO_SUFFIXES]
        found += [os.path.relpath(os.path.join(parent, name), top) for name in audio if not name.startswith(".")]
    if not found:
        raise ManifestError(f"{folder}: no audio file below it (looked for {', '.join(sorted(AUDIO_SUFFIXES))})")
    for name in found:
        if any("\ud800" <= character <= "\udfff" for character in name):
            raise ManifestError(f"{folder}: file name {os.fsencode(name)!r} is not UTF-8; rename the file")
    found.sort()
    alike = Counter(os.path.splitext(name)[0] for name in found)
    track_ids: dict[str, None] = {}
    for name in found:
        stem = os.path.splitext(name)[0]
        track_id = stem if alike[stem] == 1 else name
        while track_id in track_ids:  # a.flac and a.mp3 beside a.flac.wav
            track_id += "~"
        track_ids[track_id] = None
    return complete(pl.DataFrame({"track_id": list(track_ids), "path": [os.path.join(top, name) for name in found]}))


def _is_parquet(path: Path) -> bool:
    return path.suffix.lower() in (".parquet", ".pq")


def _read_csv(path: Path, problems: Problems) -> pl.DataFrame:
    """All columns as text, and `ROW`. Python's reader keeps to the quoting of spreadsheets and knows the row it is at;
    polars reads a title such as ``12" mix`` as the beginning of a cell of many lines."""
    frames = []
    with open(path, newline="", encoding="utf-8-sig") as file:
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
        frames.append(pl.DataFrame(schema=schema))
        while block := list(itertools.islice(rows, _CSV_ROWS_AT_ONCE)):
            for number, cells in block:
                if len(cells) > len(header):
                    problems.add(number, "", f"{len(cells)} cells, expected {len(header)} as in the header")
                cells += [""] * (len(header) - len(cells))
            filled = [(*cells[: len(header)], number) for number, cells in block if any(cells)]
            columns = zip(*filled, strict=True) if filled else [()] * len(schema)
            series = [pl.Series(*item) for item in zip(schema, columns, schema.values(), strict=True)]
            frames.append(pl.DataFrame(series))
    return pl.concat(frames).with_columns(pl.col(pl.String).replace("", None))


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


def _with_absolute_paths(frame: pl.DataFrame, folder: str) -> pl.DataFrame:
    joined = pl.concat_str(pl.lit(folder.rstrip("/") + "/"), "path").str.replace_all(r"/(?:\./)+|//+", "/")
    return frame.with_columns(pl.when(pl.col("path").str.starts_with("/")).then("path").otherwise(joined).alias("path"))


def _check_tracks(
    raw: pl.DataFrame, frame: pl.DataFrame, folder: str, problems: Problems, *, check_files: bool
) -> None:
    """Every row has a track_id of its own and the path of a file."""
    rows = raw[ROW]
    if "track_id" in raw.columns:
        track_ids = frame["track_id"]
        problems.add_cells(rows, "track_id", track_ids, track_ids.is_null(), "a name for the track")
        again = track_ids.is_not_null() & ~track_ids.is_first_distinct()
        problems.add_cells(rows, "track_id", track_ids, again, "a name that no other row has")
    if "path" in raw.columns:
        paths = frame["path"]
        problems.add_cells(rows, "path", paths, paths.is_null(), "the path of an audio file")
        if check_files:
            absolute = _with_absolute_paths(frame, folder)["path"]
            absent = absolute.is_in(_not_files(absolute.drop_nulls().unique()))
            problems.add_cells(rows, "path", paths, absent, f"an existing file (relative paths start at {folder})")


def _not_files(paths: pl.Series) -> list[str]:
    """Those where there is no file."""

    def look(part: pl.DataFrame) -> list[str]:
        return [path for path in part["path"] if not os.path.isfile(path)]

    with ThreadPoolExecutor(8) as pool:  # what takes the time, mostly on network disks, is the waiting
        return list(itertools.chain(*pool.map(look, pl.DataFrame({"path": paths}).iter_slices(1024))))


def _csv_columns(frame: pl.DataFrame, path: Path) -> pl.DataFrame:
    """The frame as CSV can hold it: lists joined with ``|``, keys as note names."""
    columns = []
    for name, dtype in frame.schema.items():
        column = pl.col(name)
        if isinstance(dtype, pl.List) and dtype.inner in (pl.String, pl.Null):
            if frame[name].explode().str.contains("|", literal=True).any():
                raise ManifestError(f"{path}: an item of {name} holds '|', which separates items; write .parquet")
            joined = column.cast(pl.List(pl.String)).list.join("|")
            columns.append(pl.when(column.list.len() == 0).then(pl.lit("|")).otherwise(joined).alias(name))
        elif dtype.is_nested() or dtype == pl.Binary:
            raise ManifestError(f"{path}: column {name} holds {dtype}, which CSV cannot; write .parquet")
        elif name == "key" and dtype.is_integer():
            columns.append(column.replace_strict(dict(enumerate(PITCH_CLASSES)), return_dtype=pl.String))
    return frame.with_columns(columns)
