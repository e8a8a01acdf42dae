"""Keep every track of a manifest, decoded once, in one flat memory-mapped file of mono int16 samples.

The folder of a store holds:

- ``waveforms.i16`` and ``journal.jsonl``, which only grow;
- ``index.parquet``, one row per track in the order of the manifest;
- ``unreadable.csv``, the files that could not be decoded;
- ``store.json``, written last and removed first: without it the store is unfinished.

Samples of tracks that have changed or are no longer in the manifest stay in the file, unused. To free their space,
delete the folder.
"""

import hashlib
import json
import os
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl

from musicrec.data.journal import PLACE, WAVEFORMS, intact
from musicrec.data.store_build import FORMAT, INDEX, MARKER, fill, with_file_state
from musicrec.errors import StoreError
from musicrec.system.lock import try_lock, wait_for_lock


class WaveformStore:
    """Reads chunks of any tracks as fast as memory copies.

    A store is cheap to pickle, as every process maps the file for itself.

    Attributes:
        folder: Its folder.
        sample_rate: In hertz.
        lengths: (tracks,) int64, the length of each track in samples.
    """

    def __init__(self, *, folder: Path, sample_rate: int, tracks: pl.DataFrame) -> None:
        self.folder, self.sample_rate = folder, sample_rate
        self._unreadable = tracks.filter(pl.col("reason").is_not_null()).select("track_id", "path", "reason")
        self._tracks = tracks.filter(pl.col("reason").is_null()).select("track_id", *PLACE)
        self._offsets, self.lengths = (self._tracks[name].to_numpy() for name in ("offset", "length"))

    @classmethod
    def open(cls, folder: str | os.PathLike) -> "WaveformStore":
        """Open a finished store.

        Raises:
            StoreError: There is none, its build has not ended, or its files do not belong together.
        """
        folder = Path(folder)
        try:
            marker = json.loads((folder / MARKER).read_bytes())
            if marker["format"] != FORMAT:
                raise StoreError(f"{folder}: store of format {marker['format']}, expected {FORMAT}; delete and rebuild")
            store = cls(
                folder=folder, sample_rate=marker["sample_rate"], tracks=pl.read_parquet(folder / INDEX, glob=False)
            )
            samples = (folder / WAVEFORMS).stat().st_size // 2
        except FileNotFoundError:
            state = (
                "its build has not ended; build it again to continue"
                if folder.is_dir()
                else "no such folder; build it again from its manifest"
            )
            raise StoreError(f"{folder}: not a waveform store: {state}") from None
        except (OSError, ValueError, KeyError, TypeError, pl.exceptions.PolarsError) as error:
            raise StoreError(f"{folder}: damaged store ({error}); delete the folder and build it again") from None
        if samples < (store._offsets + store.lengths).max(initial=0):
            raise StoreError(f"{folder}: {WAVEFORMS} is cut short; delete {MARKER} and build the store again")
        return store

    @cached_property
    def track_ids(self) -> list[str]:
        """The names of the tracks, in the order of the manifest."""
        return self._tracks["track_id"].to_list()

    @cached_property
    def index(self) -> dict[str, int]:
        """The row of each track, {track_id: row}."""
        return {track_id: row for row, track_id in enumerate(self.track_ids)}

    def rows(self, track_ids: pl.Series) -> np.ndarray:
        """Return the rows of tracks by their names, (tracks,) int64; -1 for a track that is not in the store."""
        known = self._tracks.select("track_id").with_row_index("row")
        joined = pl.DataFrame({"track_id": track_ids}).join(known, on="track_id", how="left", maintain_order="left")
        return joined["row"].cast(pl.Int64).fill_null(-1).to_numpy()

    def checksum(self, track_id: str) -> int:
        """Return the CRC-32 of a track's samples."""
        return self._tracks["crc32"][self.index[track_id]]

    def fingerprints(self) -> pl.DataFrame:
        """Return one row per track: track_id, its length in samples, and crc32, the CRC-32 of its samples."""
        return self._tracks.select("track_id", "length", "crc32")

    @property
    def unreadable(self) -> list[dict[str, str]]:
        """The tracks that could not be decoded, with "track_id", "path" and "reason" each."""
        return self._unreadable.to_dicts()

    def __len__(self) -> int:
        return len(self.lengths)

    def __getstate__(self) -> dict:
        return {name: value for name, value in vars(self).items() if name not in ("_samples", "track_ids", "index")}

    @cached_property
    def _samples(self) -> np.ndarray:
        return np.memmap(self.folder / WAVEFORMS, dtype="<i2", mode="r").view(np.ndarray)

    def read(self, rows: np.ndarray, starts: np.ndarray, samples: int) -> np.ndarray:
        """Read chunks, with zeros past the end of a track.

        Args:
            rows: (batch,) int, the rows of the tracks, see `index`.
            starts: (batch,) int, the first sample of each chunk, 0 or more.
            samples: Length of every chunk, in samples.

        Returns:
            (batch, samples) int16.
        """
        rows, starts = np.asarray(rows, dtype=np.int64), np.asarray(starts, dtype=np.int64)
        if (starts < 0).any() or (rows < 0).any():
            raise IndexError(f"{self.folder}: a chunk begins before its track, or a row is negative")
        counts = np.clip(self.lengths[rows] - starts, 0, samples)
        firsts = self._offsets[rows] + starts
        out = np.empty((len(rows), samples), dtype=np.int16)
        # One copy per chunk is as fast as indexing a sliding window with all chunks at once, and may end anywhere.
        flat = self._samples
        for chunk, first, count in zip(out, firsts.tolist(), counts.tolist(), strict=True):
            chunk[:count] = flat[first : first + count]
            chunk[count:] = 0
        return out

    def verify(self) -> None:
        """Compare the samples of every track with their checksum.

        Raises:
            StoreError: Some differ; the message names their tracks.
        """
        sound = intact(self.folder / WAVEFORMS, self._tracks, workers=_cores())
        damaged = self._tracks["track_id"].filter(pl.Series(~sound)).to_list()
        if damaged:
            more = f" and {len(damaged) - 10} more" if len(damaged) > 10 else ""
            raise StoreError(
                f"{self.folder}: samples of {len(damaged)} tracks are damaged ({', '.join(damaged[:10])}{more}); "
                f"delete {MARKER} in it and build the store again: only these are decoded again"
            )


