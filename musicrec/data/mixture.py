"""Several datasets as one: their tracks under names of their own, their splits beside each other, their stores in turn.

A split of a mixture is "<split>/<dataset>": training takes all of "train/…", evaluation one dataset at a time.
"""

import hashlib
import logging
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl
import torch
from torch import Tensor

from musicrec.data.checks import Report, number, some
from musicrec.data.manifest import read_manifest, write_manifest
from musicrec.data.schema import REQUIRED
from musicrec.data.splitting import with_splits
from musicrec.data.store import build_store, store_folder
from musicrec.data.store_group import StoreGroup
from musicrec.errors import ConfigError, ManifestError
from musicrec.heads import Head
from musicrec.heads.tags import TagHead
from musicrec.system.atomic_write import write_text

log = logging.getLogger(__name__)

MOST_WEIGHT = 1000  # an epoch gets as long

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
            if not re.fullmatch(r"[\w.-]+", name):
                raise ConfigError(f"data.sets.{name}: call the dataset something without blanks and slashes")
            numeric = isinstance(part.weight, int | float) and not isinstance(part.weight, bool)
            if not numeric or not 0 <= part.weight <= MOST_WEIGHT:
                raise ConfigError(f"data.sets.{name}.weight={part.weight}: give a number from 0 to {MOST_WEIGHT}")
            if part.train_split == part.valid_split:
                raise ConfigError(
                    f"data.sets.{name}.train_split={part.train_split} and its valid_split are one: name two splits"
                )
        self.parts, self.folder = dict(parts), Path(folder)
        self._manifests: dict[str, Path] = {}
        self._place = self.folder

    def __call__(self) -> Path:
        frames = []
        for name, part in self.parts.items():
            path = Path(part.manifest() if callable(part.manifest) else part.manifest)
            frame = with_splits(read_manifest(path, check_files=False), path, **part.splitting)
            frames.append(self._renamed(frame, name, part, path))
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
        report = leaks_between(frame, self.parts)
        for _, what, names in report.findings:
            log.warning("%s: %s", what, some(names))
        write_text(self._place / "manifest.checks.txt", report.text() + "\n", error=ManifestError)
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

    def _renamed(self, frame: pl.DataFrame, name: str, part: Part, manifest: Path) -> pl.DataFrame:
        if part.columns is not None:
            known = [column for column in frame.columns if column not in _ABOUT and frame[column].count()]
            unknown = [column for column in part.columns if column not in known]
            if unknown:
                raise ConfigError(f"data.sets.{name}.columns: no label {', '.join(unknown)}; it has {', '.join(known)}")
            frame = frame.select(column for column in frame.columns if column in (*_ABOUT, *part.columns))
        there = frame["split"].drop_nulls().unique().sort().to_list()
        for setting, meant in (("train_split", "train"), ("valid_split", "valid")):
            named = getattr(part, setting)
            if named != meant and named not in there:
                raise ConfigError(
                    f"data.sets.{name}.{setting}={named}: no track of {manifest} is in it, only in {', '.join(there)}"
                )
            if meant in there and meant not in (part.train_split, part.valid_split):
                raise ConfigError(
                    f"data.sets.{name}.{setting}={named}: within the mixture this split is called {meant!r}, as "
                    f"another of {manifest} is already; call that one something else"
                )
        split = pl.col("split").replace({part.train_split: "train", part.valid_split: "valid"})
        return frame.with_columns(
            track_id=pl.concat_str(pl.lit(f"{name}/"), "track_id"),
            split=pl.concat_str(split, pl.lit(f"/{name}")),
            dataset=pl.lit(name),
        )

    def open_store(self, frame: pl.DataFrame, *, sample_rate: int) -> StoreGroup:
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

    def drawn(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The tracks that have a weight. frame: those of training. Raises ConfigError where there is none."""
        frame = frame.filter(pl.Series(self.weights(frame) > 0))
        if frame.is_empty():
            weights = ", ".join(f"data.sets.{name}.weight={part.weight:g}" for name, part in self.parts.items())
            raise ConfigError(
                f"{weights}: no training track would be drawn; give a dataset that has some a weight above 0"
            )
        return frame

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


def leaks_between(frame: pl.DataFrame, parts: Collection[str]) -> Report:
    """The files and artists that one dataset trains on and another holds out. frame: of the mixture."""
    report = Report("mixture", " ".join(parts))
    part, dataset = (pl.element().str.extract(pattern) for pattern in ("^([^/]*)", "([^/]*)$"))
    for column, noun in (("path", "file"), ("artist", "artist")):
        name = pl.col("artist").str.strip_chars().str.to_lowercase() if column == "artist" else pl.col(column)
        groups = frame.drop_nulls(["split", column]).group_by(name.alias("name"))
        where = groups.agg(pl.col(column).first(), pl.col("split").unique().sort()).filter(
            pl.col("split").list.len() > 1
        )
        parts_of = pl.col("split").list.eval(part).list.unique()
        several = pl.col("split").list.eval(dataset).list.n_unique() > 1
        torn = where.filter(several & parts_of.list.contains("train") & (parts_of.list.len() > 1)).sort(column)
        if torn.height:
            what = f"{number(torn, noun)} of several datasets, trained on in one and held out in another"
            names = torn.select(column, "split").iter_rows()
            report.warn(what, [f"{found} ({', '.join(splits)})" for found, splits in names])
    return report
