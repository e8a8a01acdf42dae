"""Measure what the descriptors cost beside decoding, and what librosa takes for some of them.

    python benchmarks/descriptors.py track.mp3 another.flac --turns 5

Times are processor time of this process in seconds per minute of audio, the least of all turns. The row of librosa
(centroid, roll-off, zero crossings and onsets, from the decoded waveform) appears if it is installed; it is no
dependency of the project.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table

from musicrec.audio.audio_source import BLOCK_FRAMES
from musicrec.audio.decode import decode_track
from musicrec.audio.sndfile_source import SndfileSource
from musicrec.descriptors.loudness_meter import LoudnessMeter
from musicrec.descriptors.measurement import measure

RATE = 16_000


def least_s(work: Callable[[], object], turns: int) -> float:
    """Return the least processor time of several calls, after one that does not count."""
    work()
    times = []
    for _ in range(turns):
        begun = time.process_time()
        work()
        times.append(time.process_time() - begun)
    return min(times)


def with_librosa(waveform: np.ndarray) -> None:
    """Compute with librosa what `measure` computes from the spectrum."""
    import librosa

    magnitudes = np.abs(librosa.stft(waveform, n_fft=512, hop_length=320))
    librosa.feature.spectral_centroid(S=magnitudes, sr=RATE)
    librosa.feature.spectral_rolloff(S=magnitudes, sr=RATE)
    librosa.zero_crossings(waveform)
    librosa.onset.onset_detect(y=waveform, sr=RATE, hop_length=320)


def measured(path: Path, turns: int) -> dict[str, float]:
    """Return {stage: seconds per minute of audio} of a file that libsndfile reads."""
    with SndfileSource(path) as source:
        rate, speakers, blocks = source.sample_rate, source.speakers, list(source.blocks(0, None))
    decoded = decode_track(path, sample_rate=RATE, meter=LoudnessMeter)

    def meter() -> None:
        meter = LoudnessMeter(rate, speakers)
        for block in blocks:
            meter(block)

    stages: dict[str, Callable[[], object]] = {
        "decoding": lambda: decode_track(path, sample_rate=RATE),
        f"loudness meter, blocks of {BLOCK_FRAMES:,} frames": meter,
        "the other descriptors": lambda: measure(decoded, sample_rate=RATE),
    }
    try:
        import librosa  # noqa: F401

        stages["librosa, without loudness"] = lambda: with_librosa(decoded.waveform)
    except ImportError:
        pass
    minutes = len(decoded.waveform) / RATE / 60
    return {stage: least_s(work, turns) / minutes for stage, work in stages.items()}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("files", nargs="+", type=Path, help="audio files that libsndfile reads")
    parser.add_argument("--turns", type=int, default=3)
    arguments = parser.parse_args()
    rows = [measured(path, arguments.turns) for path in arguments.files]
    table = Table("stage", "CPU seconds per minute of audio", box=MARKDOWN)
    for stage in rows[0]:
        table.add_row(stage, f"{np.mean([row[stage] for row in rows]):.4f}")
    Console().print(table)


if __name__ == "__main__":
    main()
