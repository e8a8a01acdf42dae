"""Training speed: musicrec's pipeline against a plain PyTorch loop, same network, same batch, same machine.

    python benchmarks/training.py --network crnn

The plain loop is how the project that musicrec grew out of trained: float32, one `np.load` of a whole file a chunk,
the mel spectrogram inside the model, the default memory layout, Adam, `loss.item()` each step. musicrec's side is the
real thing: waveform store, data module, LightningModule and Trainer, with the precision that the device is good at.
Each side runs in processes of its own (memory settings belong to a process), in turns; the table shows medians.
"""

import argparse
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
from rich.console import Console
from rich.table import Table
from torch import nn

from musicrec.audio import decode
from musicrec.data.datamodule import MusicDataModule
from musicrec.data.manifest import read_manifest
from musicrec.data.synthetic import make_synthetic
from musicrec.frontend import MelSpectrogram
from musicrec.hardware import best_precision, keep_freed_memory
from musicrec.heads.tags import TagHead
from musicrec.models.crnn import CRNN
from musicrec.models.short_chunk_resnet import ShortChunkResNet
from musicrec.module import MusicModule
from musicrec.optim import AdamWCosine

NETWORKS = {"crnn": CRNN, "short_chunk_resnet": ShortChunkResNet}
WARM_UP_STEPS = 2


def build(name: str, width: int | None) -> tuple[nn.Module, TagHead]:
    head = TagHead(name="tags", columns=("instruments",), classes=tuple(f"tag {i}" for i in range(50)))
    torch.manual_seed(0)
    return NETWORKS[name]({"tags": 50}, **({"width": width} if width else {})), head


def plain(name: str, width: int | None, folder: Path, batch_size: int, steps: int) -> float:
    """Steps a second of the plain loop."""
    network, _ = build(name, width)
    mel = MelSpectrogram(n_mels=network.n_mels)
    files = sorted((folder / "npy").glob("*.npy"))

    class Files(torch.utils.data.Dataset):
        def __len__(self) -> int:
            return len(files) * 1000

        def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
            waveform = np.load(files[index % len(files)])
            start = np.random.randint(0, len(waveform) - network.chunk_samples)
            return waveform[start : start + network.chunk_samples], np.zeros(50, dtype="float32")

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mel, self.network = mel, network

        def forward(self, waveform: torch.Tensor) -> torch.Tensor:
            return self.network(self.mel(waveform))[1]["tags"]

    model = Model().train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
    started = 0.0
    for step, (waveform, target) in enumerate(torch.utils.data.DataLoader(Files(), batch_size=batch_size)):
        if step == WARM_UP_STEPS:
            started = time.perf_counter()
        if step == WARM_UP_STEPS + steps:
            break
        loss = nn.functional.binary_cross_entropy_with_logits(model(waveform), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss.item()
    return steps / (time.perf_counter() - started)


class Clock(lightning.Callback):
    """Times the steps after the warm-up."""

    def on_train_batch_start(self, trainer: lightning.Trainer, module: object, batch: object, batch_idx: int) -> None:
        if trainer.global_step == WARM_UP_STEPS:
            self.started = time.perf_counter()

    def on_train_end(self, trainer: lightning.Trainer, module: object) -> None:
        self.seconds = time.perf_counter() - self.started


def ours(name: str, width: int | None, folder: Path, batch_size: int, steps: int) -> float:
    """Steps a second of musicrec."""
    keep_freed_memory()
    network, head = build(name, width)
    data = MusicDataModule(
        manifest=folder / "manifest.csv",
        stores=folder / "stores",
        heads=[head],
        frontend=MelSpectrogram(n_mels=network.n_mels),
        chunk_samples=network.chunk_samples,
        batch_size=batch_size,
        chunks_per_track=1000,
    )
    clock = Clock()
    trainer = lightning.Trainer(
        max_steps=WARM_UP_STEPS + steps,
        precision=best_precision(),
        limit_val_batches=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        callbacks=[clock],
    )
    trainer.fit(MusicModule(network, [head], AdamWCosine()), data)
    return steps / clock.seconds


def prepare(folder: Path) -> None:
    """Thirty-second tracks, as audio files and, for the plain loop, one .npy a track."""
    manifest = make_synthetic(folder, tracks=32, duration_s=30.0)
    (folder / "npy").mkdir()
    for index, path in enumerate(read_manifest(manifest)["path"]):
        np.save(folder / "npy" / f"{index}.npy", decode(path))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", choices=NETWORKS, default="crnn")
    parser.add_argument("--width", type=int, help="of the network; default: as published")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--steps", type=int, default=6, help="timed steps a turn (default %(default)s)")
    parser.add_argument("--turns", type=int, default=3, help="of each side (default %(default)s)")
    parser.add_argument("--side", choices=("plain", "musicrec"), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        run = plain if arguments.side == "plain" else ours
        speed = run(arguments.network, arguments.width, arguments.folder, arguments.batch_size, arguments.steps)
        print(json.dumps({"steps_per_s": speed}))
        return

    speeds: dict[str, list[float]] = {"plain": [], "musicrec": []}
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder))
        for turn in range(arguments.turns):
            for side in speeds:
                command = [sys.executable, __file__, *sys.argv[1:], "--side", side, "--folder", folder]
                done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
                speeds[side].append(json.loads(done.stdout.splitlines()[-1])["steps_per_s"])
                print(f"turn {turn + 1}, {side}: {speeds[side][-1]:.2f} steps/s", file=sys.stderr)

    table = Table(title=f"{arguments.network}, batch {arguments.batch_size}, {torch.get_num_threads()} threads")
    for column in ("side", "steps/s", "clips/s", "range of steps/s", "times plain"):
        table.add_column(column, justify="left" if column == "side" else "right")
    base = statistics.median(speeds["plain"])
    for side, values in speeds.items():
        speed = statistics.median(values)
        span = f"{min(values):.2f}–{max(values):.2f}"
        clips = f"{speed * arguments.batch_size:.1f}"
        table.add_row(side, f"{speed:.2f}", clips, span, f"{speed / base:.2f}")
    Console().print(table)
    print(f"precision of musicrec's side: {best_precision()}")


if __name__ == "__main__":
    main()
