"""Choose which chunks are read, in which order, and read them in batches."""

import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from musicrec.audio.chunks import all_chunk_starts
from musicrec.config.number_types import Count, Natural

_BLOCK = 65_536


class ChunkStore(Protocol):
    """What chunks are read from: a waveform store, or embeddings.

    Attributes:
        lengths: (tracks,) int64, the length of each track.
        sample_rate: How many of what `lengths` counts make a second.
    """

    lengths: np.ndarray
    sample_rate: int

    def read(self, rows: np.ndarray, starts: np.ndarray, samples: int) -> np.ndarray:
        """Return (batch, …) of the chunks of tracks that begin at `starts` and have a length of `samples`."""
        ...


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How many chunks are read of every track, and how many at a time.

    Attributes:
        batch_size: Chunks per training batch.
        eval_batch_size: Chunks per batch of validation and test; None for `batch_size`.
        chunks_per_track: Random chunks of every training track per epoch.
        eval_chunks: Equally spaced chunks of every track in validation and test; None for as many as cover the track.
            The published rule is 16.
        workers: Processes that read ahead. None takes none on a CPU, where reading is a memory copy and the network
            needs the cores, and up to 4 with a GPU.
    """

    batch_size: Count = 16
    eval_batch_size: Count | None = None
    chunks_per_track: Count = 8
    eval_chunks: Count | None = None
    workers: Natural | None = None


class ChunkDataset(Dataset):
    """Reads whole batches of chunks, which are given as (track, first sample) pairs."""

    def __init__(
        self,
        store: ChunkStore,
        *,
        split: str,
        rows: np.ndarray,
        targets: dict[str, Tensor],
        samples: int,
        cuts: Mapping[str, Callable[..., Tensor]] | None = None,
    ) -> None:
        """Describe the chunks of a split.

        Args:
            store: The store to read from.
            split: Name of the split.
            rows: (tracks,) int64, the row of the store of each track.
            targets: The labels of each head, {head: (tracks, …)}.
            samples: Length of every chunk, in samples.
            cuts: {head: its method that cuts the labels of tracks to those of chunks} of heads whose labels have times.
        """
        self.store, self.split, self.rows, self.targets, self.samples = store, split, rows, targets, samples
        self.cuts = cuts or {}

    def __getitems__(self, chunks: list[tuple[int, int]]) -> dict:
        """Read a batch.

        Args:
            chunks: (track, first sample) of every chunk.

        Returns:
            "waveform" (batch, samples) int16, or in its place what else the store holds, "track" (batch,) int64,
            "start_s" (batch,) float64, and "target" {head: (batch, …)}.
        """
        track, start = np.asarray(chunks, dtype=np.int64).T
        waveform = self.store.read(self.rows[track], start, self.samples)
        index = torch.from_numpy(track.copy())
        target = {name: values[index] for name, values in self.targets.items()}
        start_s = torch.from_numpy(start / self.store.sample_rate)
        for name, cut in self.cuts.items():
            target[name] = cut(target[name], start_s=start_s)
        return {"waveform": torch.from_numpy(waveform), "track": index, "start_s": start_s, "target": target}


class RandomChunks(Sampler):
    """Draws random chunks of every track in random order, different ones in each epoch.

    The draw depends only on the seed and the epoch, so a resumed run sees the chunks that an uninterrupted one would
    have seen.
    """

    def __init__(
        self,
        lengths: np.ndarray,
        *,
        samples: int,
        chunks_per_track: int,
        weights: np.ndarray | None = None,
        seed: int,
        seen: Callable[[], int] = lambda: 0,
        rank: int = 0,
        processes: int = 1,
    ) -> None:
        """Set up the draw.

        Args:
            lengths: (tracks,) int64, the length of each track in samples.
            samples: Length of every chunk, in samples.
            chunks_per_track: Chunks of every track per epoch.
            weights: (tracks,) float, a factor of `chunks_per_track` for each track, which then holds on average.
            seed: Seed of the draw.
            seen: Returns how many chunks of this epoch the training has already had; asked when the first chunk of an
                epoch is requested.
            rank: Number of this process.
            processes: Number of processes that train together; each gets an equal part of the chunks.
        """
        self.lengths, self.samples, self.chunks_per_track, self.seed = lengths, samples, chunks_per_track, seed
        self.seen, self.rank, self.processes, self.epoch = seen, rank, processes, 0
        # Groups of tracks with the same weight, and the number of chunks of each group per epoch.
        weights = np.ones(len(lengths)) if weights is None else weights
        members = [np.flatnonzero(weights == weight) for weight in np.unique(weights[weights > 0])]
        self.groups = [(group, max(1, round(chunks_per_track * weights[group].sum()))) for group in members]

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch to draw for; Lightning calls this."""
        self.epoch = epoch

    def __len__(self) -> int:
        return sum(chunks for _, chunks in self.groups) // self.processes

    def __iter__(self) -> Iterator[tuple[int, int]]:
        rng = np.random.default_rng((self.seed, self.epoch))
        tracks = _interleaved([_drawn(group, chunks, rng) for group, chunks in self.groups], rng)
        room = np.maximum(self.lengths[tracks] - self.samples, 0)
        starts = (rng.random(len(tracks)) * (room + 1)).astype(np.int64)
        own = slice(self.rank + self.seen() * self.processes, len(self) * self.processes, self.processes)
        return _pairs(tracks[own], starts[own])


