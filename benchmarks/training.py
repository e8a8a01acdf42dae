"""Compare the training speed of musicrec with a plain PyTorch loop: same network, same batch, same machine.

    python benchmarks/training.py --network crnn
    python benchmarks/training.py --network crnn --device cuda --precision 32-true --out gpu.csv

The plain loop trains as the project did that musicrec grew out of: float32, one `np.load` of a whole file per chunk,
the mel spectrogram inside the model, the default memory layout, Adam, `loss.item()` in each step. musicrec's side is
its real pipeline: waveform store, data module, LightningModule and Trainer, with the fastest suitable precision of the
device. Each side runs in processes of its own (memory settings belong to a process), in turns; the table shows
medians.

The program also measures the peak of the device: the faster of a large matrix product and a large convolution, in the
same turn and on the same threads. The share of a side in this peak says how busy its operations keep the device.
recipes.py uses the share that --out wrote. Operations are counted as in recipes.py. --clock processor measures
processor time, which other work on the machine hardly changes: use it for one thread of a busy CPU.
"""

import argparse
import csv
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytorch_lightning as lightning
import torch
from recipes import operations
from rich.console import Console
from rich.table import Table
from torch import nn

from musicrec.audio.decode import decode
from musicrec.data.chunk_sampling import Sampling
from musicrec.data.datamodule import MusicDataModule
from musicrec.data.manifest import read_manifest
from musicrec.data.splitting import SplitNames
from musicrec.data.synthetic import make_synthetic
from musicrec.heads.tags import TagHead
from musicrec.models.crnn import CRNN
from musicrec.models.frontends.mel import MelSpectrogram
from musicrec.models.short_chunk_resnet import ShortChunkResNet
from musicrec.system.hardware import best_precision
from musicrec.system.memory import keep_freed_memory
from musicrec.training.module import MusicModule
from musicrec.training.recipes import AdamWCosine

NETWORKS = {"crnn": CRNN, "short_chunk_resnet": ShortChunkResNet}
WARM_UP_STEPS = 2
EVAL_CHUNKS = 16  # of a track, as in the recipes
PEAK_TURNS = 8  # within a turn, of which the best counts


def build(name: str, width: int | None) -> tuple[nn.Module, TagHead]:
    head = TagHead(name="tags", columns=("instruments",), classes=tuple(f"tag {i}" for i in range(50)))
    torch.manual_seed(0)
    return NETWORKS[name]({"tags": 50}, **({"width": width} if width else {})), head


CLOCKS = {"wall": time.perf_counter, "processor": time.process_time}


class Clock:
    """Seconds since something, when all that was asked of the device is done."""

    def __init__(self, kind: str, device: str) -> None:
        self.read, self.device = CLOCKS[kind], device

    def __call__(self) -> float:
        if self.device == "cuda":
            torch.cuda.synchronize()
        return self.read()


