"""Labels of one's own music from a table: its rows find their files, and its values come before those of the tags."""

import os
from pathlib import Path
from unicodedata import normalize

import polars as pl

from musicrec.data.checks import DatasetReport, count_of, first_few
from musicrec.data.manifest import read_manifest
from musicrec.data.schema import REQUIRED, SCHEMA
from musicrec.errors import ManifestError


def read_labels(labels: Path, files: list[str], top: Path, report: DatasetReport) -> pl.DataFrame:
    """The table of labels, its paths those of the files; rows that fit no file are left out and reported.

    A path is relative to the table or to the folder of the music, or absolute; with slashes or backslashes, and its
    accents as one character or two, as file systems differ in both.

    Raises ManifestError where the table has a problem, no row fits, or several rows are of one file.
    """
    table = read_manifest(labels, check_files=False, required=("path",))
    beside, below = f"{os.path.abspath(labels.parent).rstrip('/')}/", f"{str(top).rstrip('/')}/"
    written = table["path"].str.strip_prefix(beside)
    by_name = {normalize("NFC", path): path for path in files} | {path: path for path in files}

    def file_of(path: str) -> str | None:
        tried = [place + name for name in (path, path.replace("\\", "/")) for place in (beside, below)]
        if path.startswith("/"):
            tried = [path]
        return next((by_name[p] for q in tried for p in (q, normalize("NFC", q)) if p in by_name), None)

    paths = pl.Series([file_of(path) for path in written], dtype=pl.String)
    lost = _with_hints(written.filter(paths.is_null()), files, below)
    if len(lost) == table.height:
        raise ManifestError(
            f"data.labels={labels}: fits none of the audio files below data.root={top}; its column path is to hold "
            f"paths relative to the table or to data.root, and holds {first_few(lost, 3)}"
        )
    table = table.with_columns(path=paths).drop_nulls("path")
    again = table.filter(~pl.col("path").is_first_distinct())["path"].unique(maintain_order=True)
    if len(again):
        names = first_few([path.removeprefix(below) for path in again])
        raise ManifestError(
            f"data.labels={labels}: {count_of(again, 'file')} with more than one row: {names}; keep one"
        )
    report.ok(f"{labels.name}: labels for {table.height:,} of {count_of(files, 'audio file')}")
    if lost:
        report.warn(f"{labels.name}: {count_of(lost, 'row')} without a file below {top}", lost)
    further = [name for name in table.columns if name not in SCHEMA]
    if further:
        report.note(f"{labels.name}: columns that this program does not know, kept as they are", further)
    return table


def _with_hints(lost: pl.Series, files: list[str], below: str) -> list[str]:
    """Paths that fit no file, and in brackets a file that may be meant: the same name elsewhere, of another format, or
    in capitals."""

    def folded(path: str) -> str:
        return os.path.splitext(path.replace("\\", "/").rsplit("/", 1)[-1])[0].casefold()

    meant = {folded(path): path.removeprefix(below) for path in reversed(files)}
    return [f"{path} (there is {meant[folded(path)]})" if folded(path) in meant else path for path in lost]


def merge_labels(frame: pl.DataFrame, table: pl.DataFrame) -> pl.DataFrame:
    """The values of the table, and where it has none those of the tags. A key brings its mode along."""
    used = [name for name in table.columns if name not in REQUIRED and table[name].null_count() < table.height]
    of_table = table.select("path", pl.col(used).name.suffix(" in the table"))
    joined = frame.join(of_table, on="path", how="left", maintain_order="left")
    values = {name: pl.coalesce(*(c for c in (f"{name} in the table", name) if c in joined.columns)) for name in used}
    if "key" in used:
        mode = pl.col("mode in the table") if "mode" in used else pl.lit(None, pl.String)
        values["mode"] = pl.when(pl.col("key in the table").is_null()).then(values.get("mode", "mode")).otherwise(mode)
    return joined.with_columns(**values).drop(pl.selectors.ends_with(" in the table"))