class AllChunks(Sampler):
    """Gives the chunks that cover every track, or a fixed number of each, in order."""

    def __init__(
        self, lengths: np.ndarray, *, samples: int, count: int | None = None, rank: int = 0, processes: int = 1
    ) -> None:
        """List the chunks.

        Args:
            lengths: (tracks,) int64, the length of each track in samples.
            samples: Length of every chunk, in samples.
            count: Chunks of every track; None for as many as cover it.
            rank: Number of this process.
            processes: Number of processes that evaluate together; every chunk goes to exactly one of them.
        """
        self.tracks, self.starts = (part[rank::processes] for part in all_chunk_starts(lengths, samples, count))

    def __len__(self) -> int:
        return len(self.tracks)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return _pairs(self.tracks, self.starts)


class DeferredLoader(DataLoader):
    """A DataLoader that begins to read when the first batch is requested, not when its iterator is made.

    Lightning makes the iterator before it tells the sampler the epoch and before it restores how far a resumed run had
    come within the epoch. Workers that read ahead would use the old values.
    """

    def __iter__(self) -> Iterator[dict]:
        yield from super().__iter__()


def chunk_loader(
    dataset: ChunkDataset, sampler: Sampler, *, batch_size: int, drop_last: bool, workers: int | None
) -> DataLoader:
    """Return a loader of batches of chunks.

    Args:
        dataset: Reads the chunks.
        sampler: Gives the chunks to read.
        batch_size: Chunks per batch.
        drop_last: Whether to leave out a last batch that is smaller.
        workers: Processes that read ahead, as in `Sampling`.

    Returns:
        A loader of the batches of `ChunkDataset.__getitems__`.
    """
    if workers is None:
        workers = min(4, os.cpu_count() or 1) if torch.cuda.is_available() else 0
    return DeferredLoader(
        dataset,
        sampler=sampler,
        batch_size=batch_size,
        drop_last=drop_last,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=torch.cuda.is_available(),
        collate_fn=_already_a_batch,
    )


def warn_of_padding(lengths: np.ndarray, *, samples: int, chunk_samples: int, sample_rate: int) -> None:
    """Warn if training chunks are longer than the median track.

    Args:
        lengths: (tracks,) int64, the lengths of the training tracks in samples.
        samples: Samples that are read per chunk, from which the augmentation makes `chunk_samples`.
        chunk_samples: Length of the chunks that the network takes, in samples.
        sample_rate: In hertz.
    """
    median = float(np.median(lengths))
    if samples <= median:
        return
    padding = 1 - np.minimum(lengths, samples).mean() / samples
    warnings.warn(
        f"a training chunk takes {samples / sample_rate:.1f} s of audio (model.chunk_samples={chunk_samples} × "
        f"{samples / chunk_samples:.2f} for the augmentation), the median training track lasts "
        f"{median / sample_rate:.1f} s: on average {padding:.0%} of a chunk will be padding",
        stacklevel=2,
    )


def _already_a_batch(batch: dict) -> dict:
    """Return what `ChunkDataset` read, which needs no collating."""
    return batch


def _drawn(tracks: np.ndarray, chunks: int, rng: np.random.Generator) -> np.ndarray:
    """Draw tracks as one permutation after another, so that on average all others lie between two chunks of a track."""
    turns = -(-chunks // len(tracks))
    return tracks[np.concatenate([rng.permutation(len(tracks)) for _ in range(turns)])[:chunks]]


def _interleaved(draws: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """Join all draws, each spread evenly over the whole, so that every batch has about the same share of each."""
    if len(draws) == 1:
        return draws[0]
    places = [(np.arange(len(drawn)) + rng.random(len(drawn))) / len(drawn) for drawn in draws]
    return np.concatenate(draws)[np.argsort(np.concatenate(places))]


def _pairs(tracks: np.ndarray, starts: np.ndarray) -> Iterator[tuple[int, int]]:
    """Give (track, start) of every chunk; converts block by block, as Python integers of millions need much memory."""
    for first in range(0, len(tracks), _BLOCK):
        block = slice(first, first + _BLOCK)
        yield from zip(tracks[block].tolist(), starts[block].tolist(), strict=True)
