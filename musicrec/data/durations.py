"""Do the tracks of a store last as long as their manifest says? Only decoding tells, so it is asked afterwards."""

import logging

import polars as pl

from musicrec.data.store import WaveformStore
from musicrec.system.atomic_write import write_text

REPORT = "durations.csv"
_TOLERANCE_S, _TOLERANCE = 1.0, 0.05

log = logging.getLogger(__name__)


def compare_durations(frame: pl.DataFrame, store: WaveformStore) -> None:
    """Warn of tracks whose length is more than a second and 5 % off the manifest's duration_s, and list them beside the
    store. A list that is there already is not told again."""
    tracks = frame.select("track_id", "path", pl.col("duration_s").alias("stated_s")).drop_nulls("stated_s")
    rows = store.rows(tracks["track_id"])
    tracks = tracks.filter(pl.Series(rows >= 0))
    tracks = tracks.with_columns(decoded_s=pl.Series(store.lengths[rows[rows >= 0]] / store.sample_rate))
    off = (pl.col("decoded_s") - pl.col("stated_s")).abs()
    odd = tracks.filter(off > _TOLERANCE_S, off > _TOLERANCE * pl.col("stated_s"))
    report, text = store.folder / REPORT, odd.write_csv(float_precision=2)
    if odd.is_empty() or (report.is_file() and report.read_text() == text):
        return
    first = "".join(f"\n  {path}: {there:.1f} s, not {said:.1f} s" for _, path, said, there in odd.head(5).iter_rows())
    more = f"\n  and {odd.height - 5:,} more, see {report}" if odd.height > 5 else ""
    log.warning("%d of %d tracks last another time than the manifest says:%s%s", odd.height, tracks.height, first, more)
    try:
        write_text(report, text, error=None)
    except OSError:  # a store may lie on a read-only disk
        log.warning("%s: cannot be written", report)
