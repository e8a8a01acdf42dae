"""Measure what a training chunk and the analysis of a clip cost with each network and the overlay that trains it.

    OMP_NUM_THREADS=1 python benchmarks/networks.py
    OMP_NUM_THREADS=1 python benchmarks/networks.py --study networks_all --precision auto --out cost.csv
    OMP_NUM_THREADS=1 python benchmarks/networks.py --overlays --exports NAME=EXPORT --precision auto

The input is noise. In training, a chunk is deformed and turned into a spectrogram, followed by a forward and backward
pass and a step of AdamW. In analysis, a clip of 30 s is cut into chunks, and all of them pass forward; exports are
measured in analysis only. The networks take turns. Times are processor time on a CPU, which other work on the machine
hardly changes, and wall-clock time on a GPU. Operations are counted as in recipes.py.
"""

import argparse
import csv
import math
import statistics
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import torch
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.utils import instantiate
from recipes import operations
from rich.progress import track
from torch import Tensor, nn
from torch.optim import AdamW
from torch.utils.flop_counter import FlopCounterMode

from musicrec.audio.chunks import chunk_starts
from musicrec.config.explain import one_message
from musicrec.config.targets import TARGETS
from musicrec.data.datamodule import MusicDataModule
from musicrec.export import catalogue
from musicrec.export.folder import read_export
from musicrec.models.frontends import Frontend
from musicrec.programs.build import build_augmentation, build_heads
from musicrec.system.hardware import best_precision, clock, find_device

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
CLIP_S = 30.0
COLUMNS = ("overlay", "parameters", "s of audio", "batch", "GFLOP", "ms: deformation, spectrogram")
COLUMNS += (
    "ms: forward, backward, step",
    "ms: total",
    "chunks/s in training",
    "GFLOP of a clip",
    "clips/s in analysis",
)


@dataclass
class NetworkTiming:
    """network, frontend: to time. clip: (chunks, samples) int16. data, batch: of an overlay. *_s: one per turn."""

    network: nn.Module
    frontend: Frontend
    clip: Tensor
    gflop: float
    gflop_of_clip: float
    data: MusicDataModule | None = None
    batch: Tensor | None = None
    preparing_s: list[float] = field(default_factory=list)
    step_s: list[float] = field(default_factory=list)
    clip_s: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.optimizer = None if self.batch is None else AdamW(self.network.parameters(), lr=1e-5, fused=True)

    def row(self, name: str) -> dict[str, str]:
        """The measured values by the names of COLUMNS."""
        in_training = [""] * 6
        if self.batch is not None:
            chunks = len(self.batch)
            preparing, step = (1000 * statistics.median(times) / chunks for times in (self.preparing_s, self.step_s))
            times = [f"{value:.1f}" for value in (preparing, step, preparing + step)]
            in_training = [str(chunks), f"{self.gflop:.2f}", *times, f"{1000 / (preparing + step):.2f}"]
        values = (
            name,
            f"{sum(parameter.numel() for parameter in self.network.parameters()):,}",
            f"{self.clip.shape[1] / self.frontend.sample_rate:.1f}",
            *in_training,
            f"{self.gflop_of_clip:.2f}",
            f"{1 / statistics.median(self.clip_s):.2f}",
        )
        return dict(zip(COLUMNS, values, strict=True))


def noise(chunks: int, samples: int, device: torch.device) -> Tensor:
    return torch.randint(-8000, 8000, (chunks, samples), dtype=torch.int16, device=device)


def chunks_of_clip(frontend: Frontend, chunk_samples: int) -> int:
    return len(chunk_starts(round(CLIP_S * frontend.sample_rate), chunk_samples, None))


