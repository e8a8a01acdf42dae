"""Compare the durations in a manifest with those of the decoded tracks."""

import logging

import polars as pl

from musicrec.data.store import WaveformStore
from musicrec.system.atomic_write import write_text

REPORT = "durations.csv"
_TOLERANCE_S, _TOLERANCE = 1.0, 0.05

log = logging.getLogger(__name__)


def compare_durations(frame: pl.DataFrame, store: WaveformStore) -> None:
    """Warn of tracks whose decoded duration differs from `duration_s` by more than 1 s and more than 5 %.

    The tracks are listed in `durations.csv` in the folder of the store. If that list exists and is the same, the
    warning is not repeated.

    Args:
        frame: A manifest.
        store: The decoded tracks. Tracks of the manifest that it lacks are ignored.
    """
    tracks = frame.select("track_id", "path", pl.col("duration_s").alias("stated_s")).drop_nulls("stated_s")
    rows = store.rows(tracks["track_id"])
    tracks = tracks.filter(pl.Series(rows >= 0))
    tracks = tracks.with_columns(decoded_s=pl.Series(store.lengths[rows[rows >= 0]] / store.sample_rate))
    off = (pl.col("decoded_s") - pl.col("stated_s")).abs()
    odd = tracks.filter(off > _TOLERANCE_S, off > _TOLERANCE * pl.col("stated_s"))
    report, text = store.folder / REPORT, odd.write_csv(float_precision=2)
    if odd.is_empty() or (report.is_file() and report.read_text() == text):
        return
    first = "".join(
        f"\n  {path}: {decoded:.1f} s instead of {stated:.1f} s" for _, path, stated, decoded in odd.head(5).iter_rows()
    )
    more = f"\n  and {odd.height - 5:,} more, see {report}" if odd.height > 5 else ""
    log.warning("%d of %d tracks differ in duration from the manifest:%s%s", odd.height, tracks.height, first, more)
    try:
        write_text(report, text, error=None)
    except OSError:  # a store may be on a read-only disk
        log.warning("%s: cannot be written", report)
