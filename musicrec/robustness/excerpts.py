"""Which audio is deformed: tracks, the excerpts of each, and the batches that they make."""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
import torch
from torch import Tensor
from torch.utils.data import Dataset

from musicrec.config.number_types import Count
from musicrec.config.value_check import check_value
from musicrec.data.store import WaveformStore
from musicrec.deformations.base import seed_of, unmoved
from musicrec.errors import ConfigError
from musicrec.models.frontends.decibels import INT16_SCALE
from musicrec.robustness.conditions import Condition
from musicrec.system.hardware import clock


@dataclass(frozen=True, kw_only=True)
class Excerpts:
    """track: (excerpts,) number of the track each is from. row: of the track in the store. start, length: in samples.
    name: what seeds its deformations."""

    track: np.ndarray
    row: np.ndarray
    start: np.ndarray
    length: np.ndarray
    name: list[str]

    def batches(self, size: int) -> list[np.ndarray]:
        """Numbers of excerpts, at most `size` together, all of a batch of one length."""
        groups = [np.flatnonzero(self.length == length) for length in np.unique(self.length)]
        return [group[begin : begin + size] for group in groups for begin in range(0, len(group), size)]


@dataclass(kw_only=True)
class ReadBatch:
    """condition, number: which of each it is. waveform: (batch, samples) int16. reading_s: what it took."""

    condition: int
    number: int
    waveform: Tensor
    reading_s: float


@dataclass(kw_only=True)
class DeformedBatch:
    """condition, number: which of each it is. track: (batch,) int64. waveform: (batch, samples) float32.
    shift_semitones, tempo_ratio: (batch,). deforming_s: what that and reading took. audio_s: how long all of it is."""

    condition: int
    number: int
    track: Tensor
    waveform: Tensor
    shift_semitones: Tensor
    tempo_ratio: Tensor
    deforming_s: float
    audio_s: float


class DeformedExcerpts(Dataset):
    """Reads batches of excerpts from the store and deforms them; an index is (number of the condition, of the batch).

    ahead: numbers of the conditions that are deformed as they are read, on the CPU, by a process ahead of the networks.
    Batches of the others come as they are, for `deform` on the networks' device.

    A deformed excerpt holds the same music as the clean one: stretched by 1.25, 15 s become 12. What is drawn at random
    follows from the seed and from the excerpt's name, so that a track meets the same noise at every strength.
    """

    def __init__(
        self,
        store: WaveformStore,
        excerpts: Excerpts,
        conditions: Sequence[Condition],
        *,
        batch_size: int,
        seed: int,
        ahead: Collection[int],
    ) -> None:
        self.store, self.excerpts, self.conditions = store, excerpts, conditions
        self.batches, self.seed, self.ahead = excerpts.batches(batch_size), seed, frozenset(ahead)

    def __getitem__(self, index: tuple[int, int]) -> ReadBatch | DeformedBatch:
        begin, (condition, number) = time.perf_counter(), index
        chosen = self.batches[number]
        length = int(self.excerpts.length[chosen[0]])
        samples = self.store.read(self.excerpts.row[chosen], self.excerpts.start[chosen], length)
        read = ReadBatch(condition=condition, number=number, waveform=torch.from_numpy(samples),
                         reading_s=time.perf_counter() - begin)  # fmt: skip
        return self.deform(read, torch.device("cpu")) if condition in self.ahead else read

    def deform(self, read: ReadBatch, device: torch.device) -> DeformedBatch:
        """Move a batch to the device, and deform it there."""
        begin, chosen = clock(device), self.batches[read.number]
        deformation, length = self.conditions[read.condition].deformation, read.waveform.shape[1]
        waveform = read.waveform.to(device).float() * INT16_SCALE
        if deformation is None:
            deformed = unmoved(waveform)
        else:
            deformed = deformation(
                waveform,
                samples=max(1, int(length / deformation.input_ratio)),
                sample_rate=self.store.sample_rate,
                seeds=[seed_of(self.seed, self.excerpts.name[excerpt]) for excerpt in chosen],
            )
        return DeformedBatch(
            condition=read.condition,
            number=read.number,
            track=torch.from_numpy(self.excerpts.track[chosen]),
            waveform=deformed.waveform,
            shift_semitones=deformed.shift_semitones,
            tempo_ratio=deformed.tempo_ratio,
            deforming_s=read.reading_s + clock(device) - begin,
            audio_s=len(chosen) * length / self.store.sample_rate,
        )


def cut(store: WaveformStore, track_ids: Sequence[str], *, samples: int, count: int) -> Excerpts:
    """`count` excerpts of each track, evenly spread over it, or the middle one of one; a track that is no longer than
    an excerpt is one as a whole."""
    found = []
    for number, track_id in enumerate(track_ids):
        row = store.index[track_id]
        room = int(store.lengths[row]) - samples
        starts = [0] if room <= 0 else [room // 2] if count == 1 else np.linspace(0, room, count).astype(int).tolist()
        found += [(number, row, start, min(samples, int(store.lengths[row])), f"{track_id}/{start}")
                  for start in starts]  # fmt: skip
    track, row, start, length, name = zip(*found, strict=True)
    return Excerpts(track=np.array(track), row=np.array(row), start=np.array(start), length=np.array(length),
                    name=list(name))  # fmt: skip


def choose_tracks(frame: pl.DataFrame, tracks: int | None, *, stratify: str | None, seed: int) -> pl.DataFrame:
    """`tracks` of the rows, at random, with as large a share of every value of the column `stratify` as it has in all;
    in their order. None: all of them. Raises ConfigError for a number below 1 and an unknown column."""
    if stratify is not None and stratify not in frame.columns:
        raise ConfigError(f"stratify={stratify}: the manifest has no such column; choose of {', '.join(frame.columns)}")
    if tracks is None:
        return frame
    check_value("tracks", tracks, Count, expected="a whole number, 1 or more, or null for all of a split")
    shuffled = frame.with_row_index("_place").sample(fraction=1.0, shuffle=True, seed=seed)
    if stratify is not None:
        # Of a value with n tracks, these come at 1/2n, 3/2n, 5/2n … of the way.
        among = (2 * pl.int_range(pl.len()) + 1) / (2 * pl.len())
        shuffled = shuffled.sort(among.over(stratify), maintain_order=True)
    return shuffled.head(tracks).sort("_place").drop("_place")
