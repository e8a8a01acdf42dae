"""Fill a waveform store: decode in threads, keep the journal, and write the index and the report."""

import contextlib
import datetime
import itertools
import logging
import os
import shutil
import sys
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path
from zlib import crc32

import numpy as np
import polars as pl
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from musicrec.audio.decode import decode_track
from musicrec.audio.remark import Remark
from musicrec.data.checks import count_of, first_few
from musicrec.data.estimate import estimate
from musicrec.data.journal import KEY, Journal, read_finished
from musicrec.errors import AudioError, StoreError
from musicrec.system.atomic_write import atomic_write, write_json, write_text
from musicrec.system.console import error_console

INDEX, REPORT, MARKER = "index.parquet", "unreadable.csv", "store.json"
FORMAT = 1
_LOOKED_AT_ONCE, _LOOKERS = 1024, 8
_ANNOUNCED_FROM = 200  # tracks to decode; fewer take little time

log = logging.getLogger(__name__)


def with_file_state(tracks: pl.DataFrame) -> pl.DataFrame:
    """Return the tracks with the size and modification time of their files, -1 for a file that does not exist."""
    state = np.full((2, tracks.height), -1, dtype=np.int64)

    def look(first: int) -> None:
        for row, path in enumerate(tracks["path"][first : first + _LOOKED_AT_ONCE], start=first):
            with contextlib.suppress(OSError):
                status = os.stat(path)
                state[:, row] = status.st_size, status.st_mtime_ns

    with ThreadPoolExecutor(_LOOKERS) as pool:  # most of the time is spent waiting, above all for network disks
        list(pool.map(look, range(0, tracks.height, _LOOKED_AT_ONCE)))
    return tracks.with_columns(size=pl.Series(state[0]), mtime_ns=pl.Series(state[1]))


def fill(
    folder: Path,
    wanted: pl.DataFrame,
    *,
    current: pl.DataFrame | None,
    sample_rate: int,
    workers: int,
    progress: bool,
) -> None:
    """Decode what the folder lacks and write index, report and marker. The caller holds the folder's lock.

    Args:
        folder: Folder of the store.
        wanted: The tracks, as `with_file_state` returns them.
        current: Index of the finished store in the folder; None if it is unfinished or has another sample rate.
        sample_rate: The sample rate of the store, in hertz.
        workers: Threads that decode.
        progress: Whether to show a progress bar.

    Raises:
        StoreError: The disk has too little room, or no file at all can be decoded.
    """
    if current is None:
        (folder / MARKER).unlink(missing_ok=True)
    journal = Journal(folder, sample_rate=sample_rate, trust=current is not None, workers=workers)
    try:
        todo = wanted.join(journal.finished, on=KEY, how="anti", maintain_order="left")
        todo = todo.unique("path", maintain_order=True)
        known_unreadable = wanted.clear() if current is None else current.filter(pl.col("reason").is_not_null())
        if not todo.join(known_unreadable, on=KEY, how="anti").is_empty():
            (folder / MARKER).unlink(missing_ok=True)
        _announce(todo, folder, sample_rate=sample_rate, workers=workers, progress=progress)
        failures = _decode_all(todo, journal, sample_rate, workers, progress)
        journal.sync()
    finally:
        journal.close()
    reasons = pl.DataFrame(failures, schema={"path": pl.String, "reason": pl.String}, orient="row")
    index = wanted.join(read_finished(folder), on=KEY, how="left", maintain_order="left")
    index = index.join(reasons, on="path", how="left", maintain_order="left")
    _report(index, folder)
    if current is not None and current.equals(index):
        return
    (folder / MARKER).unlink(missing_ok=True)
    with atomic_write(folder / INDEX, "wb", error=None) as file:
        index.write_parquet(file)
    marker = {"format": FORMAT, "sample_rate": sample_rate, "tracks": index["reason"].null_count()}
    write_json(folder / MARKER, marker, indent=None, error=None)