def store_folder(manifest: Path, stores: Path, *, shared: bool = False) -> Path:
    """Return the folder of a manifest's store.

    Args:
        manifest: Path of the manifest.
        stores: Folder of all stores.
        shared: Whether all manifests in the same folder share one store.
    """
    whole = manifest.resolve()
    where = hashlib.sha256(str(whole.parent if shared else whole).encode()).hexdigest()
    return stores / f"{manifest.parent.name}-{where[:8]}"


def build_store(
    manifest: pl.DataFrame,
    folder: str | os.PathLike,
    *,
    sample_rate: int = 16_000,
    workers: int | None = None,
    progress: bool = True,
) -> WaveformStore:
    """Decode the tracks of a manifest that a store lacks, and open the store.

    A track is decoded again if the path, size or modification time of its file has changed, and all tracks are if the
    sample rate has. A build that was interrupted or killed continues where it stopped. Files that cannot be decoded are
    logged and listed in the report, and the next build tries them again. If another process is building the store, this
    one waits, and then decodes only what is still missing.

    Args:
        manifest: The columns track_id and path, as `read_manifest` returns them.
        folder: Folder of the store; it is made if it does not exist.
        sample_rate: The sample rate of the store, in hertz.
        workers: Threads that decode; None for one per core.
        progress: Whether to show a progress bar on the standard error stream.

    Returns:
        The store.

    Raises:
        StoreError: The folder cannot be written, or no file at all can be decoded.
    """
    folder, workers = Path(folder), workers or _cores()
    wanted = with_file_state(manifest.select("track_id", "path"))
    current = _index_of_finished(folder, sample_rate)
    only_retries = current is not None and current.select(wanted.columns).equals(wanted)
    if only_retries and current["reason"].null_count() == current.height:
        return WaveformStore.open(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock, note = folder / ".lock", f"another process is building {folder}; waiting until it has ended"
        # Files that cannot be decoded are not worth waiting for.
        with try_lock(lock) if only_retries else wait_for_lock(lock, note=note) as acquired:
            if acquired:
                current = _index_of_finished(folder, sample_rate)  # again, as another process may have just finished
                settings = {"sample_rate": sample_rate, "workers": workers, "progress": progress}
                fill(folder, wanted, current=current, **settings)
                # While the lock is held: another process may want other tracks of a shared store.
                return WaveformStore.open(folder)
    except OSError as error:
        raise StoreError(
            f"{folder}: cannot be written ({error.strerror or error}); what is decoded is kept: make room or allow "
            "writing, then build again, or name another folder"
        ) from None
    return WaveformStore.open(folder)


def _index_of_finished(folder: Path, sample_rate: int) -> pl.DataFrame | None:
    """Return the index of a finished store of this sample rate; None if there is none."""
    try:
        store = WaveformStore.open(folder)
        return pl.read_parquet(folder / INDEX, glob=False) if store.sample_rate == sample_rate else None
    except StoreError:
        return None


def _cores() -> int:
    return len(os.sched_getaffinity(0))
