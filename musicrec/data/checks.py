"""Checks of a dataset before its audio is decoded, and the report of their findings."""

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
from musicrec.system.file_names import one_spelling

_SAMPLE_BYTES = 1 << 16


class DatasetReport:
    """Collects the findings of the checks of one dataset.

    Args:
        title: Name of the dataset and its options.
        place: Folder of the audio.

    Attributes:
        findings: One (level, text, names) per finding, in order. The level is "ok", "note" (expected, as in every copy
            of the dataset) or "warning"; the names are the tracks, files or labels that the finding is about.
    """

    def __init__(self, title: str, place: str) -> None:
        self.title, self.place = title, place
        self.findings: list[tuple[str, str, list[str]]] = []

    def ok(self, text: str) -> None:
        """Add a finding that is as it should be."""
        self.findings.append(("ok", text, []))

    def note(self, text: str, names: Iterable[str] = ()) -> None:
        """Add a finding that needs no action."""
        self.findings.append(("note", text, list(names)))

    def warn(self, text: str, names: Iterable[str] = ()) -> None:
        """Add a finding that the user should look at."""
        self.findings.append(("warning", text, list(names)))

    def text(self, shown: int | None = None) -> str:
        """Return the report as text, one line per finding.

        Args:
            shown: Number of names per finding. None lists all names, one per line.
        """
        lines = [f"{self.title}  ({self.place})"]
        for level, text, names in self.findings:
            if shown is None:
                lines += [f"  {level:8} {text}", *(f"             {name}" for name in names)]
            else:
                lines.append(f"  {level:8} {text}{': ' * bool(names)}{first_few(names, shown)}")
        return "\n".join(lines)


def count_of(things: Sized, noun: str) -> str:
    """Return the number of things with their noun, such as "1 file" or "1,200 files"."""
    return f"{len(things):,} {noun}{'s' * (len(things) != 1)}"


def first_few(names: Sequence[str], shown: int = 5) -> str:
    """Return the first names, separated by commas, and the number of the others."""
    more = f" and {len(names) - shown:,} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more


def drop_repeated_tracks(frame: pl.DataFrame, report: DatasetReport) -> pl.DataFrame:
    """Keep the first row of every track_id, and report the rows that are dropped."""
    repeated = frame.filter(~pl.col("track_id").is_first_distinct())
    if repeated.height:
        report.warn(
            f"{count_of(repeated, 'row')} of the annotations not used: an earlier row has the same track_id",
            repeated["track_id"],
        )
    return frame.unique("track_id", keep="first", maintain_order=True)


