"""The one LightningDataModule: int16 chunks leave the store, mel spectrograms are made on the device."""

import logging
import math
import os
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytorch_lightning as lightning
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Sampler

from musicrec.config.number_types import Natural, Seed
from musicrec.data.chunk_sampling import AllChunks, ChunkDataset, LateLoader, RandomChunks
from musicrec.data.durations import compare_durations
from musicrec.data.manifest import manifest_hash, read_manifest
from musicrec.data.mixture import Mixture
from musicrec.data.splitting import with_splits
from musicrec.data.store import WaveformStore, build_store, store_folder
from musicrec.data.store_group import StoreGroup
from musicrec.data.subset import keep_fraction, keep_where
from musicrec.deformations.base import Deformation, seed_of
from musicrec.deformations.mixup import Mixup
from musicrec.deformations.spec_augment import SpecAugment
from musicrec.errors import ConfigError, ManifestError
from musicrec.heads import Head
from musicrec.models.frontends import Frontend
from musicrec.models.frontends.decibels import INT16_SCALE

log = logging.getLogger(__name__)


class MusicDataModule(lightning.LightningDataModule):
    """Manifest and waveform store in, batches with mel spectrograms and labels out.

    manifest: path of a manifest, or a callable that makes one and returns its path; a `Mixture` brings the stores of
    its datasets along. stores: folder in which the
    waveform store of each manifest lies (built when it is not there). share_store: manifests in one folder, such as the
    splits of a dataset, share a store, so that no track of theirs is decoded twice. heads: the labels to read.
    chunk_samples: what the network takes. augment: deformations of the training waveforms, applied in turn.
    move_labels: they move the labels, too; False keeps those of the undeformed track, to measure what moving them is
    worth. mixup: lays training chunks over each other.
    chunks_per_track: random chunks a track and epoch. eval_chunks: equally spaced chunks of every track to evaluate on
    (16: the published rule); None takes as many as cover it. test_splits: each is tested by itself. max_tracks: of each
    split. train_where: an SQL condition on columns of the manifest, which tracks must meet to be trained and validated
    on. fraction: of the training tracks, a choice that follows from the seed (subset.py); the vocabularies are those
    of all, and an epoch stays as long: the tracks that are left give more chunks. workers: None takes 0 on the CPU,
    where reading is a memory copy and the cores are the network's, and up to 4 beside a GPU.
    """

    def __init__(
        self,
        *,
        manifest: str | Path | Callable[[], Path],
        stores: str | Path,
        share_store: bool = False,
        heads: Sequence[Head],
        frontend: Frontend,
        chunk_samples: int,
        augment: Sequence[Deformation] = (),
        move_labels: bool = True,
        mixup: Mixup | None = None,
        spec_augment: SpecAugment | None = None,
        batch_size: int = 16,
        eval_batch_size: int | None = None,
        eval_chunks: int | None = None,
        chunks_per_track: int = 8,
        train_split: str = "train",
        valid_split: str = "valid",
        test_splits: Sequence[str] = ("test",),
        valid_share: float = 0.1,
        test_share: float = 0.1,
        split_by: str = "artist",
        split_seed: int = 0,
        max_tracks: int | None = None,
        train_where: str | None = None,
        fraction: float = 1.0,
        workers: Natural | None = None,
        seed: Seed = 0,
    ) -> None:
        super().__init__()
        counts = {"batch_size": batch_size, "eval_batch_size": eval_batch_size, "chunks_per_track": chunks_per_track}
        counts |= {"eval_chunks": eval_chunks, "max_tracks": max_tracks, "chunk_samples": chunk_samples}
        for name, count in counts.items():
            if count is not None and count < 1:
                raise ConfigError(f"data.{name}={count}: give a whole number, 1 or more")
        self.manifest, self.stores, self.share_store = manifest, Path(stores), share_store
        self.heads, self.frontend, self.chunk_samples = list(heads), frontend, chunk_samples
        self.augment, self.move_labels = list(augment), move_labels
        self.mixup, self.spec_augment = mixup, spec_augment
        self.batch_size, self.eval_batch_size = batch_size, eval_batch_size or batch_size
        self.eval_chunks = eval_chunks
        self.chunks_per_track, self.max_tracks, self.fraction = chunks_per_track, max_tracks, fraction
        self.train_where = train_where
        self.seed = seed
        self.train_split, self.valid_split = train_split, valid_split
        self.test_splits = [test_splits] if isinstance(test_splits, str) else list(dict.fromkeys(test_splits))
        self.splitting = {
            "valid_share": valid_share, "test_share": test_share, "unit": split_by, "seed": split_seed
        }  # fmt: skip
        if workers is None:
            workers = min(4, os.cpu_count() or 1) if torch.cuda.is_available() else 0
        self.workers = workers
        self.mixture = manifest if isinstance(manifest, Mixture) else None
        self.store: WaveformStore | StoreGroup | None = None
        self._listed: pl.DataFrame | None = None  # the tracks that the store holds, as far as they can be decoded

    def read(self, *, fit: bool = True) -> None:
        """Read the manifest and check it; nothing is decoded yet.

        fit: also read vocabularies and medians off the training tracks. False where the heads come from a trained
        model: they stay as they are, and the manifest needs no training tracks.

        Raises:
            ManifestError: a split is empty, or a head has nothing to learn from.
        """
        if self._listed is not None:
            return
        self.manifest_path = Path(self.manifest() if callable(self.manifest) else self.manifest)
        frame = with_splits(read_manifest(self.manifest_path), self.manifest_path, **self.splitting)
        listed = frame
        if fit and self.train_where is not None:
            trained_on = _of_split(self.train_split) | _of_split(self.valid_split)
            frame = keep_where(frame, self.train_where, splits=trained_on)
        if self.max_tracks is not None:
            listed = frame = self._sample(frame)
        self.frame = frame
        self.manifest_hash = manifest_hash(self.frame)
        for split in [*([self.train_split, self.valid_split] if fit else []), *self.test_splits]:
            self.tracks(split)
        self.test_splits = [name for split in self.test_splits for name in self.splits(split)]
        if fit:
            drawn, train = self._drawn(), self.tracks(self.train_split)
            self.heads = [self._with_columns(head, head.fit, drawn) for head in self.heads]
            kept = keep_fraction(train, self.fraction, seed=self.seed)["track_id"]
            dropped = _of_split(self.train_split) & ~pl.col("track_id").is_in(kept.implode())
            self.frame = frame.filter(~dropped)
            self._check_labels()
        self._listed = listed

    def open(self, *, fit: bool = True) -> None:
        """`read`, and build what is missing of the store. Only tracks that could be decoded stay."""
        if self.store is not None:
            return
        self.read(fit=fit)
        frame = self._listed
        if self.mixture is not None:
            self.store = self.mixture.open_store(frame, sample_rate=self.frontend.sample_rate)
        else:
            folder = store_folder(self.manifest_path, self.stores, shared=self.share_store)
            self.store = build_store(frame, folder, sample_rate=self.frontend.sample_rate)
        compare_durations(frame, self.store)
        self.frame = self.frame.filter(pl.Series(self.store.rows(self.frame["track_id"]) >= 0))

    def _check_labels(self) -> None:
        """Every output needs a label to learn from, and a validation label to choose the best checkpoint by."""
        for split, tracks in ((self.train_split, self._drawn()), (self.valid_split, self.tracks(self.valid_split))):
            for head in self.heads:
                known = ~self.labels(head, tracks).isnan()
                outputs = known.any(dim=0).reshape(-1)
                if outputs.all():
                    continue
                missing = ""
                if len(outputs) > 1:  # one output a class
                    names = [name for name, there in zip(head.classes, outputs, strict=True) if not there]
                    missing = f" ({', '.join(names)})"
                raise ManifestError(
                    f"{self.manifest_path}: no track of split '{split}' has a label that head '{head.name}'"
                    f"{missing} can use; fill its columns, put other tracks into the split (its column, or where the "
                    "program has split them data.split_seed, data.split_by=track, data.valid_share), change its "
                    f"settings (task.heads.{head.name}), or leave it out (~task.heads.{head.name})"
                )

    def _drawn(self) -> pl.DataFrame:
        """The training tracks, but for those of datasets that a mixture gives no weight."""
        train = self.tracks(self.train_split)
        return train if self.mixture is None else self.mixture.drawn(train)

    def _sample(self, frame: pl.DataFrame) -> pl.DataFrame:
        """At most max_tracks of each split, spread over the manifest, which often is sorted by label."""
        rank, size = pl.int_range(pl.len()).over("split"), pl.len().over("split")
        wanted = pl.min_horizontal(size, pl.lit(self.max_tracks)).cast(pl.Int64)
        return frame.filter((rank + 1) * wanted // size > rank * wanted // size)

    def tracks(self, split: str) -> pl.DataFrame:
        """The manifest rows of a split, or of all "<split>/…". Raises ManifestError when there is none."""
        frame = self.frame.filter(_of_split(split))
        if frame.is_empty():
            there = ", ".join(self.frame["split"].drop_nulls().unique().sort().to_list()) or "none at all"
            raise ManifestError(
                f"{self.manifest_path}: no readable track has split '{split}' (splits there: {there}); "
                "fill the column `split`, or name yours (data.train_split, data.valid_split and data.test_splits in "
                "train.py, splits in evaluate.py)"
            )
        return frame

    def splits(self, split: str) -> list[str]:
        """The split itself, or of a mixture each dataset's, "<split>/<dataset>"."""
        return self.tracks(split)["split"].unique(maintain_order=True).to_list()

    def track(self, track_id: str) -> tuple[np.ndarray, dict[str, Tensor]]:
        """Waveform (samples,) float32 in [-1, 1] of a track of the store, and its label for every head."""
        row = self.store.index[track_id]
        samples = self.store.read(np.array([row]), np.array([0]), int(self.store.lengths[row]))[0]
        frame = self.frame.filter(pl.col("track_id") == track_id)
        truth = {head.name: self.labels(head, frame)[0] for head in self.heads}
        return samples.astype(np.float32) * INT16_SCALE, truth

    def labels(self, head: Head, frame: pl.DataFrame) -> Tensor:
        """What a head reads of rows of the manifest: (tracks, …), NaN where a label is missing."""
        target = self._with_columns(head, head.encode, frame)
        return target if self.mixture is None else self.mixture.without_foreign_tags(head, target, frame, self.frame)

    def _with_columns(self, head: Head, read: Callable[[pl.DataFrame], object], frame: pl.DataFrame) -> object:
        try:
            return read(frame)
        except pl.exceptions.ColumnNotFoundError as error:
            raise ManifestError(
                f"{self.manifest_path}: column {str(error).splitlines()[0]}, which head '{head.name}' reads; add the "
                f"column (an empty cell is a missing label), or name another (task.heads.{head.name})"
            ) from None

    def summary(self) -> dict:
        """What a model card says of the data."""
        splits = [*self.splits(self.train_split), *self.splits(self.valid_split), *self.test_splits]
        return {
            "manifest": self.manifest_path.name,
            "manifest_hash": self.manifest_hash,
            "tracks": {split: len(self.tracks(split)) for split in splits},
        }

    def setup(self, stage: str) -> None:
        self.open(fit=stage == "fit")

    def _dataset(self, split: str, *, samples: int) -> tuple[ChunkDataset, np.ndarray]:
        frame = self.tracks(split)
        rows = self.store.rows(frame["track_id"])
        targets = {head.name: self.labels(head, frame) for head in self.heads}
        dataset = ChunkDataset(self.store, split=split, rows=rows, targets=targets, samples=samples)
        return dataset, self.store.lengths[rows]

    def _loader(self, dataset: ChunkDataset, sampler: Sampler, *, batch_size: int, drop_last: bool) -> DataLoader:
        return LateLoader(
            dataset,
            sampler=sampler,
            batch_size=batch_size,
            drop_last=drop_last,
            num_workers=self.workers,
            persistent_workers=self.workers > 0,
            pin_memory=torch.cuda.is_available(),
            collate_fn=_as_is,
        )

    def _share(self) -> dict[str, int]:
        if self.trainer is None:
            return {"rank": 0, "processes": 1}
        return {"rank": self.trainer.global_rank, "processes": self.trainer.world_size}

    def train_dataloader(self) -> DataLoader:
        ratio = math.prod(deformation.input_ratio for deformation in self.augment)
        dataset, lengths = self._dataset(self.train_split, samples=math.ceil(self.chunk_samples * ratio))
        self._warn_of_padding(lengths, samples=dataset.samples)
        sampler = RandomChunks(
            lengths,
            samples=dataset.samples,
            chunks_per_track=round(self.chunks_per_track / self.fraction),
            weights=None if self.mixture is None else self.mixture.weights(self.tracks(self.train_split)),
            seed=self.seed,
            seen=self._seen,
            **self._share(),
        )
        return self._loader(dataset, sampler, batch_size=self.batch_size, drop_last=len(sampler) > self.batch_size)

    def _seen(self) -> int:
        return (
            0
            if self.trainer is None
            else self.trainer.fit_loop.epoch_loop.batch_progress.current.ready * self.batch_size
        )

    def _warn_of_padding(self, lengths: np.ndarray, *, samples: int) -> None:
        """lengths: of the training tracks. samples: read for a chunk, which the deformations may shorten."""
        median = float(np.median(lengths))
        if samples > median:
            padding = 1 - np.minimum(lengths, samples).mean() / samples
            rate = self.frontend.sample_rate
            warnings.warn(
                f"a training chunk takes {samples / rate:.1f} s of audio (model.chunk_samples={self.chunk_samples} × "
                f"{samples / self.chunk_samples:.2f} for the augmentation), the median training track lasts "
                f"{median / rate:.1f} s: on average {padding:.0%} of a chunk will be padding",
                stacklevel=2,
            )

    def eval_dataloader(self, split: str) -> DataLoader:
        """All chunks of all tracks of a split, or `eval_chunks` of each."""
        dataset, lengths = self._dataset(split, samples=self.chunk_samples)
        sampler = AllChunks(lengths, samples=self.chunk_samples, count=self.eval_chunks, **self._share())
        return self._loader(dataset, sampler, batch_size=self.eval_batch_size, drop_last=False)

    def val_dataloader(self) -> DataLoader | list[DataLoader]:
        loaders = [self.eval_dataloader(split) for split in self.splits(self.valid_split)]
        return loaders[0] if len(loaders) == 1 else loaders

    def test_dataloader(self) -> list[DataLoader]:
        return [self.eval_dataloader(split) for split in self.test_splits]

    def on_after_batch_transfer(self, batch: dict, dataloader_idx: int) -> dict:
        """Deform (in training), make mel spectrograms: see `prepare`."""
        if self.trainer is None or not self.trainer.training:
            return self.prepare(batch)
        # Counts batches, where global_step counts optimiser steps, of which several batches may share one. The batch
        # at hand is the next: the loop counts it when it has arrived.
        return self.prepare(batch, step=self.trainer.fit_loop.total_batch_idx + 1)

    @torch.no_grad()
    def prepare(self, batch: dict, *, step: int | None = None) -> dict:
        """Waveforms to mel spectrograms. step: the batch's number, seed of the deformations; None deforms nothing.

        Returns "mel" (batch, 1, mel channels, frames) float32, "track", and "target". After a mixup "partner" is the
        target of what was laid over, and "share" what the first has of the loss.
        """
        waveform, prepared = batch["waveform"], {"track": batch["track"], "target": dict(batch["target"])}
        self.frontend.to(waveform.device)
        if step is None or not (self.augment or self.mixup or self.spec_augment):
            return prepared | {"mel": self.frontend(waveform)}
        rank = self._share()["rank"]
        generator = torch.Generator().manual_seed((self.seed * 1_000_003 + step) * 1009 + rank)
        waveform = waveform.float() / 32768
        if self.augment:
            waveform, prepared["target"] = self._deform(waveform, prepared, step)
        if self.mixup is not None:
            waveform, partner, prepared["share"] = self.mixup(waveform, generator=generator)
            prepared["partner"] = {name: values[partner] for name, values in prepared["target"].items()}
        mel = self.frontend(waveform)
        return prepared | {"mel": mel if self.spec_augment is None else self.spec_augment(mel, generator=generator)}

    def _deform(self, waveform: Tensor, prepared: dict, step: int) -> tuple[Tensor, dict]:
        target, tracks, rank = prepared["target"], prepared["track"].tolist(), self._share()["rank"]
        remaining = math.prod(deformation.input_ratio for deformation in self.augment)
        for number, deformation in enumerate(self.augment):
            remaining /= deformation.input_ratio
            deformed = deformation(
                waveform,
                samples=round(self.chunk_samples * remaining),
                sample_rate=self.frontend.sample_rate,
                seeds=[seed_of(self.seed, step, rank, number, track) for track in tracks],
            )
            waveform = deformed.waveform
            for head in self.heads if self.move_labels else ():
                target[head.name] = head.move(
                    target[head.name],
                    shift_semitones=deformed.shift_semitones,
                    tempo_ratio=deformed.tempo_ratio,
                )
        return waveform, target


def _of_split(split: str) -> pl.Expr:
    """Whether a row is of a split, or of one below it. False for a row without a split."""
    return ((pl.col("split") == split) | pl.col("split").str.starts_with(f"{split}/")).fill_null(False)


def _as_is(batch: dict) -> dict:
    return batch
