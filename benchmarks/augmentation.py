"""Measure the cost of the presets of `augment=` per second of audio, and of a training step for comparison.

    OMP_NUM_THREADS=1 python benchmarks/augmentation.py

The input is batches of chunks of 59,049 samples of synthetic music. Each batch is deformed differently, and the
presets take turns. The training step is a forward and backward pass of the published Short-Chunk ResNet in float32.
Times are processor time on a CPU, which other work on the machine hardly changes, and wall-clock time on a GPU.
"""

import argparse
import math
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from hydra import compose, initialize_config_dir
from rich.box import MARKDOWN
from rich.console import Console
from rich.progress import track
from rich.table import Table

from musicrec.audio.decode import decode
from musicrec.config.explain import one_message
from musicrec.data.datamodule import MusicDataModule
from musicrec.data.manifest import read_manifest
from musicrec.data.synthetic import make_synthetic
from musicrec.models.frontends.mel import MelSpectrogram
from musicrec.models.short_chunk_resnet import ShortChunkResNet
from musicrec.programs.build import build_augmentation
from musicrec.system.hardware import clock, find_device

SAMPLE_RATE, SAMPLES = 16_000, 59_049
CONF = Path(__file__).parents[1] / "conf"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=int, default=12, help="batches per preset (default %(default)s)")
    parser.add_argument("--presets", default="none,resample,mixup,robust,dj,full")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    with one_message():
        device = find_device(arguments.device, key="--device")

    size, presets = arguments.batch_size, arguments.presets.split(",")
    frontend = MelSpectrogram(n_mels=128).to(device)
    network = ShortChunkResNet({"tags": 50}).to(device, memory_format=torch.channels_last)
    mel = torch.randn(size, 1, 128, 231, device=device).contiguous(memory_format=torch.channels_last)
    jobs: dict[str, Callable[[int], object]] = {"step": lambda _: network(mel)[1]["tags"].mean().backward()}
    with tempfile.TemporaryDirectory() as folder:
        manifest = make_synthetic(Path(folder), tracks=max(16, size), duration_s=8.0, progress=False)
        music = torch.stack([torch.from_numpy(decode(path)) for path in read_manifest(manifest)["path"][:size]])
    with initialize_config_dir(str(CONF)):
        for name in presets:
            cfg = compose("train", overrides=[f"augment={name}"]).augment
            data = MusicDataModule(
                manifest="",
                stores="",
                heads=[],
                frontend=frontend,
                chunk_samples=SAMPLES,
                augmentation=build_augmentation(cfg),
            )
            samples = math.ceil(SAMPLES * data.augmentation.input_ratio)
            waveform = (music[:, :samples] * 32767).to(torch.int16).to(device)
            batch = {"waveform": waveform, "track": torch.arange(size), "target": {}}
            jobs[name] = lambda step, data=data, batch=batch: data.prepare(batch, step=step)

    now = time.process_time if device.type == "cpu" else lambda: clock(device)
    times: dict[str, list[float]] = {job: [] for job in jobs}
    for step in track(range(arguments.batches + 1), "batches"):
        for job, work in jobs.items():
            if job == "step" and step > 2:  # always the same, and the most expensive
                continue
            started = now()
            work(step)
            taken = now() - started
            if step:  # the first warms up
                times[job].append(1000 * taken / (size * SAMPLES / SAMPLE_RATE))

    cost = {job: statistics.mean(taken) for job, taken in times.items()}
    table = Table(box=MARKDOWN)
    for heading in ("augment", "ms per s of audio, with the mel spectrogram", "share of a training step"):
        table.add_column(heading, justify="left" if heading == "augment" else "right")
    table.add_row("training step of the network", f"{cost['step']:.2f}", "1.00")
    for name in presets:
        table.add_row(name, f"{cost[name]:.2f}", f"{cost[name] / cost['step']:.3f}")
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU, {torch.get_num_threads()} thread(s)"
    Console().print(f"{where}, mean of {arguments.batches} batches of {size} chunks")
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
