"""Measure the cost of every deformation per second of audio, and of a forward pass for comparison.

    python benchmarks/deformations.py
    python benchmarks/deformations.py --device cuda

The input is batches of 16 chunks of 59,049 samples of synthetic music. Everything runs in one process, on the same
threads, in turns. Each deformation is measured at each of its strengths; the table shows the most expensive one. The
forward pass is the mel spectrogram and the published Short-Chunk ResNet in float32, as `evaluate.py` runs it. Times
are processor time on one thread of a CPU, which other work on the machine hardly changes, and otherwise wall-clock
time. On a GPU, the default if there is one, the batch is on the GPU; deformations for the CPU copy it there and back,
and are marked. The noise from a folder is that of ten WAV files of ten seconds.
"""

import argparse
import math
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import soundfile
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table

from musicrec.audio.decode import decode
from musicrec.config.explain import one_message
from musicrec.config.targets import TARGETS
from musicrec.data.manifest import read_manifest
from musicrec.data.synthetic import make_synthetic
from musicrec.deformations.base import seed_of
from musicrec.deformations.sweep import Sweep
from musicrec.models.frontends.mel import MelSpectrogram
from musicrec.models.short_chunk_resnet import ShortChunkResNet
from musicrec.system.hardware import clock, find_device

CONF = Path(__file__).parents[1] / "conf"
SAMPLE_RATE, SAMPLES = 16_000, 59_049


def chunks(count: int) -> torch.Tensor:
    """(count, 8 s) float32 of synthetic music: more than any deformation needs for a chunk."""
    with tempfile.TemporaryDirectory() as folder:
        manifest = make_synthetic(Path(folder), tracks=16, duration_s=8.0, progress=False)
        tracks = [torch.from_numpy(decode(path)) for path in read_manifest(manifest)["path"]]
    return torch.stack([tracks[number % len(tracks)] for number in range(count)])


def noises(folder: Path) -> Path:
    """Ten files of ten seconds of noise."""
    for number in range(10):
        noise = torch.randn(10 * SAMPLE_RATE, generator=torch.Generator().manual_seed(number)) / 10
        soundfile.write(folder / f"{number}.wav", noise.numpy(), SAMPLE_RATE)
    return folder


def sweeps(chosen: str, noise: Path) -> dict[str, Sweep]:
    """The deformations by name, as deformation=[…] chooses them."""
    overrides = [f"+deformation=[{chosen}]"]
    if "folder_noise" in chosen.split(","):
        overrides.append(f"deformation.folder_noise.deformation.folder={noise}")
    with initialize_config_dir(str(CONF)):
        entries = compose("train", overrides=overrides).deformation
    return {name: instantiate(entry, _execution_whitelist_=TARGETS) for name, entry in entries.items()}


def milliseconds(work: Callable[[], object], device: torch.device) -> float:
    """What one call takes: on one thread of a CPU its processor time, else the time by the clock."""
    alone = device.type == "cpu" and torch.get_num_threads() == 1
    now = time.process_time if alone else lambda: clock(device)
    started = now()
    work()
    return 1000 * (now() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument(
        "--turns", type=int, default=3, help="turns, of which the table shows the median (default %(default)s)"
    )
    parser.add_argument(
        "--deformations", default="all,folder_noise", help="one name, or several: mp3,opus (default %(default)s)"
    )
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()

    with one_message():
        device = find_device(arguments.device, key="--device")
    batch = chunks(arguments.batch_size).to(device)
    seeds = [seed_of(0, number) for number in range(len(batch))]
    network = ShortChunkResNet({"tags": 50}).eval().to(device, memory_format=torch.channels_last)
    frontend = MelSpectrogram(n_mels=network.n_mels).to(device)
    chunk = batch[:, :SAMPLES].contiguous()
    jobs: dict[tuple[str, object], Callable[[], object]] = {
        ("forward pass", None): lambda: network(frontend(chunk).contiguous(memory_format=torch.channels_last))
    }
    noise = tempfile.TemporaryDirectory()
    measured = sweeps(arguments.deformations, noises(Path(noise.name)))
    on_cpu = set()
    for name, sweep in measured.items():
        for strength, deformation in sweep:
            if device.type != "cpu" and getattr(deformation, "on_cpu", False):
                on_cpu.add(name)
            waveform = batch[:, : math.ceil(SAMPLES * deformation.input_ratio)].contiguous()
            jobs[name, strength] = lambda deformation=deformation, waveform=waveform: deformation(
                waveform, samples=SAMPLES, sample_rate=SAMPLE_RATE, seeds=seeds
            )

    times: dict[tuple[str, object], list[float]] = {job: [] for job in jobs}
    with torch.inference_mode():
        for turn in range(arguments.turns + 1):
            for job, work in jobs.items():
                taken = milliseconds(work, device)
                if turn:  # the first warms up
                    times[job].append(taken)

    seconds = len(batch) * SAMPLES / SAMPLE_RATE
    cost = {job: statistics.median(taken) / seconds for job, taken in times.items()}
    forward = cost.pop(("forward pass", None))
    table = Table(box=MARKDOWN)
    for heading in ("deformation", "most expensive strength", "ms per s of audio", "share of the forward pass"):
        table.add_column(heading, justify="left" if heading == "deformation" else "right")
    table.add_row("forward pass of the Short-Chunk ResNet", "", f"{forward:.2f}", "1.00")
    for name in sorted(measured, key=lambda name: -max(cost[job] for job in cost if job[0] == name)):
        costliest = max((job for job in cost if job[0] == name), key=cost.get)
        strength = "" if costliest[1] is None else str(costliest[1])
        table.add_row(
            f"{name} (on the CPU)" if name in on_cpu else name,
            strength,
            f"{cost[costliest]:.2f}",
            f"{cost[costliest] / forward:.2f}",
        )
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU, {torch.get_num_threads()} thread(s)"
    Console().print(f"{where}, batches of {len(batch)} chunks, median of {arguments.turns}")
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
