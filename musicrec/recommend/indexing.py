"""Analyse the tracks of a folder or a manifest into a library."""

import hashlib
import os
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from musicrec.audio.decode import AUDIO_SUFFIXES, decode
from musicrec.audio.file_tags import read_tags
from musicrec.data.manifest import read_manifest
from musicrec.data.scan import scan_folder
from musicrec.errors import AudioError, ConfigError
from musicrec.export.analyzer import TrackAnalyzer
from musicrec.recommend.library import Library, Track

_SAVE_EVERY_S = 10.0  # what an interruption costs at most
_DECODERS = 2  # threads that decode ahead of the network; libsndfile and soxr let go of the interpreter's lock
_AHEAD = 4  # decoded tracks that may wait: bounds the memory


@dataclass(kw_only=True)
class IndexReport:
    """What `index` did. unreadable: (path, reason). audio_s: length of what was analysed."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    removed: int = 0
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    audio_s: float = 0.0
    wall_s: float = 0.0
    interrupted: bool = False


def read_source(source: str | Path) -> pl.DataFrame:
    """The tracks of a folder or a manifest. Raises ManifestError, and ConfigError for a single audio file."""
    path = Path(source)
    if path.is_dir():
        return scan_folder(path)
    if path.suffix.lower() in AUDIO_SUFFIXES:
        raise ConfigError(f"source={source} is an audio file; give a folder of music or a manifest (CSV, Parquet)")
    return read_manifest(path)


def of_splits(frame: pl.DataFrame, splits: Sequence[str], *, source: str | Path) -> pl.DataFrame:
    """The tracks of these splits, all if none is named. Raises ConfigError for a split that is not there."""
    if not splits:
        return frame
    there = set(frame["split"].drop_nulls())
    if not there:
        raise ConfigError(f"splits: {source} has none; give a manifest that names them, or leave splits out")
    if absent := [split for split in splits if split not in there]:
        raise ConfigError(f"splits: {source} has no track of {', '.join(absent)}, only {', '.join(sorted(there))}")
    return frame.filter(pl.col("split").is_in(list(splits)))


def audio_hash(waveform: np.ndarray) -> str:
    """Of the samples as 16-bit integers: the same for a copy of a file, with other tags or as FLAC instead of WAV."""
    return hashlib.blake2b((waveform * 32767).astype("<i2").tobytes(), digest_size=16).hexdigest()


def index(
    library: Library,
    analyzer: TrackAnalyzer,
    frame: pl.DataFrame,
    *,
    source: str | Path,
    splits: Sequence[str] = (),
    max_files: int | None = None,
    progress: bool = True,
) -> IndexReport:
    """Bring a library up to date with a source: analyse what is new or changed (by size and time), drop what vanished.

    frame: from `read_source`. splits: analyse only these; vanished is what no split names.
    max_files: only the first so many; nothing counts as vanished then.
    Titles and artists are the manifest's, or else those of the tags in the files.
    Files that cannot be decoded are skipped and reported. Ctrl-C keeps what is done.
    """
    begin, report, source = time.monotonic(), IndexReport(), os.path.abspath(source)
    known = {track.path: track for track in library.tracks}
    chosen = of_splits(frame, splits, source=source)
    found = chosen.select("path", "track_id", "title", "artist").with_columns(source=pl.lit(source)).to_dicts()
    if max_files is None:
        vanished = {path for path, track in known.items() if track.source == source} - set(frame["path"])
        library.remove(vanished)
        report.removed = len(vanished)
    todo, relabelled = [], []
    for row in found[:max_files]:
        try:
            stat = os.stat(row["path"])
        except OSError as error:
            report.unreadable.append((row["path"], error.strerror))
            continue
        track = known.get(row["path"])
        if track is None or (track.size, track.mtime_ns) != (stat.st_size, stat.st_mtime_ns):
            todo.append(row | {"size": stat.st_size, "mtime_ns": stat.st_mtime_ns})
            continue
        report.unchanged += 1
        if row["title"] is None:  # a folder names none: what the tags said, or a manifest, still holds
            row |= {"title": track.title, "artist": row["artist"] or track.artist}
        if any(getattr(track, name) != value for name, value in row.items()):
            relabelled.append(row)
    library.relabel(relabelled)
    _name_by_tags(todo)

    done: list[Track] = []
    saved = time.monotonic()
    try:
        with _bar(progress and bool(todo)) as bar:
            task = bar.add_task("analysing", total=len(todo))
            for row, waveform in _decoded(todo, analyzer.sample_rate):
                if isinstance(waveform, AudioError):
                    report.unreadable.append((row["path"], str(waveform)))
                    if row["path"] in known:  # what was said of the file as it was before no longer holds
                        library.remove([row["path"]])
                else:
                    done.append(_analysed(row, waveform, analyzer))
                    report.audio_s += done[-1].duration_s
                    report.changed += row["path"] in known
                    report.added += row["path"] not in known
                if time.monotonic() - saved > _SAVE_EVERY_S:
                    library.add(done)
                    done, saved = [], time.monotonic()
                bar.advance(task)
    except KeyboardInterrupt:
        report.interrupted = True
    library.add(done)
    report.wall_s = time.monotonic() - begin
    return report


def _name_by_tags(rows: list[dict]) -> None:
    """Give tracks that nothing else names the title and the artist of the tags in their files."""
    nameless = [row for row in rows if row["title"] is None]
    tags = read_tags([row["path"] for row in nameless]).select("title", "artist").to_dicts()
    for row, named in zip(nameless, tags, strict=True):
        row |= {"title": named["title"], "artist": row["artist"] or named["artist"]}


def _analysed(row: dict, waveform: np.ndarray, analyzer: TrackAnalyzer) -> Track:
    answer = analyzer.analyze(waveform)
    return Track(
        **row,
        audio_hash=audio_hash(waveform),
        duration_s=answer.duration_s,
        probabilities=answer.probabilities,
        embedding=answer.embedding,
    )


def _decoded(rows: Iterable[dict], sample_rate: int) -> Iterator[tuple[dict, np.ndarray | AudioError]]:
    """Each row with its waveform, or why there is none, in order; the next ones are decoded meanwhile."""

    def read(row: dict) -> np.ndarray | AudioError:
        try:
            return decode(row["path"], sample_rate=sample_rate)
        except AudioError as error:
            return error

    with ThreadPoolExecutor(_DECODERS) as pool:
        waiting: deque = deque()
        try:
            for row in rows:
                waiting.append((row, pool.submit(read, row)))
                if len(waiting) > _AHEAD:
                    row, future = waiting.popleft()
                    yield row, future.result()
            while waiting:
                row, future = waiting.popleft()
                yield row, future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _bar(shown: bool) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("tracks"))
    times = (TimeElapsedColumn(), TimeRemainingColumn())
    return Progress(*columns, *times, console=Console(stderr=True), disable=not shown)
