"""Embeddings that another program computed, as a table."""

import logging
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from musicrec.data.checks import count_of, first_few
from musicrec.data.embeddings import EmbeddingStore
from musicrec.data.store import WaveformStore
from musicrec.data.store_group import StoreGroup
from musicrec.errors import ManifestError
from musicrec.models.frontends.none import NoFrontend
from musicrec.models.probe import Probe

_ID = "track_id"
_SAMPLES = 48_000  # of a chunk, where a number is needed: nobody knows how long those of the table are

log = logging.getLogger(__name__)


class EmbeddingTable:
    """A table with one row per track, or several per track, one per chunk and in their order.

    A Parquet file has a column track_id, and either one column of lists of numbers, or numbers in all other columns. A
    NumPy file NAME.npy holds an array (rows, size); beside it, NAME.txt has the track_id of each row, one per line.
    """

    needs_audio = False

    def __init__(self, *, path: str | Path) -> None:
        """Set up; nothing is read yet.

        Args:
            path: The file.
        """
        self.path, self.frontend, self.chunk_samples = Path(path).expanduser(), NoFrontend(), _SAMPLES

    @property
    def probe(self) -> dict[str, Any]:
        """What the probe is built with."""
        size = self._rows[1].shape[1]
        settings = {"embedding_size": size, "layers": 1, "chunk_samples": self.chunk_samples}
        return {"encoder": None, "trained": False, **settings}

    @property
    def about(self) -> dict[str, Any]:
        """What a model card says about the table."""
        return {"table": self.path.name, "columns": self._rows[1].shape[1]}

    def load_weights(self, probe: Probe) -> None:
        """Do nothing: the probe has no encoder."""

    def open(
        self, frame: pl.DataFrame, store: WaveformStore | StoreGroup | None, *, eval_chunks: int | None = None
    ) -> EmbeddingStore:
        """Return the embeddings of the tracks of a manifest; tracks that the table lacks are logged and left out.

        Args:
            frame: Rows of the manifest.
            store: Not used.
            eval_chunks: Not used: all rows of a track count.

        Raises:
            ManifestError: The table cannot be read, or has no row for any of the tracks.
        """
        track_ids, values = self._rows
        order = np.argsort(track_ids, kind="stable")
        names, first, counts = np.unique(track_ids[order], return_index=True, return_counts=True)
        places = {name: order[start : start + count] for name, start, count in zip(names, first, counts, strict=True)}
        wanted = frame[_ID].to_list()
        found = [name for name in wanted if name in places]
        if not found:
            raise ManifestError(
                f"{self.path}: has no row for any track of the manifest; its track_id are such as {str(names[0])!r}, "
                f"those of the manifest such as {wanted[0]!r}"
            )
        lacking = [name for name in wanted if name not in places]
        if lacking:
            log.warning("%s: no row for %s, left out: %s", self.path, count_of(lacking, "track"), first_few(lacking))
        return EmbeddingStore(found, [values[places[name]] for name in found])

    @cached_property
    def _rows(self) -> tuple[np.ndarray, np.ndarray]:
        """The track_id of each row (rows,), and the embeddings (rows, size) float32."""
        track_ids, values = self._read()
        if values.ndim != 2 or not values.size:
            raise ManifestError(
                f"{self.path}: holds an array of shape {values.shape}; write one row per track or chunk"
            )
        if len(track_ids) != len(values):
            raise ManifestError(
                f"{self.path}: has {len(values):,} rows, but {self._names_file} has {len(track_ids):,} lines; write "
                "one track_id per row"
            )
        wrong = ~np.isfinite(values).all(axis=1)
        if wrong.any():
            row = int(wrong.argmax())
            raise ManifestError(
                f"{self.path}: row {row + 1} ({track_ids[row]}) holds NaN or infinity; leave such rows out"
            )
        return track_ids, values

    @property
    def _names_file(self) -> Path:
        return self.path.with_suffix(".txt")

    def _read(self) -> tuple[np.ndarray, np.ndarray]:
        try:
            if self.path.suffix == ".npy":
                values = np.load(self.path, allow_pickle=False).astype(np.float32)
                return np.array(self._names_file.read_text(encoding="utf-8").splitlines()), values
            if self.path.suffix == ".parquet":
                return self._read_parquet()
        except (OSError, ValueError, pl.exceptions.PolarsError) as error:
            raise ManifestError(f"{self.path}: cannot be read as a table of embeddings ({error})") from None
        raise ManifestError(
            f"{self.path}: give a Parquet file with a column track_id, or a NumPy file NAME.npy with NAME.txt beside it"
        )

    def _read_parquet(self) -> tuple[np.ndarray, np.ndarray]:
        frame = pl.read_parquet(self.path, glob=False)
        if _ID not in frame.columns:
            raise ManifestError(f"{self.path}: has no column track_id (columns: {', '.join(frame.columns[:8])})")
        empty = [name for name in frame.columns if frame[name].null_count()]
        if empty:
            row = frame[empty[0]].is_null().to_list().index(True)
            raise ManifestError(f"{self.path}: row {row + 1} of column {empty[0]} is empty; leave such rows out")
        names = frame[_ID].cast(pl.String).to_numpy()
        values = frame.drop(_ID)
        lists = [name for name, kind in values.schema.items() if isinstance(kind, pl.List | pl.Array)]
        numbers = [name for name, kind in values.schema.items() if kind.is_numeric()]
        if len(lists) == 1 and not numbers:
            lengths = values[lists[0]].list.len() if isinstance(values.schema[lists[0]], pl.List) else None
            if lengths is not None and lengths.n_unique() > 1:
                raise ManifestError(
                    f"{self.path}: the lists in column {lists[0]} have {lengths.min()} to {lengths.max()} numbers; all "
                    "embeddings need the same number"
                )
            return names, np.stack(values[lists[0]].to_list()).astype(np.float32)
        if lists or len(numbers) < values.width or not numbers:
            others = [name for name in values.columns if name not in numbers]
            raise ManifestError(
                f"{self.path}: keep track_id and either one column of lists or columns of numbers only (others: "
                f"{', '.join(others[:8]) or 'none at all'})"
            )
        return names, values.to_numpy().astype(np.float32)
