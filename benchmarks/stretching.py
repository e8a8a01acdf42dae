"""Compare methods of time stretch and pitch shift with music that was composed at the other tempo or pitch.

    python benchmarks/stretching.py

A piece of decaying notes and drum hits is synthesised twice: at one tempo and pitch, to be deformed, and at the other
one, as the reference. The mel error is the mean difference of the mel spectrograms. The onset value is the correlation
of their spectral flux, by which a tempo is recognised. Rubber Band is measured if pedalboard is installed (GPL,
therefore no dependency).
"""

import argparse
import importlib.util
import math
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
import torchaudio
from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table

from musicrec.deformations._speed import played, speed_of
from musicrec.deformations.pitch_shift import PitchShift
from musicrec.deformations.time_stretch import TimeStretch
from musicrec.models.frontends.mel import MelSpectrogram

RATE, DURATION_S, BEAT_S = 16_000, 8.0, 0.5
MEL = MelSpectrogram(n_mels=96, n_fft=512, hop_length=256, sample_rate=RATE)


def piece(tempo: float = 1.0, semitones: float = 0.0) -> torch.Tensor:
    """(samples,) float32: a chord of three and a drum hit on each beat. Attacks are as long at every tempo."""
    beats = int(DURATION_S / BEAT_S)
    music = np.zeros(int((DURATION_S + 2) / tempo * RATE))
    for beat in range(beats):
        rng = np.random.default_rng(beat)
        start, length = int(beat * BEAT_S / tempo * RATE), int(1.8 * BEAT_S / tempo * RATE)
        music[start : start + 1600] += 0.5 * rng.standard_normal(1600) * np.exp(-np.arange(1600) / 200)
        time_s = np.arange(length) / RATE
        envelope = np.exp(-2 * tempo * time_s) * np.minimum(1, time_s / 0.01) * np.minimum(1, time_s[::-1] / 0.02)
        for note in rng.choice(24, 3, replace=False) + 48:
            frequency_hz = 440 * 2 ** ((note - 69 + semitones) / 12)
            for partial in range(1, 9):
                if frequency_hz * partial < 7500:
                    tone = np.sin(2 * np.pi * frequency_hz * partial * time_s + partial)
                    music[start : start + length] += 0.15 / partial * tone * envelope
    return torch.from_numpy(music[: int(DURATION_S / tempo * RATE)] / 4).float()


def scores(result: torch.Tensor, truth: torch.Tensor) -> tuple[float, float]:
    """Mel error in dB, correlation of the onsets."""
    size = min(len(result), len(truth))
    a, b = (MEL(waveform[None, :size])[0, 0].clamp(min=-60)[:, 10:-10] for waveform in (result, truth))
    flux = torch.stack([mel.diff(dim=1).clamp(min=0).sum(dim=0) for mel in (a, b)])
    return float((a - b).abs().mean()), float(torch.corrcoef(flux)[0, 1])


def vocoder(waveform: torch.Tensor, rate: float, n_fft: int, hop: int) -> torch.Tensor:
    window = torch.hann_window(n_fft)
    spectrum = torch.stft(waveform[None], n_fft, hop, window=window, return_complex=True)
    advance = torch.linspace(0, math.pi * hop, n_fft // 2 + 1)[:, None]
    spectrum = torchaudio.functional.phase_vocoder(spectrum, rate, advance)
    return torch.istft(spectrum, n_fft, hop, window=window, length=round(len(waveform) / rate))[0]


def vocoder_shift(waveform: torch.Tensor, semitones: int, n_fft: int) -> torch.Tensor:
    """What torchaudio's pitch_shift does, but with a small fraction: its own takes 5 s for a second of audio."""
    speed = speed_of(semitones)
    slower = vocoder(waveform, 1 / float(speed), n_fft, n_fft // 4)
    return played(slower[None], speed, samples=len(waveform))[0]


def ours(deformation: TimeStretch | PitchShift, waveform: torch.Tensor, rate: float = 1.0) -> torch.Tensor:
    samples = int(len(waveform) / rate)
    return deformation(waveform[None], samples=samples, sample_rate=RATE, seeds=[0]).waveform[0]


def methods() -> dict[str, tuple[Callable, Callable]]:
    """{name: (stretch by a rate, shift by semitones)}."""
    found = {
        "musicrec: Signalsmith Stretch": (
            lambda music, rate: ours(TimeStretch(rate=rate), music, rate),
            lambda music, semitones: ours(PitchShift(shift_semitones=semitones), music),
        )
    }
    for n_fft in (512, 2048):
        found[f"torchaudio: phase vocoder, window {n_fft}"] = (
            lambda music, rate, n_fft=n_fft: vocoder(music, rate, n_fft, n_fft // 4),
            lambda music, semitones, n_fft=n_fft: vocoder_shift(music, semitones, n_fft),
        )
    if importlib.util.find_spec("pedalboard"):
        from pedalboard import time_stretch

        def rubber_band(music: torch.Tensor, rate: float, semitones: float, fine: bool) -> torch.Tensor:
            result = time_stretch(
                music[None].numpy(), RATE, stretch_factor=rate, pitch_shift_in_semitones=semitones, high_quality=fine
            )
            return torch.from_numpy(result[0])

        for quality in ("fast", "fine"):
            found[f"pedalboard: Rubber Band, {quality}"] = (
                lambda music, rate, fine=quality == "fine": rubber_band(music, rate, 0.0, fine),
                lambda music, semitones, fine=quality == "fine": rubber_band(music, 1.0, semitones, fine),
            )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rates", type=float, nargs="+", default=[0.8, 0.95, 1.05, 1.25])
    parser.add_argument("--semitones", type=int, nargs="+", default=[-4, -1, 1, 4])
    arguments = parser.parse_args()
    music = piece()
    jobs = [(0, rate, piece(tempo=rate)) for rate in arguments.rates]
    jobs += [(1, semitones, piece(semitones=semitones)) for semitones in arguments.semitones]
    table = Table(box=MARKDOWN)
    names = [f"× {rate:g}" for rate in arguments.rates] + [f"{semitones:+d}" for semitones in arguments.semitones]
    for heading in ("mel error, dB / onsets", *names, "ms/s: stretch", "shift"):
        table.add_column(heading)
    for name, ways in methods().items():
        cells, taken = [], ([], [])
        for which, strength, truth in jobs:
            ways[which](music, strength)  # warms up
            started = time.perf_counter()
            result = ways[which](music, strength)
            taken[which].append(1000 * (time.perf_counter() - started) / DURATION_S)
            error_db, onsets = scores(result, truth)
            cells.append(f"{error_db:.1f} / {onsets:.2f}")
        table.add_row(name, *cells, *(f"{statistics.median(times):.0f}" for times in taken))
    Console(width=180).print(f"{torch.get_num_threads()} thread(s)", table)


if __name__ == "__main__":
    main()
