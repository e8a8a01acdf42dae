"""What a model says in the course of a track."""

import math
from dataclasses import dataclass

import numpy as np
import torch

from musicrec.export.analyzer import TrackAnalyzer
from musicrec.export.description import Model

MAX_WINDOWS = 64  # of a long track; the picture has no room for more
_PER_CHUNK = 4  # windows that begin within the length of one


@dataclass(frozen=True, kw_only=True)
class Hearing:
    """A track, and a model's answers to windows of it that overlap.

    waveform: (samples,) float32. truth: {head: label as the head encodes it, NaN where it is missing}.
    starts: (windows,) first samples. window_samples: what the network hears at once. probabilities: {head: (windows,
    classes) float32}.
    """

    track_id: str
    waveform: np.ndarray
    truth: dict[str, torch.Tensor]
    model: Model
    starts: np.ndarray
    window_samples: int
    probabilities: dict[str, torch.Tensor]

    @property
    def duration_s(self) -> float:
        return len(self.waveform) / self.model.sample_rate

    @property
    def edges_s(self) -> np.ndarray:
        """(windows + 1,) limits, in seconds, of the times at which each window is the one whose middle is nearest."""
        middles = (self.starts + self.window_samples / 2) / self.model.sample_rate
        return np.concatenate([[0.0], (middles[1:] + middles[:-1]) / 2, [self.duration_s]])

    def window(self, index: int) -> torch.Tensor:
        """(1, window_samples) float32, filled up with zeros."""
        chunk = self.waveform[self.starts[index] : self.starts[index] + self.window_samples]
        return torch.nn.functional.pad(torch.from_numpy(chunk), (0, self.window_samples - len(chunk)))[None]


def hear(
    model: Model, waveform: np.ndarray, *, track_id: str, truth: dict[str, torch.Tensor], device: torch.device | str
) -> Hearing:
    """Ask a model what it hears, in windows a quarter of its chunk apart, or further where that would be too many."""
    size = model.network.chunk_samples
    starts = window_starts(len(waveform), size)
    padded = np.pad(waveform, (0, max(0, size - len(waveform))))
    chunks = np.lib.stride_tricks.sliding_window_view(padded, size)[starts]
    answers = TrackAnalyzer([model], device=device).predict(chunks)
    return Hearing(
        track_id=track_id,
        waveform=waveform,
        truth=truth,
        model=model,
        starts=starts,
        window_samples=size,
        probabilities={name: torch.from_numpy(values) for name, values in answers.items()},
    )


def window_starts(length: int, window_samples: int) -> np.ndarray:
    """First samples of the windows of a track, evenly spread, the last ending where it ends; one for a short track."""
    room = max(0, length - window_samples)
    count = min(MAX_WINDOWS, 1 + math.ceil(room * _PER_CHUNK / window_samples))
    return np.linspace(0, room, count).round().astype(np.int64)
