"""Tones, and the loudness that ffmpeg measures."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
import soundfile

RATE = 48_000


@pytest.fixture(scope="session")
def tone() -> Callable[..., np.ndarray]:
    """tone([(dbfs, seconds), …]): a sine of 1 kHz whose peak has these levels in turn, (frames, 2), 48 kHz."""

    def make(levels: list[tuple[float, float]], hz: float = 1000.0, channels: int = 2) -> np.ndarray:
        amplitude = np.concatenate([np.full(round(seconds * RATE), 10 ** (dbfs / 20)) for dbfs, seconds in levels])
        sine = amplitude * np.sin(2 * np.pi * hz * np.arange(len(amplitude)) / RATE)
        return np.repeat(sine[:, None], channels, axis=1).astype(np.float32)

    return make


@pytest.fixture(scope="session")
def ebur128() -> Callable[[Path], tuple[float, float]]:
    """ebur128(path): integrated loudness and loudness range of a file by ffmpeg, with one decimal."""

    def measure(path: Path) -> tuple[float, float]:
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-i", str(path), "-af", "ebur128", "-f", "null", "-"]
        printed = subprocess.run(command, capture_output=True, text=True, check=True).stderr
        found = [re.findall(rf"{name}:\s+(-?[\d.]+) LU", printed)[-1] for name in ("I", "LRA")]
        return float(found[0]), float(found[1])

    return measure


@pytest.fixture(scope="session")
def programme(tmp_path_factory) -> Callable[[int, int], Path]:
    """programme(sample_rate, channels): 40 s of chords, bass, noise bursts and pauses, wide in stereo, as a WAV."""

    def make(sample_rate: int, channels: int) -> Path:
        rng = np.random.default_rng(0)
        time_s = np.arange(40 * sample_rate) / sample_rate
        level = 0.01 + 0.25 * (time_s // 8 % 3) / 2 * (time_s % 8 < 7)
        out = np.zeros((len(time_s), channels))
        for channel in range(channels):
            for hz in 55.0 * 2 ** rng.uniform(0, 6, size=8):
                out[:, channel] += np.sin(2 * np.pi * hz * time_s + rng.uniform(0, 6)) / 8
            beat = np.exp(-12 * (time_s % 0.5))
            out[:, channel] += 0.5 * beat * rng.standard_normal(len(time_s)) + 0.7 * beat * np.sin(300 * time_s)
        path = tmp_path_factory.mktemp("programme") / f"{sample_rate}_{channels}.wav"
        soundfile.write(path, out * level[:, None], sample_rate, subtype="FLOAT")
        return path

    return make
