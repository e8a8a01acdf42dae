"""The one LightningDataModule: a manifest and a waveform store in, batches of mel spectrograms and labels out.

Chunks leave the store as int16; deformations and mel spectrograms are computed on the device.
"""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytorch_lightning as lightning
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from musicrec.config.number_types import Count, Seed
from musicrec.data.augmentation import Augmentation, BatchSeed
from musicrec.data.chunk_sampling import (
    AllChunks,
    ChunkDataset,
    RandomChunks,
    Sampling,
    chunk_loader,
    warn_of_padding,
)
from musicrec.data.durations import compare_durations
from musicrec.data.embeddings import EmbeddingSource, EmbeddingStore
from musicrec.data.label_columns import check_labels, check_times, keep_labelled, read_columns
from musicrec.data.leaks import report_leaks
from musicrec.data.manifest import manifest_hash, read_manifest
from musicrec.data.mixture import Mixture
from musicrec.data.splitting import RandomSplit, SplitNames, in_split, with_splits
from musicrec.data.store import WaveformStore, build_store, store_folder
from musicrec.data.store_group import StoreGroup
from musicrec.data.subset import TrackSelection, keep_at_most, keep_fraction, keep_where
from musicrec.errors import ConfigError, ManifestError
from musicrec.heads import Head
from musicrec.heads.frames import is_frame_wise
from musicrec.models.frontends import Frontend
from musicrec.models.frontends.decibels import INT16_SCALE


