"""Which chunks are read in which order, and the reading of a batch of them."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from musicrec.audio.chunks import all_chunk_starts
from musicrec.data.store import WaveformStore

_BLOCK = 65_536


class ChunkDataset(Dataset):
    """Reads chunks given as (row of the store, first sample) pairs, a batch at a time."""

    def __init__(
        self, store: WaveformStore, *, split: str, rows: np.ndarray, targets: dict[str, Tensor], samples: int
    ) -> None:
        self.store, self.split, self.rows, self.targets, self.samples = store, split, rows, targets, samples

    def __getitems__(self, chunks: list[tuple[int, int]]) -> dict:
        """waveform (batch, samples) int16, track (batch,) int64, target {head: (batch, …)}."""
        track, start = np.asarray(chunks, dtype=np.int64).T
        waveform = self.store.read(self.rows[track], start, self.samples)
        index = torch.from_numpy(track.copy())
        target = {name: values[index] for name, values in self.targets.items()}
        return {"waveform": torch.from_numpy(waveform), "track": index, "target": target}


class RandomChunks(Sampler):
    """`chunks_per_track` random chunks of every track, in random order, another draw each epoch.

    weights: (tracks,), how often each track is drawn instead: `chunks_per_track` times its weight, on average.

    The draw depends on (seed, epoch) alone, so a resumed run sees what the unbroken one would have seen. seen: how many
    of this epoch's chunks are behind the training already, asked when the epoch's first chunk is wanted.
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
        self.lengths, self.samples, self.chunks_per_track, self.seed = lengths, samples, chunks_per_track, seed
        self.seen, self.rank, self.processes, self.epoch = seen, rank, processes, 0
        # Tracks of the same weight, and how many chunks of them there are in an epoch.
        weights = np.ones(len(lengths)) if weights is None else weights
        members = [np.flatnonzero(weights == weight) for weight in np.unique(weights[weights > 0])]
        self.groups = [(group, max(1, round(chunks_per_track * weights[group].sum()))) for group in members]

    def set_epoch(self, epoch: int) -> None:  # called by Lightning
        self.epoch = epoch

    def __len__(self) -> int:
        return sum(chunks for _, chunks in self.groups) // self.processes

    def __iter__(self) -> Iterator[tuple[int, int]]:
        rng = np.random.default_rng((self.seed, self.epoch))
        tracks = _mixed([_drawn(group, chunks, rng) for group, chunks in self.groups], rng)
        room = np.maximum(self.lengths[tracks] - self.samples, 0)
        starts = (rng.random(len(tracks)) * (room + 1)).astype(np.int64)
        mine = slice(self.rank + self.seen() * self.processes, len(self) * self.processes, self.processes)
        return _pairs(tracks[mine], starts[mine])


class LateLoader(DataLoader):
    """Draws its first batch when that is wanted, not when the loop is set up: by then Lightning has told the sampler
    the epoch, and has restored how far a resumed run had come in it. Workers would have read ahead before."""

    def __iter__(self) -> Iterator[dict]:
        yield from super().__iter__()


class AllChunks(Sampler):
    """Every chunk of every track (or `count` of each), in order; with several processes, every process a share, none
    twice."""

    def __init__(
        self, lengths: np.ndarray, *, samples: int, count: int | None = None, rank: int = 0, processes: int = 1
    ) -> None:
        self.tracks, self.starts = (part[rank::processes] for part in all_chunk_starts(lengths, samples, count))

    def __len__(self) -> int:
        return len(self.tracks)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return _pairs(self.tracks, self.starts)


def _drawn(tracks: np.ndarray, chunks: int, rng: np.random.Generator) -> np.ndarray:
    """So many of the tracks, a permutation after another: between two chunks of a track lie, on average, all others."""
    turns = -(-chunks // len(tracks))
    return tracks[np.concatenate([rng.permutation(len(tracks)) for _ in range(turns)])[:chunks]]


def _mixed(draws: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """All draws, each spread over the whole evenly, so that every batch has about the same share of each."""
    if len(draws) == 1:
        return draws[0]
    places = [(np.arange(len(drawn)) + rng.random(len(drawn))) / len(drawn) for drawn in draws]
    return np.concatenate(draws)[np.argsort(np.concatenate(places))]


def _pairs(tracks: np.ndarray, starts: np.ndarray) -> Iterator[tuple[int, int]]:
    """(track, start) of every chunk. Of many millions, only a block is in Python's integers at a time."""
    for first in range(0, len(tracks), _BLOCK):
        block = slice(first, first + _BLOCK)
        yield from zip(tracks[block].tolist(), starts[block].tolist(), strict=True)
