"""What is checked of a dataset before anything is decoded, and the report that tells of it."""

import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence, Sized
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
from rich.progress import track

from musicrec.audio.decode import duration_of
from musicrec.errors import AudioError, ManifestError
from musicrec.system.console import error_console

_SAMPLE_BYTES = 1 << 16


class DatasetReport:
    """Findings, one after another: "ok", a "note" (of what is so in every copy), or a "warning"."""

    def __init__(self, title: str, place: str) -> None:
        self.title, self.place = title, place
        self.findings: list[tuple[str, str, list[str]]] = []

    def ok(self, text: str) -> None:
        self.findings.append(("ok", text, []))

    def note(self, text: str, names: Iterable[str] = ()) -> None:
        self.findings.append(("note", text, list(names)))

    def warn(self, text: str, names: Iterable[str] = ()) -> None:
        self.findings.append(("warning", text, list(names)))

    def text(self, shown: int | None = None) -> str:
        """A line a finding. shown: how many of its names; None for all, a line each."""
        lines = [f"{self.title}  ({self.place})"]
        for level, text, names in self.findings:
            if shown is None:
                lines += [f"  {level:8} {text}", *(f"             {name}" for name in names)]
            else:
                lines.append(f"  {level:8} {text}{': ' * bool(names)}{first_few(names, shown)}")
        return "\n".join(lines)


def count_of(things: Sized, noun: str) -> str:
    return f"{len(things):,} {noun}{'s' * (len(things) != 1)}"


def first_few(names: Sequence[str], shown: int = 5) -> str:
    more = f" and {len(names) - shown:,} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more


def drop_repeated_tracks(frame: pl.DataFrame, report: DatasetReport) -> pl.DataFrame:
    """The first row of every track_id."""
    again = frame.filter(~pl.col("track_id").is_first_distinct())
    if again.height:
        report.warn(
            f"{count_of(again, 'row')} of the annotations with a track_id seen before, not used",
            again["track_id"],
        )
    return frame.unique("track_id", keep="first", maintain_order=True)


def match_capitals(frame: pl.DataFrame, files: Mapping[str, int], report: DatasetReport) -> pl.DataFrame:
    """The frame with the paths of files whose names differ from those of the annotations in capitals only: copies that
    were on another system's disk have ``.MP3``."""
    named = set(frame["path"])
    there = {path.lower(): path for path in files if path not in named}
    absent = (path for path in frame["path"] if path not in files)
    renamed = {path: there[path.lower()] for path in absent if path.lower() in there}
    if not renamed:
        return frame
    report.note(
        f"{count_of(renamed, 'file')} used whose names differ in capitals from the annotations", renamed.values()
    )
    return frame.with_columns(pl.col("path").replace(renamed))


def select_usable(
    frame: pl.DataFrame,
    files: Mapping[str, int],
    report: DatasetReport,
    *,
    audio: Path,
    suspects: Collection[str],
    skipped: Sequence[tuple[str, str]],
    partial: bool,
    error: Callable[[str], ManifestError],
) -> pl.DataFrame:
    """The rows that have a split and a file that can be used; what is missing, empty or surplus is reported.

    suspects: track_ids whose files are opened. skipped: (path, why) of what is there and is none of the files.
    """
    surplus = sorted(set(files) - set(frame["path"]))
    if surplus:
        report.warn(f"{count_of(surplus, 'audio file')} that no annotation names, not used", surplus)
    frame = frame.filter(pl.col("split").is_not_null())
    sizes = frame["path"].replace_strict(files, default=-1, return_dtype=pl.Int64)
    absent = frame.filter(sizes < 0)
    if absent.height:
        what = f"{absent.height:,} of {frame.height:,} audio files are missing"
        if not partial:
            first = absent["path"][0]
            others = f" (and {absent.height - 1:,} more of {frame.height:,})" if absent.height > 1 else ""
            why = next((f" ({name}: {why})" for name, why in skipped if f"{first}/".startswith(f"{name}/")), "")
            raise error(f"no file {first}{others} below {audio}{why}; data.partial=true trains on what is there")
        report.warn(f"{what}: data.partial=true goes on without them", absent["path"])
    empty = set(frame.filter(sizes == 0)["track_id"])
    bad = dict.fromkeys(empty, "0 bytes")
    opened = frame.filter((sizes > 0) & pl.col("track_id").is_in(list(suspects)))
    for track_id, path, duration_s in opened.select("track_id", "path", "duration_s").iter_rows():
        problem = _damage(audio / path, duration_s)
        if problem:
            bad[track_id] = problem
    known = [f"{track} ({bad[track]})" for track in bad if track in suspects]
    unknown = [f"{track} ({bad[track]})" for track in bad if track not in suspects]
    if known:
        report.note(f"{count_of(known, 'file')} known to be damaged, left out", known)
    if unknown:
        report.warn(f"{count_of(unknown, 'file')} without content, to be fetched again; left out", unknown)
    frame = frame.filter((sizes >= 0) & ~pl.col("track_id").is_in(list(bad)))
    if frame.is_empty():
        raise error(f"no usable audio file below {audio}")
    return frame


