"""Train on several datasets at once.

The tracks of all datasets are in one manifest, under names of their own; the stores of the datasets are read as one. A
split of a mixture is "<split>/<dataset>": training takes all of "train/…", evaluation one dataset at a time.
"""

import dataclasses
import hashlib
import logging
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import polars as pl
import torch
from annotated_types import Ge, Le
from torch import Tensor

from musicrec.config.value_check import check_value
from musicrec.data.checks import DatasetReport, count_of, first_few
from musicrec.data.leaks import report_leaks
from musicrec.data.manifest import read_manifest, write_manifest
from musicrec.data.schema import REQUIRED
from musicrec.data.splitting import RandomSplit, with_splits
from musicrec.data.store import build_store, store_folder
from musicrec.data.store_group import StoreGroup
from musicrec.errors import ConfigError, ManifestError
from musicrec.heads import Head
from musicrec.system.atomic_write import write_text

log = logging.getLogger(__name__)

MOST_WEIGHT = 1000  # the length of an epoch grows with the weight
Weight = Annotated[float, Ge(0), Le(MOST_WEIGHT)]

_ABOUT = (*REQUIRED, "split", "artist", "album", "title", "duration_s")  # columns that are always taken


@dataclass(frozen=True, kw_only=True)
class Part:
    """A dataset of a mixture. What is not explained here is as in `MusicDataModule`.

    Attributes:
        manifest: Path of a manifest, or a callable that makes one and returns its path.
        stores: Folder for the waveform store.
        share_store: Whether manifests in the same folder share a store.
        train_split: The split that the mixture trains on.
        valid_split: The split that the mixture validates on.
        random_split: How to divide the tracks if none of them has a split.
        columns: The labels to take from the dataset; None for all.
        weight: How often its tracks are drawn in training: 2 is twice as often as 1, and 0 is never.
    """

    manifest: str | Path | Callable[[], Path]
    stores: str | Path
    share_store: bool = False
    train_split: str = "train"
    valid_split: str = "valid"
    random_split: RandomSplit = RandomSplit()
    columns: Sequence[str] | None = None
    weight: Weight = 1.0


