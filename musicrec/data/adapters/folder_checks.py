"""Checks of a folder of the user's own music, and the summary that is printed."""

import os
import textwrap
from collections import defaultdict
from pathlib import Path

import polars as pl
from rich.markup import escape

from musicrec.data.checks import DatasetReport, check_leaks, count_of, report_copies
from musicrec.data.scan import SourceScan
from musicrec.data.schema import REQUIRED
from musicrec.errors import ManifestError
from musicrec.heads.keys import PITCH_CLASSES
from musicrec.system.console import make_table, output_console

_SHOWN = 5


def drop_empty_files(files: pl.DataFrame, found: SourceScan, report: DatasetReport) -> pl.DataFrame:
    """Keep the files that are not empty; report the others, and what the search skipped.

    Args:
        files: One row per file with its size, as `with_file_state` returns it.
        found: The result of the search.
        report: Receives the findings.

    Returns:
        The rows of the files that are not empty.

    Raises:
        ManifestError: If all files are empty.
    """
    usable = files.filter(pl.col("size") > 0)
    empty = files.filter(pl.col("size") <= 0)["path"]
    if usable.is_empty():
        raise ManifestError(f"{found.top}: all of its {count_of(files, 'audio file')} are empty; copy the music again")
    report.ok(count_of(usable, "audio file"))
    for what, names in found.left_out:
        report.warn(what, names)
    for what, names in found.notes:
        report.note(what, names)
    if len(empty):
        report.warn(f"{count_of(empty, 'empty file')} left out", [os.path.relpath(path, found.top) for path in empty])
    return usable


def report_unreadable_tags(tags: pl.DataFrame, top: Path, report: DatasetReport) -> None:
    """Report the files with tags that cannot be understood, as the column `problem` of `read_tags` says."""
    problems = tags.drop_nulls("problem").select("path", "problem").rows()
    if problems:
        names = [f"{os.path.relpath(path, top)} ({what})" for path, what in problems]
        report.warn(
            f"{count_of(problems, 'file')} with tags that cannot be understood; these labels are missing", names
        )


def report_split_leaks(frame: pl.DataFrame, copies: list[list[str]], top: Path, report: DatasetReport) -> None:
    """Report copies, equal titles by one artist, artists and albums, and whether they are in more than one split.

    Args:
        frame: The manifest.
        copies: Groups of identical files, as paths below `top`.
        top: The folder of the music.
        report: Receives the findings.
    """
    below = frame.with_columns(pl.col("path").str.strip_prefix(f"{str(top).rstrip('/')}/"))
    report_copies(below, copies, report)
    names = defaultdict(list)
    for path, *name in below.drop_nulls(["artist", "title"]).select("path", "artist", "title").iter_rows():
        names[tuple(text.strip().casefold() for text in name)].append(path)
    same_title = [group for group in names.values() if len(group) > 1 and group not in copies]
    report_copies(below, same_title, report, what="files with the same artist and title")
    # Albums in different folders are different albums: many are called "Greatest Hits".
    parent = "./" + pl.col("path").str.extract(r"^(.*)/").fill_null("")
    check_leaks(below.with_columns(album=pl.format("{} in {}", "album", parent)), report)


def print_summary(frame: pl.DataFrame, *, manifest: Path) -> None:
    """Print the labels, the number of tracks per split, and the path of the manifest."""
    out = output_console()
    table = make_table(out, "", "tracks", "")
    for name in (name for name in frame.columns if name not in (*REQUIRED, "split", "title", "duration_s")):
        column = frame[name].drop_nulls()
        table.add_row(
            escape(name), f"{len(column):,}", escape(textwrap.shorten(_values(column), 120, placeholder=" …"))
        )
    out.print(table)
    counts = dict(frame["split"].value_counts().iter_rows())
    order = sorted(counts, key=lambda name: (("train", "valid", "test", name).index(name), name))
    out.print(f"split: {', '.join(f'{name} {counts[name]:,}' for name in order)}")
    out.print(f"manifest: {escape(str(manifest))}", soft_wrap=True)


def _values(column: pl.Series) -> str:
    """Describe a column of labels by its most frequent values, or by its range."""
    if column.is_empty():
        return ""
    if column.name in ("bpm", "loudness") or column.dtype == pl.Float64:
        return f"{column.min():g} to {column.max():g}"
    values = column.explode().drop_nulls() if isinstance(column.dtype, pl.List) else column
    if column.name == "key":
        values = values.replace_strict(dict(enumerate(PITCH_CLASSES)), return_dtype=pl.String)
    counts = values.value_counts().sort("count", values.name, descending=[True, False])
    shown = ", ".join(f"{value} {count}" for value, count in counts.head(_SHOWN).iter_rows())
    return f"{counts.height:,} different: {shown}{' …' * (counts.height > _SHOWN)}"
