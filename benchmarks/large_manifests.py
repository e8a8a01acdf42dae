"""Measure time and peak memory from a large manifest to the first batch, without any audio.

    python benchmarks/large_manifests.py --rows 100000

Each step runs in a process of its own, so its peak memory is that of the step and of what comes before it. The first
line is the cost of the imports. The rows share a thousand files, and the waveforms are one sparse file without
samples.
"""

import argparse
import json
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table

from musicrec.data.chunk_sampling import Sampling
from musicrec.data.datamodule import MusicDataModule
from musicrec.data.journal import JOURNAL, WAVEFORMS
from musicrec.data.manifest import read_manifest, write_manifest
from musicrec.data.store import WaveformStore, store_folder
from musicrec.data.store_build import INDEX, MARKER, with_file_state
from musicrec.heads.classes import ClassHead
from musicrec.heads.key import KeyHead
from musicrec.heads.tags import TagHead
from musicrec.heads.tempo import TempoHead
from musicrec.models.frontends.mel import MelSpectrogram

FILES, TRACK_S, SAMPLE_RATE = 1000, 30, 16_000


def make_manifest(folder: Path, rows: int) -> pl.DataFrame:
    """A manifest with every kind of label, as CSV and as Parquet."""
    rng = np.random.default_rng(0)
    (folder / "audio").mkdir()
    for number in range(FILES):
        (folder / "audio" / f"{number:03d}.flac").touch()
    tags = pl.Series([f"tag {number}" for number in range(50)])
    frame = pl.DataFrame({"row": np.arange(rows)}).select(
        track_id=pl.format("track_{}", "row"),
        path=pl.format(f"{folder}/audio/{{}}.flac", (pl.col("row") % FILES).cast(pl.String).str.zfill(3)),
        split=pl.Series(rng.choice(["train", "valid", "test"], rows, p=[0.8, 0.1, 0.1])),
        artist=pl.format("artist {}", pl.col("row") // 12),
        title=pl.format('Song no. {}, "the one"', "row"),
        genre=pl.Series(rng.choice([f"genre {number}" for number in range(16)], rows)),
        tags=tags.gather(rng.integers(50, size=3 * rows)).reshape((rows, 3)).arr.to_list(),
        bpm=pl.Series(rng.uniform(60, 180, rows).round(1)),
        key=pl.Series(rng.integers(12, size=rows), dtype=pl.Int8),
        mode=pl.Series(rng.choice(["major", "minor"], rows)),
    )
    for suffix in ("csv", "parquet"):
        write_manifest(frame, folder / f"manifest.{suffix}")
    return frame


def make_store(folder: Path, frame: pl.DataFrame) -> None:
    """A finished store of silence, in the folder where the data module looks for it."""
    folder.mkdir(parents=True)
    index = with_file_state(frame.select("track_id", "path")).with_columns(
        offset=pl.int_range(pl.len()) * TRACK_S * SAMPLE_RATE,
        length=pl.lit(TRACK_S * SAMPLE_RATE),
        crc32=pl.lit(0),
        reason=pl.lit(None, pl.String),
    )
    index.with_columns(pl.col("length", "crc32").cast(pl.Int64)).write_parquet(folder / INDEX)
    with open(folder / WAVEFORMS, "wb") as file:
        file.truncate(2 * TRACK_S * SAMPLE_RATE * frame.height)
    (folder / JOURNAL).touch()
    (folder / MARKER).write_text(json.dumps({"format": 1, "sample_rate": SAMPLE_RATE, "tracks": frame.height}))


def data_module(manifest: Path, stores: Path) -> MusicDataModule:
    heads = [ClassHead(name="genre", column="genre"), TagHead(), TempoHead(), KeyHead()]
    frontend = MelSpectrogram(sample_rate=SAMPLE_RATE, n_mels=96)
    return MusicDataModule(
        manifest=manifest,
        stores=stores,
        heads=heads,
        frontend=frontend,
        chunk_samples=59_049,
        sampling=Sampling(workers=0),
    )


def nothing(manifest: Path, stores: Path) -> None:
    pass


def validate(manifest: Path, stores: Path) -> None:
    read_manifest(manifest)


def open_store(manifest: Path, stores: Path) -> None:
    store = WaveformStore.open(next(stores.iterdir()))
    store.index  # noqa: B018 (made when it is first asked for)


def first_batch(manifest: Path, stores: Path) -> None:
    data = data_module(manifest, stores)
    data.open()
    next(iter(data.train_dataloader()))
    next(iter(data.val_dataloader()))


STEPS = {
    "imports alone": nothing,
    "read and check the manifest": validate,
    "open the store": open_store,
    "open both, as train.py does, and the first batches": first_batch,
}


def measured(step: Callable, manifest: Path, stores: Path) -> tuple[float, float, float]:
    """Seconds, seconds of all cores together, and peak memory in MB of the process."""
    begin, cores = time.perf_counter(), time.process_time()
    step(manifest, stores)
    seconds, cores = time.perf_counter() - begin, time.process_time() - cores
    # Not ru_maxrss, which a process inherits from the one that has started it.
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return seconds, cores, int(peak.split()[1]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--suffix", choices=["csv", "parquet"], default="csv")
    options = parser.parse_args()
    table = Table("step", "s", "CPU s", "peak MB", box=MARKDOWN)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        frame = make_manifest(folder, options.rows)
        manifest, stores = folder / f"manifest.{options.suffix}", folder / "stores"
        make_store(store_folder(manifest, stores), frame)
        del frame
        for name, step in STEPS.items():
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                seconds, cores, peak_mb = pool.apply(measured, (step, manifest, stores))
            table.add_row(name, f"{seconds:.2f}", f"{cores:.2f}", f"{peak_mb:.0f}")
    Console(width=120, file=sys.stdout).print(table)


if __name__ == "__main__":
    main()
