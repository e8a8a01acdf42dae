"""Labels of the user's music: names of folders, and a table that is merged with the tags in the files."""

import os
from pathlib import Path

import polars as pl

from musicrec.data.checks import DatasetReport, count_of, first_few
from musicrec.data.manifest import read_manifest
from musicrec.data.schema import REQUIRED, SCHEMA
from musicrec.errors import ConfigError, ManifestError
from musicrec.system.file_names import find_name, known_names


def with_folder_names(frame: pl.DataFrame, column: str, top: Path) -> pl.DataFrame:
    """Take the names of the folders directly below the folder of the music as labels.

    Args:
        frame: One row per file, with its absolute `path`.
        column: Where the names are written; they replace what is there. A file that lies in no such folder keeps it.
        top: The folder of the music.

    Raises:
        ConfigError: If the column does not hold one text.
    """
    if column in (*REQUIRED, "split", "title") or SCHEMA.get(column, pl.String) != pl.String:
        raise ConfigError(
            f"data.folder_label={column}: the names of folders cannot be this label; give a column of text, such as "
            "genre or artist"
        )
    below = pl.col("path").str.strip_prefix(f"{str(top).rstrip('/')}/")
    kept = pl.col(column) if column in frame.columns else pl.lit(None, pl.String)
    return frame.with_columns(pl.coalesce(below.str.extract("^([^/]+)/"), kept).alias(column))


def read_labels(labels: Path, files: list[str], top: Path, report: DatasetReport) -> pl.DataFrame:
    """Read a table of labels and match its rows to files; report and leave out rows that match no file.

    A path is absolute or relative to the table or to the folder of the music. It may have slashes or backslashes, and
    accents as one character or as two, as file systems differ in both.

    Args:
        labels: The table.
        files: Absolute paths of the audio files.
        top: The folder of the music.
        report: Receives the findings.

    Returns:
        The matched rows, with the paths of their files.

    Raises:
        ManifestError: If the table has problems, no row matches a file, or several rows match the same file.
    """
    table = read_manifest(labels, check_files=False, required=("path",))
    beside, below = f"{os.path.abspath(labels.parent).rstrip('/')}/", f"{str(top).rstrip('/')}/"
    written = table["path"].str.strip_prefix(beside)
    known = known_names(files)

    def file_of(path: str) -> str | None:
        tried = [place + name for name in (path, path.replace("\\", "/")) for place in (beside, below)]
        if path.startswith("/"):
            tried = [path]
        return next(filter(None, (find_name(name, known) for name in tried)), None)

    paths = pl.Series([file_of(path) for path in written], dtype=pl.String)
    lost = _with_hints(written.filter(paths.is_null()), files, below)
    if len(lost) == table.height:
        raise ManifestError(
            f"data.labels={labels}: no row matches an audio file below data.root={top}; the column path has to hold "
            f"paths relative to the table or to data.root, but holds {first_few(lost, 3)}"
        )
    table = table.with_columns(path=paths).drop_nulls("path")
    repeated = table.filter(~pl.col("path").is_first_distinct())["path"].unique(maintain_order=True)
    if len(repeated):
        names = first_few([path.removeprefix(below) for path in repeated])
        raise ManifestError(
            f"data.labels={labels}: {count_of(repeated, 'file')} with more than one row: {names}; keep one"
        )
    report.ok(f"{labels.name}: labels for {table.height:,} of {count_of(files, 'audio file')}")
    if lost:
        report.warn(f"{labels.name}: {count_of(lost, 'row')} without a matching file below {top}", lost)
    further = [name for name in table.columns if name not in SCHEMA]
    if further:
        report.note(f"{labels.name}: unknown columns, kept as they are", further)
    return table


def _with_hints(lost: pl.Series, files: list[str], below: str) -> list[str]:
    """Add to paths without a file the file that may be meant: the same name in another folder, format or case."""

    def folded(path: str) -> str:
        return os.path.splitext(path.replace("\\", "/").rsplit("/", 1)[-1])[0].casefold()

    similar = {folded(path): path.removeprefix(below) for path in reversed(files)}
    return [f"{path} (did you mean {similar[folded(path)]}?)" if folded(path) in similar else path for path in lost]


def merge_labels(frame: pl.DataFrame, table: pl.DataFrame) -> pl.DataFrame:
    """Merge the labels of the tags with those of the table, which take precedence.

    A key in the table also replaces the mode, even by a missing one.

    Args:
        frame: Labels from the tags, one row per file.
        table: Labels from the table, as `read_labels` returns them.

    Returns:
        The frame with the merged labels.
    """
    used = [name for name in table.columns if name not in REQUIRED and table[name].null_count() < table.height]
    of_table = table.select("path", pl.col(used).name.suffix(" in the table"))
    joined = frame.join(of_table, on="path", how="left", maintain_order="left")
    values = {name: pl.coalesce(*(c for c in (f"{name} in the table", name) if c in joined.columns)) for name in used}
    if "key" in used:
        mode = pl.col("mode in the table") if "mode" in used else pl.lit(None, pl.String)
        values["mode"] = pl.when(pl.col("key in the table").is_null()).then(values.get("mode", "mode")).otherwise(mode)
    return joined.with_columns(**values).drop(pl.selectors.ends_with(" in the table"))
