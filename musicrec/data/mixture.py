"""Several datasets as one: their tracks under names of their own, their splits beside each other, their stores in turn.

A split of a mixture is "<split>/<dataset>": training takes all of "train/…", evaluation one dataset at a time.
"""

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl
import torch
from torch import Tensor

from musicrec.data.manifest import read_manifest, write_manifest
from musicrec.data.schema import REQUIRED
from musicrec.data.splitting import with_splits
from musicrec.data.store import WaveformStore, build_store, store_folder
from musicrec.errors import ConfigError, ManifestError
from musicrec.heads import Head
from musicrec.heads.tags import TagHead

log = logging.getLogger(__name__)

_ABOUT = (*REQUIRED, "split", "artist", "album", "title", "duration_s")  # taken of every dataset


@dataclass(frozen=True, kw_only=True)
class Part:
    """A dataset of a mixture, as `MusicDataModule` takes it by itself.

    columns: the labels that are taken of it; None for all. weight: how often its tracks are drawn in training; 2 is
    twice as often as 1, and 0 never.
    """

    manifest: str | Path | Callable[[], Path]
    stores: str | Path
    share_store: bool = False
    train_split: str = "train"
    valid_split: str = "valid"
    splitting: Mapping[str, object] = field(default_factory=dict)
    columns: Sequence[str] | None = None
    weight: float = 1.0


class Mixture:
    """Called, it writes the manifest of all its parts and gives its path.

    parts: by name. folder: the manifest lies in a folder below it that is named after the parts.
    """

    def __init__(self, *, parts: Mapping[str, Part], folder: str | Path) -> None:
        if not parts:
            raise ConfigError(
                "data=mixture: no dataset is named; write data=[NAME,NAME], or "
                "data=mixture +data@data.sets.MINE=NAME +data@data.sets.OTHER=NAME (docs/datasets.md#mixtures)"
            )
        for name, part in parts.items():
            if isinstance(part.weight, bool) or not isinstance(part.weight, int | float) or not part.weight >= 0:
                raise ConfigError(f"data.sets.{name}.weight={part.weight}: give a number, 0 or above")
        self.parts, self.folder = dict(parts), Path(folder)
        self._manifests: dict[str, Path] = {}
        self._place = self.folder

    def __call__(self) -> Path:
        frames = []
        for name, part in self.parts.items():
            path = Path(part.manifest() if callable(part.manifest) else part.manifest)
            frame = with_splits(read_manifest(path, check_files=False), path, **part.splitting)
            frames.append(self._renamed(frame, name, part))
            self._manifests[name] = path
        where = "\n".join(
            f"{name} {self._manifests[name].resolve()} {part.columns} {part.splitting}"
            for name, part in self.parts.items()
        )
        self._place = self.folder / f"mixture-{hashlib.sha256(where.encode()).hexdigest()[:8]}" / "+".join(self.parts)
        self._place.mkdir(parents=True, exist_ok=True)
        try:
            frame = pl.concat(frames, how="diagonal_relaxed")
        except pl.exceptions.PolarsError as error:
            raise ManifestError(
                f"mixture of {', '.join(self.parts)}: a column differs in type ({str(error).splitlines()[0]}); leave "
                "it out of one, data.sets.NAME.columns=[…]"
            ) from None
        self._tell(frame)
        write_manifest(frame, self._place / "manifest.parquet")
        return self._place / "manifest.parquet"

    def _tell(self, frame: pl.DataFrame) -> None:
        drawn = frame.filter(pl.col("split").str.starts_with("train/"))
        chunks = dict(zip(self.parts, np.zeros(len(self.parts)), strict=True))
        for name, tracks in drawn["dataset"].value_counts().iter_rows():
            chunks[name] = tracks * self.parts[name].weight
        for name in self.parts:
            counts = frame.filter(dataset=name)["split"].drop_nulls().value_counts(sort=True).iter_rows()
            splits = ", ".join(f"{split.removesuffix(f'/{name}')} {tracks:,}" for split, tracks in counts)
            share = chunks[name] / (sum(chunks.values()) or 1)
            log.info("%s: %s tracks; weight %g: %.0f %% of the training chunks", name, splits, self.parts[name].weight,
                     100 * share)  # fmt: skip

    def _renamed(self, frame: pl.DataFrame, name: str, part: Part) -> pl.DataFrame:
        if part.columns is not None:
            known = [column for column in frame.columns if column not in _ABOUT and frame[column].count()]
            unknown = [column for column in part.columns if column not in known]
            if unknown:
                raise ConfigError(f"data.sets.{name}.columns: no label {', '.join(unknown)}; it has {', '.join(known)}")
            frame = frame.select(column for column in frame.columns if column in (*_ABOUT, *part.columns))
        split = pl.col("split").replace({part.train_split: "train", part.valid_split: "valid"})
        return frame.with_columns(
            track_id=pl.concat_str(pl.lit(f"{name}/"), "track_id"),
            split=pl.concat_str(split, pl.lit(f"/{name}")),
            dataset=pl.lit(name),
        )

    def open_store(self, frame: pl.DataFrame, *, sample_rate: int) -> "StoreGroup":
        """The parts' own stores, built where they are not there. frame: of the mixture's manifest."""
        stores = {}
        for name, part in self.parts.items():
            own = frame.filter(dataset=name).with_columns(pl.col("track_id").str.strip_prefix(f"{name}/"))
            if own.is_empty():
                continue
            folder = store_folder(self._manifests[name], Path(part.stores), shared=part.share_store)
            stores[name] = build_store(own, folder, sample_rate=sample_rate)
        return StoreGroup(stores, folder=self._place)

    def weights(self, frame: pl.DataFrame) -> np.ndarray:
        """(tracks,) float64, how often each track is drawn."""
        weights = {name: float(part.weight) for name, part in self.parts.items()}
        return frame["dataset"].replace_strict(weights, return_dtype=pl.Float64).to_numpy()

    @staticmethod
    def without_foreign_tags(head: Head, target: Tensor, frame: pl.DataFrame, everything: pl.DataFrame) -> Tensor:
        """The labels of a head, where a tag that no track of a dataset has is missing of its tracks, and not absent:
        nobody there has listened for it.

        target: as head.encode(frame) gives it. everything: all tracks of the mixture.
        """
        if not isinstance(head, TagHead):
            return target
        target = target.clone()
        for name in frame["dataset"].unique():
            used = (head.encode(everything.filter(dataset=name)) == 1).any(dim=0)
            rows = torch.from_numpy((frame["dataset"] == name).to_numpy().copy())
            target[rows[:, None] & ~used] = torch.nan
        return target


