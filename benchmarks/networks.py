"""Measure the cost of a training chunk for each network, with the settings of the overlay that trains it.

    OMP_NUM_THREADS=1 python benchmarks/networks.py

The input is noise of the length of a chunk. It is deformed and turned into a spectrogram as in training, followed by a
forward and backward pass in float32. The networks take turns. Times are processor time on a CPU, which other work on
the machine hardly changes, and wall-clock time on a GPU. Operations are counted as in recipes.py.
"""

import argparse
import math
import statistics
import time
from dataclasses import dataclass, field
from pathlib import Path

import torch
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.utils import instantiate
from recipes import operations
from rich.progress import track
from torch import Tensor, nn

from musicrec.config.explain import one_message
from musicrec.config.targets import TARGETS
from musicrec.data.datamodule import MusicDataModule
from musicrec.programs.build import build_augmentation, build_heads
from musicrec.system.hardware import clock, find_device

CONF = Path(__file__).parents[1] / "conf"
OVERLAYS = (
    "published=magnatagatune_crnn",
    "published=magnatagatune_short_chunk_resnet",
    "networks=crnn",
    "networks=short_chunk_resnet",
    "rendered_corpus=tempo",
    "rendered_corpus=key",
)
UNKNOWN_CLASSES = 12  # of a head that learns its classes from the manifest


@dataclass
class NetworkTiming:
    """network, data: as the overlay has them. waveform: (batch, samples) int16. preparing_s, step_s: one per batch."""

    network: nn.Module
    data: MusicDataModule
    waveform: Tensor
    gflop: float
    preparing_s: list[float] = field(default_factory=list)
    step_s: list[float] = field(default_factory=list)


def build(overlay: str, batch_size: int, device: torch.device) -> NetworkTiming:
    cfg = compose("train", overrides=[f"+experiment/{overlay}"])
    outputs = {head.name: len(head.classes) or UNKNOWN_CLASSES for head in build_heads(cfg.task)}
    make = instantiate(cfg.model, _execution_whitelist_=TARGETS)
    frontend = instantiate(cfg.frontend, _execution_whitelist_=TARGETS)
    gflop = operations(make(outputs), frontend, cfg.model.chunk_samples, device=device.type)[0] / 1e9
    data = MusicDataModule(
        manifest="",
        stores="",
        heads=[],
        frontend=frontend.to(device),
        chunk_samples=cfg.model.chunk_samples,
        augmentation=build_augmentation(cfg.augment),
    )
    samples = math.ceil(cfg.model.chunk_samples * data.augmentation.input_ratio)
    waveform = torch.randint(-8000, 8000, (batch_size, samples), dtype=torch.int16, device=device)
    network = make(outputs).to(device, memory_format=torch.channels_last).train()
    return NetworkTiming(network=network, data=data, waveform=waveform, gflop=gflop)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=int, default=3, help="timed batches per network (default %(default)s)")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--overlays", nargs="+", default=OVERLAYS, metavar="STUDY=NAME")
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    with one_message():
        device = find_device(arguments.device, key="--device")
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF)):
        jobs = {overlay: build(overlay, arguments.batch_size, device) for overlay in arguments.overlays}

    now = time.process_time if device.type == "cpu" else lambda: clock(device)
    for number in track(range(arguments.batches + 1), "batches"):
        for job in jobs.values():
            begin = now()
            batch = {"waveform": job.waveform, "track": torch.arange(len(job.waveform)), "target": {}}
            mel = job.data.prepare(batch, step=number)["mel"]
            prepared = now()
            sum(values.mean() for values in job.network(mel)[1].values()).backward()
            job.network.zero_grad()
            if number:  # the first warms up
                job.preparing_s.append(prepared - begin)
                job.step_s.append(now() - prepared)

    print(
        "| overlay | parameters | s of audio | GFLOP | ms: deformation, spectrogram | "
        "ms: forward, backward | ms: total |"
    )
    print("|---|---|---|---|---|---|---|")
    for overlay, job in jobs.items():
        preparing, step = (
            1000 * statistics.median(times) / arguments.batch_size for times in (job.preparing_s, job.step_s)
        )
        cells = (
            overlay,
            f"{sum(parameter.numel() for parameter in job.network.parameters()):,}",
            f"{job.data.chunk_samples / job.data.frontend.sample_rate:.1f}",
            f"{job.gflop:.2f}",
            f"{preparing:.1f}",
            f"{step:.1f}",
            f"{preparing + step:.1f}",
        )
        print(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
