"""The audio of a report: which tracks, which excerpts of each, and the deformed batches of excerpts."""

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
from musicrec.robustness.conditions import AudioCondition
from musicrec.system.hardware import clock


@dataclass(frozen=True, kw_only=True)
class Excerpts:
    """Excerpts of tracks in a waveform store.

    Attributes:
        track: (excerpts,) index of the track among the tracks of the report.
        row: (excerpts,) row of the track in the store.
        start: (excerpts,) in samples.
        length: (excerpts,) in samples.
        name: The name of each excerpt; seeds the random part of its deformations.
    """

    track: np.ndarray
    row: np.ndarray
    start: np.ndarray
    length: np.ndarray
    name: list[str]

    def batches(self, size: int) -> list[np.ndarray]:
        """Return batches as indices of excerpts: at most `size` each, all of one length."""
        groups = [np.flatnonzero(self.length == length) for length in np.unique(self.length)]
        return [group[begin : begin + size] for group in groups for begin in range(0, len(group), size)]


@dataclass(kw_only=True)
class ReadBatch:
    """A batch of excerpts before it is deformed.

    Attributes:
        condition: Index of the condition.
        number: Index of the batch.
        waveform: (batch, samples) int16.
        reading_s: Seconds that reading took.
    """

    condition: int
    number: int
    waveform: Tensor
    reading_s: float


@dataclass(kw_only=True)
class DeformedBatch:
    """A batch of deformed excerpts.

    Attributes:
        condition: Index of the condition.
        number: Index of the batch.
        track: (batch,) int64, index of each excerpt's track.
        waveform: (batch, samples) float32 in [-1, 1].
        shift_semitones: (batch,).
        tempo_ratio: (batch,).
        deforming_s: Seconds that reading and deforming took.
        audio_s: Length of all excerpts of the batch together, in seconds.
    """

    condition: int
    number: int
    track: Tensor
    waveform: Tensor
    shift_semitones: Tensor
    tempo_ratio: Tensor
    deforming_s: float
    audio_s: float


class DeformedExcerpts(Dataset):
    """Reads batches of excerpts from a store and deforms them. An index is (condition, batch).

    A deformed excerpt holds the same music as the clean one: 15 s that are played 1.25 times as fast become 12 s. Its
    random part depends on the seed and on the name of the excerpt, so that a track gets the same noise at every
    strength.

    Args:
        store: Holds the tracks.
        excerpts: To read.
        conditions: To apply.
        batch_size: Excerpts per batch.
        seed: The seed of the random parts of deformations.
        in_workers: Indices of the conditions that are deformed on the CPU as a batch is read. The caller deforms
            batches of other conditions with `deform`, on the device of the networks.
    """

    def __init__(
        self,
        store: WaveformStore,
        excerpts: Excerpts,
        conditions: Sequence[AudioCondition],
        *,
        batch_size: int,
        seed: int,
        in_workers: Collection[int],
    ) -> None:
        self.store, self.excerpts, self.conditions = store, excerpts, conditions
        self.batches, self.seed, self.in_workers = excerpts.batches(batch_size), seed, frozenset(in_workers)

    def __getitem__(self, index: tuple[int, int]) -> ReadBatch | DeformedBatch:
        begin, (condition, number) = time.perf_counter(), index
        chosen = self.batches[number]
        length = int(self.excerpts.length[chosen[0]])
        samples = self.store.read(self.excerpts.row[chosen], self.excerpts.start[chosen], length)
        read = ReadBatch(
            condition=condition,
            number=number,
            waveform=torch.from_numpy(samples),
            reading_s=time.perf_counter() - begin,
        )
        return self.deform(read, torch.device("cpu")) if condition in self.in_workers else read

    def deform(self, read: ReadBatch, device: torch.device) -> DeformedBatch:
        """Move a batch to a device, and deform it there."""
        begin, chosen = clock(device), self.batches[read.number]
        deformation, length = self.conditions[read.condition].deformation, read.waveform.shape[1]
        waveform = read.waveform.to(device).float() * INT16_SCALE
        if deformation is None:
            deformed = unmoved(waveform)
        else:
            deformed = deformation(
                waveform,
                samples=self._deformed_samples(length, read.condition),
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

    def longest_s(self, condition: int) -> float:
        """Return the length of the longest excerpt under a condition, in seconds."""
        return self._deformed_samples(int(self.excerpts.length.max()), condition) / self.store.sample_rate

    def _deformed_samples(self, samples: int, condition: int) -> int:
        """Return how long an excerpt of so many samples is when it is deformed."""
        deformation = self.conditions[condition].deformation
        return samples if deformation is None else max(1, int(samples / deformation.input_ratio))


def cut_excerpts(store: WaveformStore, track_ids: Sequence[str], *, samples: int, count: int) -> Excerpts:
    """Cut tracks into excerpts. A track that is not longer than an excerpt becomes one excerpt.

    Args:
        store: Holds the tracks.
        track_ids: The IDs of the tracks.
        samples: Length of an excerpt.
        count: Excerpts per track, evenly spread over it; 1 takes the middle.
    """
    found = []
    for track, track_id in enumerate(track_ids):
        row = store.index[track_id]
        length = int(store.lengths[row])
        for start in _starts(length - samples, count):
            found.append((track, row, start, min(samples, length), f"{track_id}/{start}"))
    track, row, start, length, name = zip(*found, strict=True)
    return Excerpts(
        track=np.array(track), row=np.array(row), start=np.array(start), length=np.array(length), name=list(name)
    )


def _starts(last: int, count: int) -> list[int]:
    """Return where the excerpts of a track begin.

    Args:
        last: Where the last possible excerpt begins, in samples; 0 or less for a track that is one excerpt.
        count: Excerpts of the track.
    """
    if last <= 0:
        return [0]
    return [last // 2] if count == 1 else np.linspace(0, last, count).astype(int).tolist()


def choose_tracks(frame: pl.DataFrame, tracks: int | None, *, stratify: str | None, seed: int) -> pl.DataFrame:
    """Draw tracks at random; their order stays.

    Args:
        frame: Rows of a manifest.
        tracks: Number of tracks to draw; None for all.
        stratify: Column whose values keep their shares; None to draw without regard to columns.
        seed: The seed of the draw.

    Raises:
        ConfigError: `tracks` is below 1, or there is no column `stratify`.
    """
    if stratify is not None and stratify not in frame.columns:
        raise ConfigError(
            f"stratify={stratify}: the manifest has no such column; give null, or one of {', '.join(frame.columns)}"
        )
    if tracks is None:
        return frame
    check_value("tracks", tracks, Count, expected="a whole number, 1 or more, or null for all of a split")
    shuffled = frame.with_row_index("_place").sample(fraction=1.0, shuffle=True, seed=seed)
    if stratify is not None:
        # The n tracks of a value get the places 1/2n, 3/2n, 5/2n …: any first part holds the values in their shares.
        place = (2 * pl.int_range(pl.len()) + 1) / (2 * pl.len())
        shuffled = shuffled.sort(place.over(stratify), maintain_order=True)
    return shuffled.head(tracks).sort("_place").drop("_place")