def build(overlay: str, batch_size: int | None, device: torch.device) -> NetworkTiming:
    cfg = compose("train", overrides=[f"+experiment/{overlay}"])
    outputs = {head.name: len(head.classes) or UNKNOWN_CLASSES for head in build_heads(cfg.task)}
    make = instantiate(cfg.model, _execution_whitelist_=TARGETS)
    frontend = instantiate(cfg.frontend, _execution_whitelist_=TARGETS)
    in_training, in_analysis = operations(make(outputs), frontend, cfg.model.chunk_samples, device=device.type)
    data = MusicDataModule(
        manifest="",
        stores="",
        heads=[],
        frontend=frontend.to(device),
        chunk_samples=cfg.model.chunk_samples,
        augmentation=build_augmentation(cfg.augment),
    )
    chunks = chunks_of_clip(frontend, cfg.model.chunk_samples)
    samples = math.ceil(cfg.model.chunk_samples * data.augmentation.input_ratio)
    return NetworkTiming(
        network=make(outputs).to(device, memory_format=torch.channels_last),
        frontend=data.frontend,
        clip=noise(chunks, cfg.model.chunk_samples, device),
        gflop=in_training / 1e9,
        gflop_of_clip=in_analysis * chunks / 1e9,
        data=data,
        batch=noise(batch_size or cfg.data.batch_size, samples, device),
    )


def read(export: str, device: torch.device) -> NetworkTiming:
    model = read_export(catalogue.resolve(export))
    size = model.network.chunk_samples
    chunks = chunks_of_clip(model.frontend, size)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.network(model.frontend(torch.zeros(1, size)))
    return NetworkTiming(
        network=model.network.to(device, memory_format=torch.channels_last),
        frontend=model.frontend.to(device),
        clip=noise(chunks, size, device),
        gflop=math.nan,
        gflop_of_clip=counter.get_total_flops() * chunks / 1e9,
    )


def measure(job: NetworkTiming, turn: int, *, device: torch.device, autocast: AbstractContextManager) -> None:
    """Time a training batch and a clip; the first turn warms up."""
    now = time.process_time if device.type == "cpu" else lambda: clock(device)
    if job.batch is not None:
        job.network.train()
        begin = now()
        batch = {"waveform": job.batch, "track": torch.arange(len(job.batch)), "target": {}}
        mel = job.data.prepare(batch, step=turn)["mel"]
        prepared = now()
        with autocast:
            loss = sum(values.float().mean() for values in job.network(mel)[1].values())
        loss.backward()
        job.optimizer.step()
        job.optimizer.zero_grad()
        if turn:
            job.preparing_s.append(prepared - begin)
            job.step_s.append(now() - prepared)
    job.network.eval()
    begin = now()
    with torch.no_grad(), autocast:  # as musicrec.export.engines.TorchEngine
        job.network(job.frontend(job.clip.float() / 32768))
    if turn:
        job.clip_s.append(now() - begin)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=int, default=3, help="timed batches per network (default %(default)s)")
    parser.add_argument("--batch-size", type=int, help="default: that of the overlay")
    parser.add_argument("--overlays", nargs="*", default=OVERLAYS, metavar="STUDY=NAME")
    parser.add_argument("--exports", nargs="+", default=[], metavar="NAME=EXPORT", help="measured in analysis only")
    parser.add_argument("--study", help="all networks of a folder below experiments/, in place of --overlays")
    parser.add_argument("--precision", default="32-true", choices=["32-true", "bf16-mixed", "auto"])
    parser.add_argument("--out", type=Path, help="write the table to this CSV file, too")
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    overlays = arguments.overlays
    if arguments.study:
        files = sorted((CONF / "experiment" / arguments.study).glob("*.yaml"))
        names = [
            file.stem for file in files if (CONF / "model" / file.name).is_file()
        ]  # neither shared settings nor probes
        overlays = [f"{arguments.study}={name}" for name in names]
        if not overlays:
            parser.error(f"--study {arguments.study}: experiments/{arguments.study} has no YAML file")
    with one_message():
        device = find_device(arguments.device, key="--device")
    bf16 = best_precision(arguments.precision, accelerator=device.type) == "bf16-mixed"
    autocast = torch.autocast(device.type, torch.bfloat16) if bf16 else nullcontext()
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF)):
        jobs = {overlay: build(overlay, arguments.batch_size, device) for overlay in track(overlays, "networks")}
    with one_message():
        for named in arguments.exports:
            name, _, export = named.partition("=")
            jobs[name] = read(export, device)
    for turn in track(range(arguments.batches + 1), "turns"):
        for job in jobs.values():
            measure(job, turn, device=device, autocast=autocast)
    rows = [job.row(overlay) for overlay, job in jobs.items()]
    print(f"| {' | '.join(COLUMNS)} |")
    print("|---" * len(COLUMNS) + "|")
    for row in rows:
        print(f"| {' | '.join(row.values())} |")
    if arguments.out:
        with arguments.out.open("w", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    main()
