"""Read and write manifests, the table that every dataset is turned into, with one row per track.

A frame has the columns of `musicrec.data.schema.SCHEMA` in that order, even those that the file lacks, and then the
other columns of the file as they are (text, if from CSV). An empty cell is a missing label (null), never zero. In list
columns, ``|`` alone means that the track is known to have none. A key is a pitch class (C = 0) in a frame and a note
name in CSV. Paths are absolute in a frame; in a file, those below the manifest's folder are relative to it.
"""

import hashlib
import itertools
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl

from musicrec.data.csv_text import read_csv
from musicrec.data.schema import LABELS, REQUIRED, ROW, Problems, check_cells, check_header, with_all_columns
from musicrec.errors import ManifestError
from musicrec.heads.keys import PITCH_CLASSES
from musicrec.interchange.m3u import is_playlist
from musicrec.system.atomic_write import atomic_write
from musicrec.system.file_names import on_disk, path_on_disk

_OTHER_PLAYLISTS = frozenset({".pls", ".xspf", ".wpl", ".asx", ".cue"})


def read_manifest(
    path: str | os.PathLike, *, check_files: bool = True, required: Sequence[str] = REQUIRED
) -> pl.DataFrame:
    """Read and validate a manifest: CSV (commas or tabs) or Parquet.

    Args:
        path: The manifest; the paths in it are absolute or relative to its folder.
        check_files: Also check that every audio file exists.
        required: Columns that must be present; a table of labels by path needs no track_id.

    Returns:
        One row per track.

    Raises:
        ManifestError: If the file has problems. The message lists all of them by row (1 is the header), column, value
            and what was expected.
    """
    path = Path(path_on_disk(path))
    problems = Problems(path)
    if is_playlist(path):
        raise ManifestError(
            f"{path}: is a playlist, not a table; its tracks are a dataset with data=folder data.root={path}"
        )
    if path.suffix.lower() in _OTHER_PLAYLISTS:
        raise ManifestError(f"{path}: is a playlist of a kind that musicrec does not read; save it as M3U8")
    parquet = _is_parquet(path)
    try:
        raw = pl.read_parquet(path, glob=False) if parquet else read_csv(path, problems)
    except FileNotFoundError:
        raise ManifestError(f"{path}: no such manifest; docs/manifest.md shows what to write into it") from None
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise ManifestError(f"{path}: cannot be read as {'Parquet' if parquet else 'CSV'}: {reason}") from None
    check_header([name for name in raw.columns if name != ROW], problems, required)
    if parquet:
        raw = raw.with_row_index(ROW, offset=1)
    elif ROW not in raw.columns:
        problems.raise_if_any()
    if raw.is_empty():
        problems.add(0, "", "no rows, expected at least one track")
    frame = check_cells(raw, problems)
    frame = _check_tracks(raw, frame, os.path.abspath(path.parent), problems, check_files=check_files)
    problems.raise_if_any()
    return with_all_columns(frame.drop(ROW))


def write_manifest(frame: pl.DataFrame, path: str | os.PathLike) -> None:
    """Write a manifest that `read_manifest` reads back unchanged.

    Paths below the manifest's folder are written relative to it, so that the folder can be moved. Columns with nothing
    but nulls are left out. The file is written completely or not at all.

    Args:
        frame: One row per track.
        path: The file; ``.parquet`` and ``.pq`` are Parquet, ``.tsv`` has tabs, anything else is CSV.

    Raises:
        ManifestError: If the file cannot be written, or if CSV cannot hold a value.
    """
    path = Path(path)
    folder = os.path.abspath(path.parent).rstrip("/") + "/"
    used = [name for name in frame.columns if name in REQUIRED or frame[name].null_count() < frame.height]
    out = frame.select(used).with_columns(pl.col("path").str.strip_prefix(folder))
    if not _is_parquet(path):
        out = _csv_columns(out, path)
    with atomic_write(path, "wb", error=ManifestError) as file:
        if _is_parquet(path):
            out.write_parquet(file)
        else:
            out.write_csv(file, separator="\t" if path.suffix.lower() == ".tsv" else ",")