def plain(
    name: str, width: int | None, folder: Path, batch_size: int, steps: int, device: str, now: Clock
) -> dict[str, float]:
    """Clips per second of the plain loop."""
    network, _ = build(name, width)
    mel = MelSpectrogram(n_mels=network.n_mels).mel  # nnAudio's, without the FFT that musicrec takes on a CPU
    files = sorted((folder / "npy").glob("*.npy"))

    class Files(torch.utils.data.Dataset):
        def __len__(self) -> int:
            return len(files) * 1000

        def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
            waveform = np.load(files[index % len(files)])
            start = np.random.randint(0, len(waveform) - network.chunk_samples)
            return waveform[start : start + network.chunk_samples], np.zeros(50, dtype="float32")

    class PlainModel(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mel, self.network = mel, network

        def forward(self, waveform: torch.Tensor) -> torch.Tensor:
            decibels = 10 * self.mel(waveform).clamp(min=1e-10).log10()
            return self.network(decibels[:, None])[1]["tags"]

    model = PlainModel().train().to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
    started = 0.0
    for step, (waveform, target) in enumerate(torch.utils.data.DataLoader(Files(), batch_size=batch_size)):
        if step == WARM_UP_STEPS:
            started = now()
        if step == WARM_UP_STEPS + steps:
            break
        loss = nn.functional.binary_cross_entropy_with_logits(model(waveform.to(device)), target.to(device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss.item()
    return {"training": batch_size * steps / (now() - started)}


class StopWatch(lightning.Callback):
    """Times the steps after the warm-up, of training and of evaluation."""

    def __init__(self, now: Clock) -> None:
        self.now = now

    def _start(self) -> None:
        self.started = self.now()

    def _stop(self) -> None:
        self.seconds = self.now() - self.started

    def on_train_batch_start(self, trainer: lightning.Trainer, module: object, batch: object, batch_idx: int) -> None:
        if trainer.global_step == WARM_UP_STEPS:
            self._start()

    def on_train_end(self, trainer: lightning.Trainer, module: object) -> None:
        self._stop()

    def on_validation_batch_start(
        self, trainer: object, module: object, batch: object, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        if batch_idx == WARM_UP_STEPS:
            self._start()

    def on_validation_batch_end(
        self, trainer: object, module: object, outputs: object, batch: object, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        self._stop()


def ours(
    name: str, width: int | None, folder: Path, batch_size: int, steps: int, device: str, now: Clock, precision: str
) -> dict[str, float]:
    """Clips per second of musicrec, in training and in evaluation."""
    keep_freed_memory()
    network, head = build(name, width)
    data = MusicDataModule(
        manifest=folder / "manifest.csv",
        stores=folder / "stores",
        heads=[head],
        frontend=MelSpectrogram(n_mels=network.n_mels),
        chunk_samples=network.chunk_samples,
        splits=SplitNames(valid="train"),  # which has tracks enough
        sampling=Sampling(batch_size=batch_size, chunks_per_track=1000, eval_chunks=EVAL_CHUNKS),
    )
    watch = StopWatch(now)
    trainer = lightning.Trainer(
        max_steps=WARM_UP_STEPS + steps,
        accelerator=device,
        devices=1,
        precision=precision,
        limit_val_batches=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        callbacks=[watch],
    )
    module = MusicModule(network, [head], AdamWCosine())
    trainer.fit(module, data)
    speeds = {"training": batch_size * steps / watch.seconds}
    trainer.limit_val_batches = WARM_UP_STEPS + steps
    trainer.validate(module, data, verbose=False)
    return speeds | {"evaluation": batch_size * steps / watch.seconds}


def peak(device: str, now: Clock, size: int) -> dict[str, float]:
    """Operations per second of matrices of (size, size), and of a 3×3 convolution of 256 channels, in float32."""
    matrix = torch.randn(size, size, device=device)
    images = torch.randn(16, 256, size // 32, size // 32, device=device).to(memory_format=torch.channels_last)
    kernels = torch.randn(256, 256, 3, 3, device=device).to(memory_format=torch.channels_last)
    known = {
        2 * size**3: lambda: matrix @ matrix,
        2 * images.numel() * 256 * 9: lambda: nn.functional.conv2d(images, kernels, padding=1),
    }
    best = 0.0
    with torch.inference_mode():
        for count, compute in known.items():
            compute()
            for _ in range(PEAK_TURNS):
                begin = now()
                compute()
                best = max(best, count / (now() - begin))
    return {"peak": best}


def prepare(folder: Path) -> None:
    """Thirty-second tracks, as audio files and, for the plain loop, one .npy a track."""
    manifest = make_synthetic(folder, tracks=32, duration_s=30.0)
    (folder / "npy").mkdir()
    for index, path in enumerate(read_manifest(manifest)["path"]):
        np.save(folder / "npy" / f"{index}.npy", decode(path))


def rows(arguments: argparse.Namespace, speeds: dict[str, dict[str, list[float]]]) -> list[dict[str, object]]:
    """A row for each side and pass: medians over the turns; of the peak the highest."""
    with torch.device("meta"):
        network, _ = build(arguments.network, arguments.width)
    frontend = MelSpectrogram(n_mels=network.n_mels)
    trained, evaluated = operations(network, frontend, network.chunk_samples, device=arguments.device)
    peak_gflops, found = max(speeds["peak"]["peak"]) / 1e9, []
    for side, which, flop in (
        ("plain", "training", trained),
        ("musicrec", "training", trained),
        ("musicrec", "evaluation", evaluated),
    ):
        if side not in speeds:
            continue
        clips = speeds[side][which]
        gflops = statistics.median(clips) * flop / 1e9
        found.append(
            {
                "network": type(network).__name__,
                "device": torch.cuda.get_device_name() if arguments.device == "cuda" else "cpu",
                "threads": torch.get_num_threads(),
                "clock": arguments.clock,
                "precision": arguments.precision if side == "musicrec" else "32-true",
                "batch_size": arguments.batch_size,
                "side": side,
                "pass": which,
                "clips_per_s": round(statistics.median(clips), 3),
                "least": round(min(clips), 3),
                "most": round(max(clips), 3),
                "gflop_per_s": round(gflops, 1),
                "peak_gflop_per_s": round(peak_gflops, 1),
                "share": round(gflops / peak_gflops, 3),
            }
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", choices=NETWORKS, default="crnn")
    parser.add_argument("--width", type=int, help="width of the network (default: as published)")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--steps", type=int, default=6, help="timed steps per turn (default %(default)s)")
    parser.add_argument("--turns", type=int, default=3, help="turns per side (default %(default)s)")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--precision", help="precision of musicrec's side (default: the fastest suitable one)")
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    parser.add_argument("--peak-size", type=int, default=2048, help="size of the matrices (default %(default)s)")
    parser.add_argument("--sides", nargs="+", choices=("plain", "musicrec"), default=["plain", "musicrec"])
    parser.add_argument("--out", type=Path, help="CSV file that the rows are added to")
    parser.add_argument("--side", choices=("plain", "musicrec", "peak"), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.clock == "processor" and (arguments.device == "cuda" or torch.get_num_threads() > 1):
        parser.error("--clock processor counts one thread of a CPU: set OMP_NUM_THREADS=1, and --device cpu")
    if arguments.device == "cuda" and not torch.cuda.is_available():
        parser.error("--device cuda: no GPU is to be seen")
    arguments.precision = best_precision(arguments.precision or "auto", accelerator=arguments.device)
    if arguments.side:
        print(json.dumps(speed_of(arguments)))
        return

    speeds: dict[str, dict[str, list[float]]] = {side: {} for side in ("peak", *arguments.sides)}
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder))
        for turn in range(arguments.turns):
            for side, measured in speeds.items():
                command = [sys.executable, __file__, *sys.argv[1:], "--side", side, "--folder", folder]
                done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
                print(f"turn {turn + 1}, {side}: {done.stdout.splitlines()[-1]}", file=sys.stderr)
                for which, speed in json.loads(done.stdout.splitlines()[-1]).items():
                    measured.setdefault(which, []).append(speed)
    report(arguments, rows(arguments, speeds))


def speed_of(arguments: argparse.Namespace) -> dict[str, float]:
    """What a process of its own measures: clips per second of each pass, or operations per second."""
    timing = (arguments.device, Clock(arguments.clock, arguments.device))
    if arguments.side == "peak":
        return peak(*timing, arguments.peak_size)
    given = (arguments.network, arguments.width, arguments.folder, arguments.batch_size, arguments.steps, *timing)
    return plain(*given) if arguments.side == "plain" else ours(*given, arguments.precision)


def report(arguments: argparse.Namespace, found: list[dict[str, object]]) -> None:
    """Prints the rows, and adds them to arguments.out."""
    where = f"{arguments.device}, {found[0]['threads']} threads"
    table = Table(title=f"{arguments.network}, batch {arguments.batch_size}, {where}")
    for column in ("side", "pass", "clips/s", "range", f"times {found[0]['side']}", "GFLOP/s", "peak", "share"):
        table.add_column(column, justify="left" if column in ("side", "pass") else "right")
    base = found[0]["clips_per_s"]
    for row in found:
        times = f"{row['clips_per_s'] / base:.2f}" if row["pass"] == "training" else ""
        table.add_row(
            row["side"],
            row["pass"],
            f"{row['clips_per_s']:.1f}",
            f"{row['least']:.1f}–{row['most']:.1f}",
            times,
            f"{row['gflop_per_s']:.0f}",
            f"{row['peak_gflop_per_s']:.0f}",
            f"{row['share']:.2f}",
        )
    Console(width=120).print(table)
    print(f"precision of musicrec's side: {arguments.precision}")
    if arguments.out:
        new = not arguments.out.exists()
        with arguments.out.open("a", newline="") as file:
            writer = csv.DictWriter(file, found[0])
            if new:
                writer.writeheader()
            writer.writerows(found)


if __name__ == "__main__":
    main()