def match_capitals(frame: pl.DataFrame, files: Mapping[str, int], report: DatasetReport) -> pl.DataFrame:
    """Use the spelling of the disk for paths that differ from it in upper and lower case or in the form of accents.

    Some systems change the case of names, such as ``.mp3`` to ``.MP3``, when a dataset is copied.

    Args:
        frame: One row per track, with `path` as the annotations spell it.
        files: {path below the audio folder: bytes}.
        report: Receives the files that are matched in this way.

    Returns:
        The frame with corrected paths.
    """
    named = set(frame["path"])
    unmatched = {one_spelling(path).lower(): path for path in files if path not in named}
    absent = (path for path in frame["path"] if path not in files)
    renamed = {path: unmatched[name] for path in absent if (name := one_spelling(path).lower()) in unmatched}
    if not renamed:
        return frame
    report.note(
        f"{count_of(renamed, 'file')} found with other capitals or accents than in the annotations", renamed.values()
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
    """Keep the rows with a split and a usable file; report missing, empty, damaged and surplus files.

    Args:
        frame: One row per track: track_id, `path` below the audio folder, split, duration_s.
        files: {path below the audio folder: bytes}.
        report: Receives the findings.
        audio: The audio folder.
        suspects: track_ids whose files are damaged in some copies; only these files are opened.
        skipped: (path, reason) of what lies in the audio folder and cannot be used.
        partial: Continue without missing files.
        error: Turns a problem into an error that says how to get the dataset.

    Returns:
        The rows that can be used.

    Raises:
        ManifestError: If a file is missing and `partial` is false, or if no row is left.
    """
    surplus = sorted(set(files) - set(frame["path"]))
    if surplus:
        report.warn(f"{count_of(surplus, 'audio file')} not in the annotations, not used", surplus)
    frame = frame.filter(pl.col("split").is_not_null())
    sizes = frame["path"].replace_strict(files, default=-1, return_dtype=pl.Int64)
    absent = frame.filter(sizes < 0)
    if absent.height:
        what = f"{absent.height:,} of {frame.height:,} audio files are missing"
        if not partial:
            first = absent["path"][0]
            others = f" (and {absent.height - 1:,} more of {frame.height:,})" if absent.height > 1 else ""
            why = next((f" ({name}: {why})" for name, why in skipped if f"{first}/".startswith(f"{name}/")), "")
            raise error(
                f"no file {first}{others} below {audio}{why}; data.partial=true trains without the missing files"
            )
        report.warn(f"{what}; left out, as data.partial=true", absent["path"])
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
        report.warn(f"{count_of(unknown, 'empty file')} left out; download again", unknown)
    frame = frame.filter((sizes >= 0) & ~pl.col("track_id").is_in(list(bad)))
    if frame.is_empty():
        raise error(f"no usable audio file below {audio}")
    return frame


def _damage(path: Path, duration_s: float | None) -> str | None:
    """Return what is wrong with a file, None if it can be opened and is at least half as long as expected."""
    try:
        found_s = duration_of(path)
    except AudioError as error:
        return str(error).removeprefix(f"{path}: ")
    if duration_s is not None and found_s < duration_s / 2:
        return f"{found_s:.1f} s of {duration_s:g} s"
    return None


def find_copies(files: Mapping[str, int], *, audio: Path) -> list[list[str]]:
    """Find files with identical content.

    Files of equal size are compared by a hash of their middle, then by a hash of the whole file.

    Args:
        files: {path below `audio`: bytes}.
        audio: The audio folder.

    Returns:
        Groups of two or more identical files, as paths below `audio`.
    """
    groups = _groups(files, lambda path: files[path])
    with ThreadPoolExecutor(min(16, len(os.sched_getaffinity(0)) * 2)) as pool:
        for whole in (False, True):
            paths = [path for group in groups for path in group]
            hashes = pool.map(lambda path, whole=whole: _hash(audio / path, files[path], whole=whole), paths)
            console = error_console()
            few = len(paths) < 1000
            shown = track(hashes, "Looking for duplicates", total=len(paths), console=console, disable=few)
            found = dict(zip(paths, shown, strict=True))
            groups = _groups(paths, lambda path, found=found: (files[path], found[path]))
    return groups


def report_copies(
    frame: pl.DataFrame, groups: Iterable[list[str]], report: DatasetReport, *, what: str = "identical files"
) -> None:
    """Report groups of tracks that are the same music. Groups across splits are leaks, and a warning.

    Args:
        frame: Must have the columns `path` and `split`.
        groups: Groups of paths.
        report: Receives the findings.
        what: What the groups consist of.
    """
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
    """Return a hash of the middle of a file, or of the whole file.

    For a file that cannot be read, return its name, which equals no hash. Decoding will report the file.
    """
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
    """Compare the number of tracks per split with the published numbers.

    Args:
        frame: The tracks that are used.
        report: Receives one finding per split.
        published: {split, or "all" for the sum: number of tracks}.
        damaged: Tracks left out because they are known to be damaged. The published numbers may include them.
    """
    used, lost = (dict(rows["split"].value_counts().iter_rows()) | {"all": rows.height} for rows in (frame, damaged))
    if "all" not in published:
        del used["all"]
    for split in [*published, *sorted(set(used) - set(published))]:
        tracks, expected = used.get(split, 0), published.get(split)
        if expected is None:
            report.note(f"{split}: {tracks:,} tracks; no published number to compare with")
        elif tracks == expected:
            report.ok(f"{split}: {tracks:,} tracks, as published")
        elif tracks + lost.get(split, 0) == expected:
            report.ok(f"{split}: {tracks:,} tracks and {lost[split]:,} damaged, in all {expected:,} as published")
        else:
            report.warn(f"{split}: {tracks:,} tracks, expected {expected:,} as published")


def check_labels(
    frame: pl.DataFrame, report: DatasetReport, *, vocabulary: Mapping[str, Collection[str] | int]
) -> None:
    """Compare the labels of columns with the published ones.

    Args:
        frame: One row per track.
        report: Receives one finding per column.
        vocabulary: {column: its labels, or their number where the labels are not known}.
    """
    for column, expected in vocabulary.items():
        values = frame[column].explode() if isinstance(frame[column].dtype, pl.List) else frame[column]
        found = set(values.drop_nulls().cast(pl.String))
        size = expected if isinstance(expected, int) else len(expected)
        if isinstance(expected, int):
            missing = unknown = []
        else:
            missing, unknown = [name for name in expected if name not in found], sorted(found - set(expected))
        if len(found) == size and not missing:
            report.ok(f"{column}: {size:,} different labels, as published")
        else:
            names = [f"missing {name}" for name in missing] + [f"unknown {name}" for name in unknown]
            report.warn(f"{column}: {len(found):,} different labels, expected {size:,} as published", names)


def check_leaks(frame: pl.DataFrame, report: DatasetReport) -> None:
    """Report artists and albums that are in more than one split."""
    for column in ("artist", "album"):
        if frame[column].null_count() == frame.height:
            report.note(f"{column}s are unknown, so leaks between splits cannot be detected")
            continue
        unknown = frame[column].null_count()
        but = f"; the {column} of {unknown:,} of {frame.height:,} tracks is unknown" if unknown else ""
        splits = frame.drop_nulls(column).group_by(column).agg(pl.col("split").unique().sort())
        leaking = splits.filter(pl.col("split").list.len() > 1).sort(column)
        if leaking.is_empty():
            report.ok(f"{count_of(splits, column)}, each in one split only{but}")
            continue
        names = [f"{name} ({', '.join(parts)})" for name, parts in leaking.iter_rows()]
        report.warn(f"{leaking.height:,} of {count_of(splits, column)} in more than one split", names)