class MusicDataModule(lightning.LightningDataModule):
    """Reads a manifest, builds its waveform store and gives the loaders of its splits.

    Attributes:
        heads: The heads; after `read(fit=True)` with the vocabularies of the training tracks.
        test_splits: The splits to test on; after `read` those of a mixture are listed per dataset.
        manifest_path: Path of the manifest, from `read` on.
        frame: The rows of the manifest that are used, from `read` on.
        store: The waveform store, from `open` on; None if the batches hold embeddings that need no audio.
    """

    def __init__(
        self,
        *,
        manifest: str | Path | Callable[[], Path],
        stores: str | Path,
        share_store: bool = False,
        heads: Sequence[Head],
        frontend: Frontend,
        chunk_samples: Count,
        splits: SplitNames = SplitNames(),
        random_split: RandomSplit = RandomSplit(),
        selection: TrackSelection = TrackSelection(),
        sampling: Sampling = Sampling(),
        augmentation: Augmentation = Augmentation(),
        embeddings: EmbeddingSource | None = None,
        seed: Seed = 0,
    ) -> None:
        """Set up; nothing is read yet.

        Args:
            manifest: Path of a manifest, or a callable that makes one and returns its path. A `Mixture` also brings
                the stores of its datasets.
            stores: Folder for waveform stores, one per manifest, each built when it is missing.
            share_store: Whether manifests in the same folder, such as subsets of a dataset, share one store, so that
                none of their tracks is decoded twice.
            heads: The heads whose labels are read.
            frontend: Turns waveforms into mel spectrograms.
            chunk_samples: Length of the chunks that the network takes, in samples.
            splits: The splits to train, validate and test on.
            random_split: How to divide the tracks if none of them has a split.
            selection: Which tracks to use.
            sampling: How many chunks to read.
            augmentation: How to change training batches.
            embeddings: What batches hold in place of spectrograms, one embedding per chunk; None for spectrograms.
            seed: Seed of all random choices but the split.
        """
        super().__init__()
        self.manifest, self.stores, self.share_store = manifest, Path(stores), share_store
        self.mixture = manifest if isinstance(manifest, Mixture) else None
        self.heads, self.frontend, self.chunk_samples = list(heads), frontend, chunk_samples
        self.splits, self.random_split, self.selection = splits, random_split, selection
        self.sampling, self.augmentation, self.seed = sampling, augmentation, seed
        self.test_splits = [splits.test] if isinstance(splits.test, str) else list(dict.fromkeys(splits.test))
        self.store: WaveformStore | StoreGroup | None = None
        self.embeddings, self._embedded = embeddings, None
        self._to_decode: pl.DataFrame | None = None  # the tracks that the store must hold

    # -- manifest and store --------------------------------------------------------------------------------------
    def read(self, *, fit: bool = True) -> None:
        """Read the manifest and check it; nothing is decoded yet.

        Args:
            fit: Whether to prepare for training: select training tracks, and read vocabularies and medians from them.
                With False the heads stay as they are, and the manifest needs no training tracks.

        Raises:
            ManifestError: A split is empty, or a head has nothing to learn from.
        """
        if self._to_decode is not None:
            return
        self.manifest_path = Path(self.manifest() if callable(self.manifest) else self.manifest)
        frame = with_splits(read_manifest(self.manifest_path), self.manifest_path, self.random_split)
        to_decode, selection = frame, self.selection
        if fit and selection.train_where is not None:
            learned_from = in_split(self.splits.train) | in_split(self.splits.valid)
            frame = keep_where(frame, selection.train_where, splits=learned_from)
        if selection.max_tracks is not None:
            to_decode = frame = keep_at_most(frame, selection.max_tracks)
        self.frame = frame
        self.manifest_hash = manifest_hash(self.frame)
        for split in [*([self.splits.train, self.splits.valid] if fit else []), *self.test_splits]:
            self.tracks(split)  # raises if it is empty
        self.test_splits = [name for split in self.test_splits for name in self.subsplits(split)]
        if fit:
            self._fit_heads()
            self._drop_training_tracks()
            self._check_labels()
        self._to_decode = to_decode

    def open(self, *, fit: bool = True) -> None:
        """Read the manifest and decode what its store lacks; tracks that cannot be decoded are left out.

        Args:
            fit: As for `read`.
        """
        if self.store is not None or self._embedded is not None:
            return
        self.read(fit=fit)
        if self.embeddings is None or self.embeddings.needs_audio:
            self._decode(self._to_decode)
        if self.embeddings is not None:
            self._embedded = self._embed(self.embeddings, fit=fit)

    def _decode(self, frame: pl.DataFrame) -> None:
        """Open the store with the tracks of `frame`, and keep the rows of the manifest that it holds."""
        if self.mixture is not None:
            self.store = self.mixture.open_store(frame, sample_rate=self.frontend.sample_rate)
        else:
            folder = store_folder(self.manifest_path, self.stores, shared=self.share_store)
            self.store = build_store(frame, folder, sample_rate=self.frontend.sample_rate)
            report_leaks(frame, self.store, manifest=self.manifest_path)
        compare_durations(frame, self.store)
        self.frame = self.frame.filter(pl.Series(self.store.rows(self.frame["track_id"]) >= 0))
        ends_s = self.store.lengths[self.store.rows(self.frame["track_id"])] / self.store.sample_rate
        for head in filter(is_frame_wise, self.heads):
            check_times(head, self.labels(head, self.frame), self.frame, ends_s, manifest=self.manifest_path)

    def _embed(self, source: EmbeddingSource, *, fit: bool) -> EmbeddingStore:
        """Return the embeddings of the tracks that are used, and keep the rows of the manifest that have some.

        Raises:
            ConfigError: Training batches are to be changed, which embeddings cannot be, or a head answers for every
                frame, of which embeddings know nothing.
        """
        if frame_wise := [head.name for head in self.heads if is_frame_wise(head)]:
            raise ConfigError(
                f"task={','.join(frame_wise)}: a probe hears one embedding per chunk, and this head answers for every "
                "frame; choose other heads"
            )
        if not self.augmentation.is_empty:
            raise ConfigError(
                "augment: the embeddings of a probe are computed once and cannot change; use augment=none"
            )
        splits = [*([self.splits.train, self.splits.valid] if fit else []), *self.test_splits]
        frame = self.frame.filter(pl.any_horizontal(in_split(split) for split in splits))
        if fit:
            frame = keep_labelled(frame, [self.labels(head, frame) for head in self.heads])
        embedded = source.open(frame, self.store, eval_chunks=self.sampling.eval_chunks)
        self.frame = self.frame.filter(pl.Series(embedded.rows(self.frame["track_id"]) >= 0))
        return embedded

    def setup(self, stage: str) -> None:
        """Open the data; Lightning calls this."""
        self.open(fit=stage == "fit")

    def _fit_heads(self) -> None:
        drawn = self._drawn_tracks()
        self.heads = [read_columns(head, head.fit, drawn, manifest=self.manifest_path) for head in self.heads]

    def _drop_training_tracks(self) -> None:
        """Keep the selected fraction of the training tracks."""
        train = self.tracks(self.splits.train)
        kept = keep_fraction(train, self.selection.fraction, seed=self.seed)["track_id"]
        dropped = in_split(self.splits.train) & ~pl.col("track_id").is_in(kept.implode())
        self.frame = self.frame.filter(~dropped)

    def _check_labels(self) -> None:
        """Check that every output has a label to learn from, and one to choose the best checkpoint by."""
        train, valid = self.splits.train, self.splits.valid
        for split, frame in ((train, self._drawn_tracks()), (valid, self.tracks(valid))):
            for head in self.heads:
                check_labels(head, self.labels(head, frame), split=split, manifest=self.manifest_path)

    def _drawn_tracks(self) -> pl.DataFrame:
        """Return the training tracks without those of datasets that have no weight in a mixture."""
        train = self.tracks(self.splits.train)
        return train if self.mixture is None else self.mixture.drawn(train)

    # -- tracks --------------------------------------------------------------------------------------------------
    def tracks(self, split: str) -> pl.DataFrame:
        """Return the rows of the manifest in a split or in one below it, "<split>/…".

        Raises:
            ManifestError: There are none.
        """
        frame = self.frame.filter(in_split(split))
        if frame.is_empty():
            found = ", ".join(self.frame["split"].drop_nulls().unique().sort().to_list()) or "none at all"
            raise ManifestError(
                f"{self.manifest_path}: no readable track has split '{split}' (splits there: {found}); "
                "fill the column `split`, or name yours (data.train_split, data.valid_split and data.test_splits in "
                "train.py, splits in evaluate.py)"
            )
        return frame

    def subsplits(self, split: str) -> list[str]:
        """Return the split itself, or the splits of the datasets of a mixture, "<split>/<dataset>"."""
        return self.tracks(split)["split"].unique(maintain_order=True).to_list()

    def track(self, track_id: str) -> tuple[np.ndarray, dict[str, Tensor]]:
        """Return a track of the store.

        Args:
            track_id: Its name in the manifest.

        Returns:
            Its waveform, (samples,) float32 in [-1, 1], and its label for every head.
        """
        row = self.store.index[track_id]
        samples = self.store.read(np.array([row]), np.array([0]), int(self.store.lengths[row]))[0]
        frame = self.frame.filter(pl.col("track_id") == track_id)
        truth = {head.name: self.labels(head, frame)[0] for head in self.heads}
        return samples.astype(np.float32) * INT16_SCALE, truth

    def labels(self, head: Head, frame: pl.DataFrame) -> Tensor:
        """Return the labels of a head in rows of the manifest, (tracks, …), NaN where a label is missing.

        Raises:
            ManifestError: The manifest lacks a column that the head reads.
        """
        target = read_columns(head, head.encode, frame, manifest=self.manifest_path)
        return target if self.mixture is None else self.mixture.without_foreign_tags(head, target, frame, self.frame)

    def summary(self) -> dict:
        """Return what a model card says about the data."""
        splits = [*self.subsplits(self.splits.train), *self.subsplits(self.splits.valid), *self.test_splits]
        return {
            "manifest": self.manifest_path.name,
            "manifest_hash": self.manifest_hash,
            "tracks": {split: len(self.tracks(split)) for split in splits},
        }

    # -- loaders -------------------------------------------------------------------------------------------------
    def train_dataloader(self) -> DataLoader:
        """Return a loader of random chunks of the training tracks."""
        split, sampling = self.splits.train, self.sampling
        dataset = self._dataset(split, samples=math.ceil(self.chunk_samples * self.augmentation.input_ratio))
        lengths = dataset.store.lengths[dataset.rows]
        if self._embedded is None:
            warn_of_padding(
                lengths,
                samples=dataset.samples,
                chunk_samples=self.chunk_samples,
                sample_rate=self.frontend.sample_rate,
            )
        sampler = RandomChunks(
            lengths,
            samples=dataset.samples,
            chunks_per_track=round(sampling.chunks_per_track / self.selection.fraction),
            weights=None if self.mixture is None else self.mixture.weights(self.tracks(split)),
            seed=self.seed,
            seen=self._seen_chunks,
            **self._share(),
        )
        size = sampling.batch_size
        return chunk_loader(dataset, sampler, batch_size=size, drop_last=len(sampler) > size, workers=sampling.workers)

    def eval_dataloader(self, split: str) -> DataLoader:
        """Return a loader of all chunks of a split, or of `Sampling.eval_chunks` of every track."""
        sampling = self.sampling
        dataset = self._dataset(split, samples=self.chunk_samples)
        lengths = dataset.store.lengths[dataset.rows]
        count = sampling.eval_chunks if self._embedded is None else None  # of the chunks that were embedded, all
        sampler = AllChunks(lengths, samples=dataset.samples, count=count, **self._share())
        size = sampling.eval_batch_size or sampling.batch_size
        return chunk_loader(dataset, sampler, batch_size=size, drop_last=False, workers=sampling.workers)

    def val_dataloader(self) -> DataLoader | list[DataLoader]:
        """Return the loader of the validation split, or one per dataset of a mixture."""
        loaders = [self.eval_dataloader(split) for split in self.subsplits(self.splits.valid)]
        return loaders[0] if len(loaders) == 1 else loaders

    def test_dataloader(self) -> list[DataLoader]:
        """Return one loader per test split."""
        return [self.eval_dataloader(split) for split in self.test_splits]

    def _dataset(self, split: str, *, samples: int) -> ChunkDataset:
        frame = self.tracks(split)
        targets = {head.name: self.labels(head, frame) for head in self.heads}
        if self._embedded is None:
            store = self.store
        else:
            store, samples = self._embedded, 1  # one embedding
        rows = store.rows(frame["track_id"])
        cuts = {head.name: head.cut for head in self.heads if is_frame_wise(head)}
        return ChunkDataset(store, split=split, rows=rows, targets=targets, samples=samples, cuts=cuts)

    def _share(self) -> dict[str, int]:
        """Return which part of the chunks is for this process."""
        if self.trainer is None:
            return {"rank": 0, "processes": 1}
        return {"rank": self.trainer.global_rank, "processes": self.trainer.world_size}

    def _seen_chunks(self) -> int:
        """Return how many chunks of this epoch this process has already trained on."""
        if self.trainer is None:
            return 0
        return self.trainer.fit_loop.epoch_loop.batch_progress.current.ready * self.sampling.batch_size

    # -- batches on the device -----------------------------------------------------------------------------------
    def on_after_batch_transfer(self, batch: dict, dataloader_idx: int) -> dict:
        """Compute mel spectrograms, in training of augmented waveforms; Lightning calls this."""
        if self.trainer is None or not self.trainer.training:
            return self.prepare(batch)
        # Count batches, not optimiser steps (global_step), of which several batches may share one. The loop counts a
        # batch after it has arrived, so this one has the next number.
        return self.prepare(batch, step=self.trainer.fit_loop.total_batch_idx + 1)

    @torch.no_grad()
    def prepare(self, batch: dict, *, step: int | None = None) -> dict:
        """Turn waveforms into mel spectrograms.

        Args:
            batch: A batch of `ChunkDataset`, on the device.
            step: Number of the training batch, from which the augmentation draws; None for no augmentation.

        Returns:
            "mel" (batch, 1, mel channels, frames) float32, "track", "start_s" and "target". After a mixup also
            "partner", the labels of the chunk that was laid over each one, and "share", the weight of the first in the
            loss. Embeddings stand in the place of "mel" as they are.
        """
        waveform = batch["waveform"]
        prepared = {name: batch[name] for name in ("track", "start_s") if name in batch} | {
            "target": dict(batch["target"])
        }
        if self._embedded is not None:
            return prepared | {"mel": waveform}
        self.frontend.to(waveform.device)
        if step is None or self.augmentation.is_empty:
            return prepared | {"mel": self.frontend(waveform)}
        return prepared | self.augmentation.spectrograms(
            batch,
            frontend=self.frontend,
            samples=self.chunk_samples,
            heads=self.heads,
            seed=BatchSeed(seed=self.seed, step=step, rank=self._share()["rank"]),
        )
