"""Predictions of a model for overlapping windows of a track."""

import math
from dataclasses import dataclass

import numpy as np
import torch

from musicrec.export.analyzer import TrackAnalyzer
from musicrec.export.description import Model

MAX_WINDOWS = 64  # a figure cannot show more
_WINDOWS_PER_CHUNK = 4  # windows that begin within the length of one chunk


@dataclass(frozen=True, kw_only=True)
class TrackPredictions:
    """A track, and the predictions of a model for windows of it.

    Attributes:
        track_id: Name of the track.
        waveform: (samples,) float32 in [-1, 1].
        truth: {head: label as the head encodes it, NaN if it is missing}.
        model: The model.
        starts: (windows,) first sample of each window.
        window_samples: Length of a window, which is that of the network's input.
        probabilities: {head: (windows, classes) float32}.
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
        """Duration of the track in seconds."""
        return len(self.waveform) / self.model.sample_rate

    @property
    def edges_s(self) -> np.ndarray:
        """(windows + 1,) seconds; between two neighbouring edges, the centre of one window is the nearest."""
        middles = (self.starts + self.window_samples / 2) / self.model.sample_rate
        return np.concatenate([[0.0], (middles[1:] + middles[:-1]) / 2, [self.duration_s]])

    def window(self, index: int) -> torch.Tensor:
        """Return a window as (1, window_samples) float32, padded with zeros."""
        chunk = self.waveform[self.starts[index] : self.starts[index] + self.window_samples]
        return torch.nn.functional.pad(torch.from_numpy(chunk), (0, self.window_samples - len(chunk)))[None]


def predict_windows(
    model: Model, waveform: np.ndarray, *, track_id: str, truth: dict[str, torch.Tensor], device: torch.device | str
) -> TrackPredictions:
    """Predict windows of a track that overlap by three quarters, or by less if there would be too many.

    Args:
        model: The model.
        waveform: (samples,) float32 in [-1, 1] at the sample rate of the model.
        track_id: Name of the track.
        truth: {head: label as the head encodes it, NaN if it is missing}.
        device: Where the network runs.
    """
    size = model.network.chunk_samples
    starts = window_starts(len(waveform), size)
    padded = np.pad(waveform, (0, max(0, size - len(waveform))))
    chunks = np.lib.stride_tricks.sliding_window_view(padded, size)[starts]
    predictions = TrackAnalyzer([model], device=device).predict(chunks)
    return TrackPredictions(
        track_id=track_id,
        waveform=waveform,
        truth=truth,
        model=model,
        starts=starts,
        window_samples=size,
        probabilities={name: torch.from_numpy(values) for name, values in predictions.items()},
    )


def window_starts(length: int, window_samples: int) -> np.ndarray:
    """Return the first samples of evenly spaced windows that cover a track.

    Args:
        length: Length of the track in samples.
        window_samples: Length of a window in samples.

    Returns:
        (windows,) int64. The last window ends where the track ends; a short track has one window.
    """
    room = max(0, length - window_samples)
    count = min(MAX_WINDOWS, 1 + math.ceil(room * _WINDOWS_PER_CHUNK / window_samples))
    return np.linspace(0, room, count).round().astype(np.int64)
