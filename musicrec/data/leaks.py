"""Find tracks that are in more than one split of a manifest, so that a model is tested on what it was trained on."""

import logging
from collections import Counter
from pathlib import Path
from zlib import crc32

import numpy as np
import polars as pl

from musicrec.data.checks import DatasetReport, count_of, first_few
from musicrec.data.store import WaveformStore
from musicrec.system.atomic_write import write_text

REPORT = "leaks.txt"
_COMPARED, _AT_ONCE = 4096, 4096  # samples in the middle of a track, and tracks

log = logging.getLogger(__name__)


def report_leaks(frame: pl.DataFrame, store: WaveformStore, *, manifest: Path) -> None:
    """Log which files, decoded audio and artists are in more than one split.

    Files and audio are warnings, artists a remark. All names are listed in `leaks.txt` in the folder of the store. If
    that list exists and is the same, nothing is logged. A list of leaks that have been removed is replaced.

    Args:
        frame: Rows of the manifest: track_id, path, split, artist.
        store: The decoded tracks, whose checksums tell equal audio. Tracks of the manifest that it lacks are compared
            by path and artist only.
        manifest: Path of the manifest, for the messages.
    """
    report = find_leaks(frame, store, title=str(manifest))
    file, text = store.folder / REPORT, report.text() + "\n"
    earlier = file.read_text(encoding="utf-8") if file.is_file() else None
    if text == earlier or (earlier is None and not report.findings):
        return
    for level, what, names in report.findings:
        say = log.warning if level == "warning" else log.info
        say("%s: %s: %s%s", manifest, what, first_few(names), f" (all in {file})" if len(names) > 5 else "")
    try:
        write_text(file, text, error=None)
    except OSError:  # a store may be on a read-only disk
        log.warning("%s: cannot be written", file)


def find_leaks(frame: pl.DataFrame, store: WaveformStore, *, title: str) -> DatasetReport:
    """Return a report of what is in more than one split.

    Args:
        frame: As for `report_leaks`.
        store: As for `report_leaks`.
        title: Of the report.
    """
    report = DatasetReport(title, str(store.folder))
    tracks = frame.select("track_id", "path", "split", "artist").drop_nulls("split")
    if tracks["split"].n_unique() < 2:
        return report
    tracks = tracks.with_columns(file=pl.col("path").str.normalize("NFC"))
    names = [
        f"{paths[0]} ({', '.join(f'{track} in {split}' for track, split in zip(track_ids, splits, strict=True))})"
        for track_ids, paths, splits, *_ in _torn(tracks, "file").iter_rows()
    ]
    if names:
        report.warn(f"{count_of(names, 'file')} in more than one split", names)
    names = [
        " = ".join(dict.fromkeys(f"{path} in {split}" for path, split in zip(paths, splits, strict=True)))
        for _, paths, splits, *_ in _equal_audio(tracks, store).iter_rows()
        if len(set(paths)) > 1
    ]
    if names:
        report.warn(f"{count_of(names, 'group')} of files with equal audio in more than one split", names)
    name = pl.col("artist").str.normalize("NFC").str.strip_chars().str.to_lowercase()
    named = tracks.drop_nulls("artist").with_columns(name=name)
    names = [
        f"{artists[0]} ({', '.join(f'{split} {count:,}' for split, count in sorted(Counter(splits).items()))})"
        for _, _, splits, artists in _torn(named, "name").iter_rows()
    ]
    if names:
        report.note(f"{len(names):,} of {named['name'].n_unique():,} artists in more than one split", names)
    return report


def _torn(tracks: pl.DataFrame, *same: str) -> pl.DataFrame:
    """Return the groups of tracks with the same values that are in more than one split, in the order of the tracks.

    Returns:
        One row per group: the lists track_id, path, split and artist.
    """
    torn = tracks.filter(pl.col("split").n_unique().over(same) > 1)
    groups = torn.group_by(same, maintain_order=True).agg("track_id", "path", "split", "artist")
    return groups.select("track_id", "path", "split", "artist")


def _equal_audio(tracks: pl.DataFrame, store: WaveformStore) -> pl.DataFrame:
    """Return the groups of tracks with equal audio in more than one split.

    Length and checksum find them. As many excerpts have the same length, and a checksum has 32 bits only, a part in the
    middle is compared, too.
    """
    alike = tracks.join(store.fingerprints(), on="track_id", maintain_order="left")
    alike = alike.filter(pl.col("split").n_unique().over("length", "crc32") > 1)
    rows = store.rows(alike["track_id"])
    middles: list[int] = []
    for first in range(0, len(rows), _AT_ONCE):
        part = rows[first : first + _AT_ONCE]
        starts = np.maximum(store.lengths[part] - _COMPARED, 0) // 2
        middles += [crc32(samples.tobytes()) for samples in store.read(part, starts, _COMPARED)]
    alike = alike.with_columns(middle=pl.Series(middles, dtype=pl.UInt32))
    return _torn(alike, "length", "crc32", "middle")