class StoreGroup:
    """Stores read as one, row after row; a track is called "<dataset>/<track_id>". See `WaveformStore`."""

    def __init__(self, stores: Mapping[str, WaveformStore], *, folder: Path) -> None:
        self.stores, self.folder = dict(stores), folder
        self.sample_rate = next(iter(self.stores.values())).sample_rate
        self.lengths = np.concatenate([store.lengths for store in self.stores.values()])
        self._first = np.cumsum([0, *(len(store) for store in self.stores.values())])

    @cached_property
    def index(self) -> dict[str, int]:
        names = (f"{name}/{track}" for name, store in self.stores.items() for track in store.track_ids)
        return {track_id: row for row, track_id in enumerate(names)}

    def rows(self, track_ids: pl.Series) -> np.ndarray:
        """(tracks,) int64, the rows of tracks by their names; -1 for what is in no store."""
        rows = np.full(len(track_ids), -1, dtype=np.int64)
        for (name, store), first in zip(self.stores.items(), self._first, strict=False):
            own = track_ids.str.starts_with(f"{name}/").to_numpy()
            there = store.rows(track_ids.filter(pl.Series(own)).str.strip_prefix(f"{name}/"))
            rows[own] = np.where(there < 0, -1, there + first)
        return rows

    def read(self, rows: np.ndarray, starts: np.ndarray, samples: int) -> np.ndarray:
        """Chunks of `samples` samples, (batch, samples) int16."""
        rows, starts = np.asarray(rows, dtype=np.int64), np.asarray(starts, dtype=np.int64)
        out = np.empty((len(rows), samples), dtype=np.int16)
        of_store = np.searchsorted(self._first, rows, side="right") - 1
        for number, store in enumerate(self.stores.values()):
            mine = of_store == number
            if mine.any():
                out[mine] = store.read(rows[mine] - self._first[number], starts[mine], samples)
        return out