def _announce(todo: pl.DataFrame, folder: Path, *, sample_rate: int, workers: int, progress: bool) -> None:
    """Print how much room and time decoding will take, unless it is little.

    Raises:
        StoreError: The disk has too little room.
    """
    if todo.is_empty():
        return
    announced = progress and todo.height >= _ANNOUNCED_FROM
    needed = estimate(todo, sample_rate=sample_rate, workers=workers, timed=announced)
    free = shutil.disk_usage(folder).free
    if needed.store_bytes > free:
        raise StoreError(
            f"{folder}: the waveforms of {todo.height:,} tracks ({needed.audio_s / 3600:,.1f} h) take about "
            f"{_size(needed.store_bytes)}, {_size(free)} are free; make room, choose a larger disk with "
            "paths.cache=FOLDER, or take fewer tracks (data.max_tracks)"
        )
    if not announced:
        return
    wall = ""
    if needed.build_s is not None:
        wall = f", in about {datetime.timedelta(seconds=round(needed.build_s))} (h:mm:ss)"
    print(
        f"{todo.height:,} tracks to decode, about {needed.audio_s / 3600:,.1f} h: they will take "
        f"{_size(needed.store_bytes)} of the {_size(free)} that are free in {folder}{wall}; an interrupted build "
        "continues where it stopped",
        file=sys.stderr,
        flush=True,
    )


def _size(count: int) -> str:
    return f"{count / 1e9:,.1f} GB" if count >= 1e8 else f"{count / 1e6:,.1f} MB"


def _decode_all(
    todo: pl.DataFrame, journal: Journal, sample_rate: int, workers: int, progress: bool
) -> list[tuple[str, str]]:
    """Decode in threads, as libsndfile and soxr release the interpreter's lock, and append in this thread.

    Remarks on the audio are logged.

    Returns:
        (path, reason) of every file that could not be decoded.
    """
    failures, remarked = [], []
    columns = (TextColumn("Decoding"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    shown = progress and not todo.is_empty()
    with (
        Progress(*columns, console=error_console(), disable=not shown) as bar,
        ThreadPoolExecutor(workers) as pool,
    ):
        task = bar.add_task("", total=todo.height)
        sources = todo.iter_rows(named=True)
        running = {}
        try:
            while True:
                # Limits the waveforms in memory, however far decoding is ahead of the disk.
                for source in itertools.islice(sources, 2 * workers - len(running)):
                    running[pool.submit(_decoded, source["path"], sample_rate)] = source
                if not running:
                    break
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    source = running.pop(future)
                    try:
                        samples, checksum, remarks = future.result()
                        journal.append(source, samples, checksum)
                        remarked += [f"{source['path']}: {remark}" for remark in remarks]
                    except AudioError as error:
                        failures.append((source["path"], str(error).removeprefix(f"{source['path']}: ")))
                    bar.advance(task)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    if remarked:
        log.warning("%s on the audio: %s", count_of(remarked, "remark"), first_few(remarked))
    return failures


def _decoded(path: str, sample_rate: int) -> tuple[np.ndarray, int, tuple[Remark, ...]]:
    """Return the samples of a file, (samples,) int16, their checksum, and remarks on the audio."""
    try:
        decoded = decode_track(path, sample_rate=sample_rate)
    except OSError as error:  # else it would look like a failure to write
        raise AudioError(f"{path}: cannot be read ({error.strerror or error})") from None
    waveform = decoded.waveform
    np.rint(np.multiply(waveform, 32_768, out=waveform), out=waveform)
    samples = np.clip(waveform, -32_768, 32_767, out=waveform).astype("<i2")
    return samples, crc32(samples), decoded.remarks


def _report(index: pl.DataFrame, folder: Path) -> None:
    """Write and log which files could not be decoded; raises StoreError if none could."""
    unreadable = index.filter(pl.col("reason").is_not_null()).select("track_id", "path", "reason")
    if unreadable.is_empty():
        (folder / REPORT).unlink(missing_ok=True)
        return
    write_text(folder / REPORT, unreadable.write_csv(), error=None)
    first = "".join(f"\n  {path}: {reason}" for _, path, reason in unreadable.head(10).iter_rows())
    more = f"\n  and {unreadable.height - 10} more" if unreadable.height > 10 else ""
    message = f"{unreadable.height} of {index.height} files cannot be decoded, see {folder / REPORT}:{first}{more}"
    if unreadable.height == index.height:
        raise StoreError(f"{folder}: {message}")
    log.warning("%s", message)
