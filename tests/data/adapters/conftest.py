"""Small copies of public datasets, with real audio files."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

RATE = 16_000


@pytest.fixture
def audio() -> Callable[..., Path]:
    """Return audio(path), which writes a tone in the format of the suffix, a different one each time."""
    frequency_hz = iter(range(200, 8000, 7))

    def write(path: Path, *, duration_s: float = 1.0) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        time_s = np.arange(round(duration_s * RATE)) / RATE
        soundfile.write(path, 0.5 * np.sin(2 * np.pi * next(frequency_hz) * time_s), RATE)
        return path

    return write


@pytest.fixture
def train(program: Callable, tmp_path: Path) -> Callable[..., str]:
    """Return train("data=…"), which trains a tiny network for one epoch and returns what was printed."""

    def run(*arguments: str, status: int = 0) -> str:
        quick = ("model=short_chunk_resnet", "debug=fast", "model.width=2", "data.batch_size=2")
        ran = program("train.py", *arguments, *quick, f"paths.cache={tmp_path}/cache",
                      f"hydra.run.dir={tmp_path}/run", status=status)  # fmt: skip
        return ran.stdout + ran.stderr

    return run
