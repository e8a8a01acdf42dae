"""Audio files for the tests of decoding, made by ffmpeg and by bytes."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
import soundfile

RATE = 44_100
STEP_S = 2.0


@pytest.fixture(scope="session")
def steps() -> Callable[..., np.ndarray]:
    """steps(frequencies_hz, sample_rate): one tone of two seconds after another, (frames, 2), amplitude 0.4 and 0.2."""

    def make(frequencies_hz: list[float], sample_rate: int = RATE) -> np.ndarray:
        time_s = np.arange(round(STEP_S * sample_rate)) / sample_rate
        mono = np.concatenate([0.4 * np.sin(2 * np.pi * frequency * time_s) for frequency in frequencies_hz])
        return np.stack([mono, mono / 2], axis=1)

    return make


@pytest.fixture(scope="session")
def heard() -> Callable[[np.ndarray], list[int]]:
    """heard(waveform): the frequency of every step of two seconds at 16 kHz, rounded to 10 Hz."""

    def frequencies(waveform: np.ndarray) -> list[int]:
        whole = waveform[: len(waveform) // 32_000 * 32_000].reshape(-1, 32_000)[:, 8_000:24_000]
        return [10 * round(float(np.abs(np.fft.rfft(step)).argmax()) / 10) for step in whole]

    return frequencies


@pytest.fixture(scope="session")
def encode() -> Callable[..., Path]:
    """encode(path, samples, *options, sample_rate): write samples, (frames, channels), with ffmpeg."""

    def run(path: Path, samples: np.ndarray, *options: str, sample_rate: int = RATE) -> Path:
        source = path.with_name(f"{path.name}.source.wav")
        soundfile.write(source, samples, sample_rate, subtype="FLOAT")
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", "-y", "-i", str(source), *options]
        subprocess.run([*command, str(path)], check=True)
        source.unlink()
        return path

    return run
