"""Read the waveform stores of several datasets as one."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl

from musicrec.data.store import WaveformStore


class StoreGroup:
    """Several stores, one after the other, with the methods of `WaveformStore`.

    A track is called "<dataset>/<track_id>".

    Attributes:
        stores: The stores by dataset.
        folder: Folder of the mixture.
        sample_rate: In hertz.
        lengths: (tracks,) int64, the length of each track in samples.
    """

    def __init__(self, stores: Mapping[str, WaveformStore], *, folder: Path) -> None:
        """Join stores.

        Args:
            stores: At least one store, all of the same sample rate, by dataset.
            folder: Folder of the mixture.
        """
        self.stores, self.folder = dict(stores), folder
        self.sample_rate = next(iter(self.stores.values())).sample_rate
        self.lengths = np.concatenate([store.lengths for store in self.stores.values()])
        self._first = np.cumsum([0, *(len(store) for store in self.stores.values())])

    @cached_property
    def index(self) -> dict[str, int]:
        """The row of each track, {track_id: row}."""
        names = (f"{name}/{track}" for name, store in self.stores.items() for track in store.track_ids)
        return {track_id: row for row, track_id in enumerate(names)}

    def rows(self, track_ids: pl.Series) -> np.ndarray:
        """Return the rows of tracks by their names, (tracks,) int64; -1 for a track that is in no store."""
        rows = np.full(len(track_ids), -1, dtype=np.int64)
        for (name, store), first in zip(self.stores.items(), self._first, strict=False):
            own = track_ids.str.starts_with(f"{name}/").to_numpy()
            own_rows = store.rows(track_ids.filter(pl.Series(own)).str.strip_prefix(f"{name}/"))
            rows[own] = np.where(own_rows < 0, -1, own_rows + first)
        return rows

    def checksum(self, track_id: str) -> int:
        """Return the CRC-32 of a track's samples."""
        name, own = track_id.split("/", maxsplit=1)
        return self.stores[name].checksum(own)

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
        out = np.empty((len(rows), samples), dtype=np.int16)
        of_store = np.searchsorted(self._first, rows, side="right") - 1
        for number, store in enumerate(self.stores.values()):
            mine = of_store == number
            if mine.any():
                out[mine] = store.read(rows[mine] - self._first[number], starts[mine], samples)
        return out