def manifest_hash(frame: pl.DataFrame) -> str:
    """Return the SHA-256 (hexadecimal) of track_id, split and labels; order of rows and tags do not change it."""
    digest = hashlib.sha256()
    ordered = with_all_columns(frame).sort("track_id")
    # Beats came later: manifests without them keep the hash that they had before.
    labels = [name for name in LABELS if name != "beats" or ordered[name].count()]
    for name in ("track_id", "split", *labels):
        column = ordered[name]
        digest.update(f"\x1d{name}\x1d".encode())
        digest.update(column.is_null().to_numpy().tobytes())
        if isinstance(column.dtype, pl.List):
            joined = column.list.join("\x1f")  # sorted in Python, as polars is slow at sorting inside lists
            column = pl.Series([text and "\x1f".join(sorted(text.split("\x1f"))) for text in joined], dtype=pl.String)
        if column.dtype == pl.String:
            digest.update(column.fill_null("").str.join("\x1e").item().encode())
        else:
            digest.update(column.cast(pl.Float64).fill_null(0.0).to_numpy().astype("<f8").tobytes())
    return digest.hexdigest()


def _is_parquet(path: Path) -> bool:
    return path.suffix.lower() in (".parquet", ".pq")


def _with_absolute_paths(frame: pl.DataFrame, folder: str) -> pl.DataFrame:
    joined = pl.concat_str(pl.lit(folder.rstrip("/") + "/"), "path").str.replace_all(r"/(?:\./)+|//+", "/")
    return frame.with_columns(pl.when(pl.col("path").str.starts_with("/")).then("path").otherwise(joined).alias("path"))


def _check_tracks(
    raw: pl.DataFrame, frame: pl.DataFrame, folder: str, problems: Problems, *, check_files: bool
) -> pl.DataFrame:
    """Check that every row has a track_id of its own and the path of an existing file.

    Returns:
        The frame with absolute paths; those of existing files as the disk spells them.
    """
    rows = raw[ROW]
    if "track_id" in raw.columns:
        track_ids = frame["track_id"]
        problems.add_cells(rows, "track_id", track_ids, track_ids.is_null(), "a name for the track")
        again = track_ids.is_not_null() & ~track_ids.is_first_distinct()
        problems.add_cells(rows, "track_id", track_ids, again, "a name that no other row has")
    located = frame
    if "path" in raw.columns:
        located = _with_absolute_paths(frame, folder)
        paths = frame["path"]
        problems.add_cells(rows, "path", paths, paths.is_null(), "the path of an audio file")
        if check_files:
            missing = _not_files(located["path"].drop_nulls().unique())
            spelled = {path: there for path, there in zip(missing, on_disk(missing), strict=True) if path != there}
            located = located.with_columns(pl.col("path").replace(spelled))
            missing = [path for path in missing if not os.path.isfile(spelled.get(path, path))]
            absent = located["path"].is_in([spelled.get(path, path) for path in missing])
            problems.add_cells(rows, "path", paths, absent, f"an existing file (relative paths start at {folder})")
    return located


def _not_files(paths: pl.Series) -> list[str]:
    """Return the paths where there is no file."""

    def look(part: pl.DataFrame) -> list[str]:
        return [path for path in part["path"] if not os.path.isfile(path)]

    with ThreadPoolExecutor(8) as pool:  # threads, because network disks answer slowly
        return list(itertools.chain(*pool.map(look, pl.DataFrame({"path": paths}).iter_slices(1024))))


def _csv_columns(frame: pl.DataFrame, path: Path) -> pl.DataFrame:
    """Return the frame as CSV holds it: lists joined with ``|``, keys as note names."""
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
