"""Noise from a folder of recordings."""

import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from musicrec.audio.decode import decode, duration_of
from musicrec.audio.search import find_audio
from musicrec.deformations._snr import mixed
from musicrec.deformations.base import Deformed, draw, limits, seed_of, unmoved
from musicrec.errors import ConfigError

duration_of_file = functools.lru_cache(maxsize=None)(duration_of)


class FolderNoise:
    """Adds noise from the audio files below a folder: a random position in a random file per example.

    A file that is shorter than the example is repeated.

    Args:
        folder: Searched with its subfolders.
        snr_db: Power of the example relative to the power of the noise.

    Raises:
        ConfigError: No audio file below the folder, or a ratio out of range.
    """

    input_ratio = 1.0
    on_cpu = True

    def __init__(self, *, folder: str | Path, snr_db: float | Sequence[float] = 20.0) -> None:
        self.files = sorted(Path(folder, name) for name in find_audio(folder).files)
        if not self.files:
            raise ConfigError(f"folder={folder}: no audio file below it; name a folder of noise recordings")
        self.snr_db = limits("snr_db", snr_db, least=-60, most=120)

    def __call__(self, waveform: Tensor, *, samples: int, sample_rate: int, seeds: Sequence[int]) -> Deformed:
        waveform = waveform[:, :samples]
        noise = np.stack([self._span(seed, waveform.shape[1], sample_rate) for seed in seeds])
        noise = torch.from_numpy(noise).to(waveform.device)
        return unmoved(mixed(waveform, noise, draw("snr_db", self.snr_db, seeds)))

    def _span(self, seed: int, samples: int, sample_rate: int) -> np.ndarray:
        rng = np.random.default_rng(seed_of(seed, "file"))
        path = self.files[rng.integers(len(self.files))]
        duration_s = samples / sample_rate
        offset_s = rng.uniform(0.0, max(0.0, duration_of_file(path) - duration_s))
        return np.resize(decode(path, sample_rate=sample_rate, offset_s=offset_s, duration_s=duration_s), samples)