class Mixture:
    """Several datasets as one. Calling it writes the manifest of all of them and returns its path."""

    def __init__(self, *, parts: Mapping[str, Part], folder: str | Path) -> None:
        """Check the datasets; nothing is read yet.

        Args:
            parts: The datasets by name.
            folder: The manifest is written to a folder below this one, named after the datasets.

        Raises:
            ConfigError: There is no dataset, or a setting of one is invalid.
        """
        if not parts:
            raise ConfigError(
                "data=mixture: no dataset is named; write data=[NAME,NAME], or "
                "data=mixture +data@data.sets.MINE=NAME +data@data.sets.OTHER=NAME (docs/datasets.md#mixtures)"
            )
        for name, part in parts.items():
            if not re.fullmatch(r"[\w.-]+", name):
                raise ConfigError(f"data.sets.{name}: give the dataset a name without blanks and slashes")
            expected = f"a number from 0 to {MOST_WEIGHT}"
            check_value(f"data.sets.{name}.weight", part.weight, Weight, expected=expected)
            if part.train_split == part.valid_split:
                raise ConfigError(
                    f"data.sets.{name}.train_split={part.train_split} and its valid_split are the same: name two splits"
                )
        self.parts, self.folder = dict(parts), Path(folder)
        self._manifests: dict[str, Path] = {}
        self._place = self.folder

    def __call__(self) -> Path:
        """Write the manifest of the mixture, and a report on tracks that two datasets have in common.

        Returns:
            Path of the manifest.

        Raises:
            ConfigError: A dataset lacks a split or a column that its settings name.
            ManifestError: A manifest is invalid, or a column has different types in two datasets.
        """
        frames = []
        for name, part in self.parts.items():
            path = Path(part.manifest() if callable(part.manifest) else part.manifest)
            frame = with_splits(read_manifest(path, check_files=False), path, part.random_split)
            frames.append(self._renamed(frame, name, part, path))
            self._manifests[name] = path
        where = "\n".join(
            f"{name} {self._manifests[name].resolve()} {part.columns} {dataclasses.asdict(part.random_split)}"
            for name, part in self.parts.items()
        )
        self._place = self.folder / f"mixture-{hashlib.sha256(where.encode()).hexdigest()[:8]}" / "+".join(self.parts)
        self._place.mkdir(parents=True, exist_ok=True)
        try:
            frame = pl.concat(frames, how="diagonal_relaxed")
        except pl.exceptions.PolarsError as error:
            raise ManifestError(
                f"mixture of {', '.join(self.parts)}: a column has different types ({str(error).splitlines()[0]}); "
                "leave it out of one dataset, data.sets.NAME.columns=[…]"
            ) from None
        self._log_shares(frame)
        report = leaks_between(frame, self.parts)
        for _, what, names in report.findings:
            log.warning("%s: %s", what, first_few(names))
        write_text(self._place / "manifest.checks.txt", report.text() + "\n", error=ManifestError)
        write_manifest(frame, self._place / "manifest.parquet")
        return self._place / "manifest.parquet"

    def _log_shares(self, frame: pl.DataFrame) -> None:
        """Log the size of every dataset and its share of the training chunks."""
        drawn = frame.filter(pl.col("split").str.starts_with("train/"))
        chunks = dict(zip(self.parts, np.zeros(len(self.parts)), strict=True))
        for name, tracks in drawn["dataset"].value_counts().iter_rows():
            chunks[name] = tracks * self.parts[name].weight
        for name in self.parts:
            counts = frame.filter(dataset=name)["split"].drop_nulls().value_counts(sort=True).iter_rows()
            splits = ", ".join(f"{split.removesuffix(f'/{name}')} {tracks:,}" for split, tracks in counts)
            share = chunks[name] / (sum(chunks.values()) or 1)
            weight = self.parts[name].weight
            log.info("%s: %s tracks; weight %g: %.0f %% of the training chunks", name, splits, weight, 100 * share)

    def _renamed(self, frame: pl.DataFrame, name: str, part: Part, manifest: Path) -> pl.DataFrame:
        """Return the tracks of a dataset as they are called in the mixture, with the columns to take."""
        if part.columns is not None:
            known = [column for column in frame.columns if column not in _ABOUT and frame[column].count()]
            unknown = [column for column in part.columns if column not in known]
            if unknown:
                raise ConfigError(f"data.sets.{name}.columns: no label {', '.join(unknown)}; it has {', '.join(known)}")
            frame = frame.select(column for column in frame.columns if column in (*_ABOUT, *part.columns))
        splits = frame["split"].drop_nulls().unique().sort().to_list()
        for setting, meant in (("train_split", "train"), ("valid_split", "valid")):
            named = getattr(part, setting)
            if named != meant and named not in splits:
                raise ConfigError(
                    f"data.sets.{name}.{setting}={named}: no track of {manifest} is in it, only in {', '.join(splits)}"
                )
            if meant in splits and meant not in (part.train_split, part.valid_split):
                raise ConfigError(
                    f"data.sets.{name}.{setting}={named}: the mixture calls this split {meant!r}, but {manifest} "
                    "already has another split of that name; rename that one"
                )
        split = pl.col("split").replace({part.train_split: "train", part.valid_split: "valid"})
        return frame.with_columns(
            track_id=pl.concat_str(pl.lit(f"{name}/"), "track_id"),
            split=pl.concat_str(split, pl.lit(f"/{name}")),
            dataset=pl.lit(name),
        )

    def open_store(self, frame: pl.DataFrame, *, sample_rate: int) -> StoreGroup:
        """Open the stores of all datasets, and build what is missing of them.

        Args:
            frame: Rows of the mixture's manifest.
            sample_rate: The sample rate of the stores, in hertz.

        Returns:
            The stores, read as one.
        """
        stores = {}
        for name, part in self.parts.items():
            own = frame.filter(dataset=name).with_columns(pl.col("track_id").str.strip_prefix(f"{name}/"))
            if own.is_empty():
                continue
            folder = store_folder(self._manifests[name], Path(part.stores), shared=part.share_store)
            stores[name] = build_store(own, folder, sample_rate=sample_rate)
            own = own.with_columns(pl.col("split").str.strip_suffix(f"/{name}"))
            report_leaks(own, stores[name], manifest=self._manifests[name])
        return StoreGroup(stores, folder=self._place)

    def weights(self, frame: pl.DataFrame) -> np.ndarray:
        """Return the weight of each track's dataset, (tracks,) float64."""
        weights = {name: float(part.weight) for name, part in self.parts.items()}
        return frame["dataset"].replace_strict(weights, return_dtype=pl.Float64).to_numpy()

    def drawn(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return the training tracks whose dataset has a weight above 0.

        Args:
            frame: The training tracks.

        Raises:
            ConfigError: There are none.
        """
        frame = frame.filter(pl.Series(self.weights(frame) > 0))
        if frame.is_empty():
            weights = ", ".join(f"data.sets.{name}.weight={part.weight:g}" for name, part in self.parts.items())
            raise ConfigError(
                f"{weights}: no training track would be drawn; give a dataset that has training tracks a weight above 0"
            )
        return frame

    @staticmethod
    def without_foreign_tags(head: Head, target: Tensor, frame: pl.DataFrame, everything: pl.DataFrame) -> Tensor:
        """Mark tags as missing, not absent, in datasets that do not use them at all: nobody listened for them there.

        Args:
            head: The head; heads without an open vocabulary keep their labels.
            target: (tracks, …), the labels as `head.encode(frame)` returns them.
            frame: The tracks.
            everything: All tracks of the mixture.

        Returns:
            The labels, (tracks, …), with NaN where a tag is missing.
        """
        if not head.open_vocabulary:
            return target
        target = target.clone()
        for name in frame["dataset"].unique():
            used = (head.encode(everything.filter(dataset=name)) == 1).any(dim=0)
            rows = torch.from_numpy((frame["dataset"] == name).to_numpy().copy())
            target[rows[:, None] & ~used] = torch.nan
        return target


def leaks_between(frame: pl.DataFrame, parts: Collection[str]) -> DatasetReport:
    """DatasetReport the files and artists that one dataset trains on and another one holds out.

    Args:
        frame: Rows of the mixture's manifest.
        parts: Names of the datasets.

    Returns:
        A report with one warning for files and one for artists, if there are any.
    """
    report = DatasetReport("mixture", " ".join(parts))
    part, dataset = (pl.element().str.extract(pattern) for pattern in ("^([^/]*)", "([^/]*)$"))
    for column, noun in (("path", "file"), ("artist", "artist")):
        name = pl.col(column).str.normalize("NFC")
        name = name.str.strip_chars().str.to_lowercase() if column == "artist" else name
        groups = frame.drop_nulls(["split", column]).group_by(name.alias("name"))
        where = groups.agg(pl.col(column).first(), pl.col("split").unique().sort()).filter(
            pl.col("split").list.len() > 1
        )
        parts_of = pl.col("split").list.eval(part).list.unique()
        several = pl.col("split").list.eval(dataset).list.n_unique() > 1
        torn = where.filter(several & parts_of.list.contains("train") & (parts_of.list.len() > 1)).sort(column)
        if torn.height:
            what = f"{count_of(torn, noun)} of several datasets, trained on in one and held out in another"
            names = torn.select(column, "split").iter_rows()
            report.warn(what, [f"{found} ({', '.join(splits)})" for found, splits in names])
    return report
