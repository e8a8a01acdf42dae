"""Compare musicrec's spectrograms, which use an FFT on a CPU, with the transforms of nnAudio.

    OMP_NUM_THREADS=1 python benchmarks/frontends.py

Measured are the 216 bands and the hop of the key network, and the 128 mel bands of the Short-Chunk ResNet of
experiments/rendered_corpus, on chunks of 15 s, in turns. Times are processor time on a CPU and wall-clock time on a
GPU, where both mel spectrograms are nnAudio's.
"""

import argparse
import statistics
import time

import torch
from nnAudio.features import CQT1992v2, CQT2010v2
from rich.progress import track

from musicrec.config.explain import one_message
from musicrec.models.frontends.log_frequency import LogFrequencySpectrogram
from musicrec.models.frontends.mel import MelSpectrogram
from musicrec.system.hardware import clock, find_device

SAMPLE_RATE, SAMPLES = 16_000, 240_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=int, default=5, help="timed batches per front end (default %(default)s)")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    with one_message():
        device = find_device(arguments.device, key="--device")
    now, ours = time.process_time if device.type == "cpu" else lambda: clock(device), LogFrequencySpectrogram()
    settings = {
        "sr": SAMPLE_RATE,
        "hop_length": ours.hop_length,
        "fmin": ours.settings["f_min"],
        "n_bins": ours.n_mels,
        "bins_per_octave": ours.settings["bands_per_octave"],
        "verbose": False,
    }
    mel = MelSpectrogram(n_fft=1024, hop_length=512, n_mels=128)
    bands = {
        "equal intervals, musicrec": ours,
        "equal intervals, nnAudio: CQT1992v2": CQT1992v2(**settings),
        "equal intervals, nnAudio: CQT2010v2": CQT2010v2(**settings),
    }
    mels = {"mel, musicrec": mel.power, "mel, nnAudio: MelSpectrogram": mel.mel}
    sides = bands | mels
    for frontend in (*bands.values(), mel):
        frontend.to(device)
    waveform = torch.randn(arguments.batch_size, SAMPLES, device=device)
    times: dict[str, list[float]] = {name: [] for name in sides}
    with torch.inference_mode():
        for number in track(range(arguments.batches + 1), "batches"):
            for name, frontend in sides.items():
                begin = now()
                frontend(waveform)
                taken = now() - begin
                if number:  # the first warms up
                    times[name].append(1000 * taken / arguments.batch_size)
    print("| front end | ms for 15 s | times musicrec |")
    print("|---|---|---|")
    for group in (bands, mels):
        medians = {name: statistics.median(times[name]) for name in group}
        base = next(iter(medians.values()))
        for name, taken in medians.items():
            print(f"| {name} | {taken:.1f} | {taken / base:.1f} |")


if __name__ == "__main__":
    main()