def _damage(path: Path, duration_s: float | None) -> str | None:
    """What is wrong with a file that is known to be damaged in some copies."""
    try:
        there_s = duration_of(path)
    except AudioError as error:
        return str(error).removeprefix(f"{path}: ")
    if duration_s is not None and there_s < duration_s / 2:
        return f"{there_s:.1f} s of {duration_s:g} s"
    return None


def find_copies(files: Mapping[str, int], *, audio: Path) -> list[list[str]]:
    """Groups of files of the same bytes. files: {path below `audio`: bytes}."""
    alike = _groups(files, lambda path: files[path])
    with ThreadPoolExecutor(min(16, len(os.sched_getaffinity(0)) * 2)) as pool:
        for whole in (False, True):
            paths = [path for group in alike for path in group]
            hashes = pool.map(lambda path, whole=whole: _hash(audio / path, files[path], whole=whole), paths)
            console = error_console()
            few = len(paths) < 1000
            shown = track(hashes, "Looking for duplicates", total=len(paths), console=console, disable=few)
            found = dict(zip(paths, shown, strict=True))
            alike = _groups(paths, lambda path, found=found: (files[path], found[path]))
    return alike


def report_copies(
    frame: pl.DataFrame, groups: Iterable[list[str]], report: DatasetReport, *, what: str = "files of the same bytes"
) -> None:
    """Report groups of paths that are alike; those in different splits are a leak."""
    splits = dict(frame.select("path", "split").iter_rows())
    across, within = [], []
    for group in groups:
        (across if len({splits[path] for path in group}) > 1 else within).append(group)
    if within:
        report.note(f"{count_of(within, 'group')} of {what} within a split", map(" = ".join, within))
    if across:
        names = [" = ".join(f"{path} ({splits[path]})" for path in group) for group in across]
        report.warn(f"{count_of(across, 'group')} of {what} in different splits", names)


def _groups(paths: Iterable[str], key: Callable[[str], object]) -> list[list[str]]:
    groups = defaultdict(list)
    for path in paths:
        groups[key(path)].append(path)
    return [group for group in groups.values() if len(group) > 1]


def _hash(path: Path, size: int, *, whole: bool) -> bytes:
    """Of the middle of a file, or of all of it. Its name where it cannot be read, which is told when it is decoded."""
    try:
        with open(path, "rb") as file:
            if whole:
                return hashlib.sha256(file.read()).digest()
            file.seek(max(0, size - _SAMPLE_BYTES) // 2)
            return hashlib.sha256(file.read(_SAMPLE_BYTES)).digest()
    except OSError:
        return os.fsencode(path)


def check_counts(
    frame: pl.DataFrame, report: DatasetReport, *, published: Mapping[str, int], damaged: pl.DataFrame
) -> None:
    """Tracks of each split, or of "all", beside the published ones. damaged: tracks known to be so and left out, that
    may be among those published."""
    there, lost = (dict(rows["split"].value_counts().iter_rows()) | {"all": rows.height} for rows in (frame, damaged))
    if "all" not in published:
        del there["all"]
    for split in [*published, *sorted(set(there) - set(published))]:
        tracks, expected = there.get(split, 0), published.get(split)
        if expected is None:
            report.note(f"{split}: {tracks:,} tracks, no number is published")
        elif tracks == expected:
            report.ok(f"{split}: {tracks:,} tracks, as published")
        elif tracks + lost.get(split, 0) == expected:
            report.ok(f"{split}: {tracks:,} tracks, and {lost[split]:,} damaged of the {expected:,} published")
        else:
            report.warn(f"{split}: {tracks:,} tracks, published are {expected:,}")


def check_labels(
    frame: pl.DataFrame, report: DatasetReport, *, vocabulary: Mapping[str, Collection[str] | int]
) -> None:
    """The labels of a column beside those that it should hold."""
    for column, expected in vocabulary.items():
        values = frame[column].explode() if isinstance(frame[column].dtype, pl.List) else frame[column]
        there = set(values.drop_nulls().cast(pl.String))
        size = expected if isinstance(expected, int) else len(expected)
        if isinstance(expected, int):
            missing = unknown = []
        else:
            missing, unknown = [name for name in expected if name not in there], sorted(there - set(expected))
        if len(there) == size and not missing:
            report.ok(f"{column}: {size:,} different labels, as published")
        else:
            report.warn(f"{column}: {len(there):,} different labels, published are {size:,}",
                        [f"without {name}" for name in missing] + [f"unknown {name}" for name in unknown])  # fmt: skip


def check_leaks(frame: pl.DataFrame, report: DatasetReport) -> None:
    """Artists and albums that are in more than one split."""
    for column in ("artist", "album"):
        if frame[column].null_count() == frame.height:
            report.note(f"{column}s are not known, so that no leak of them between splits would be seen")
            continue
        unknown = frame[column].null_count()
        but = f"; of {unknown:,} of {frame.height:,} tracks the {column} is not known" if unknown else ""
        splits = frame.drop_nulls(column).group_by(column).agg(pl.col("split").unique().sort())
        torn = splits.filter(pl.col("split").list.len() > 1).sort(column)
        if torn.is_empty():
            report.ok(f"{count_of(splits, column)}, each in one split only{but}")
            continue
        names = [f"{name} ({', '.join(parts)})" for name, parts in torn.iter_rows()]
        report.warn(f"in more than one split are {torn.height:,} of {count_of(splits, column)}", names)
