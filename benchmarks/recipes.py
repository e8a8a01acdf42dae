"""Count the operations of the recipes in experiments/published, and estimate their hours.

    python benchmarks/recipes.py
    python benchmarks/recipes.py --tflops 60 --throughput gpu.csv

The operations of a chunk are the multiplications and additions of mel spectrogram, network and (in training)
gradients, as torch.utils.flop_counter counts them. --throughput is the output of benchmarks/training.py --out: chunks
per second, and their share of the device's peak. The chunks per second give the hours on that device. The share gives
the hours on a GPU with --tflops by its data sheet: operations / (rate of the data sheet × share). This assumes that
training keeps the GPU as busy as the measured device.
"""

import argparse
import copy
import csv
from dataclasses import dataclass
from pathlib import Path

import torch
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.utils import instantiate
from torch.utils.flop_counter import FlopCounterMode

from musicrec.audio.chunks import chunk_starts
from musicrec.config.targets import TARGETS

CONF = Path(__file__).parents[1] / "conf"
MEASURED = Path(__file__).with_name("throughput.csv")
DATA_SHEET_TFLOPS = (19.5, 156.0, 312.0)  # NVIDIA A100: float32, TF32, bf16, the latter two of its tensor cores


@dataclass(frozen=True)
class Set:
    """Tracks in train, valid and test, seconds of the usual track, and outputs of the network."""

    train: int
    valid: int
    test: int
    duration_s: float
    outputs: int


SETS = {
    "magnatagatune_crnn": Set(15_247, 1_529, 4_332, 29.1, 50),
    "magnatagatune_short_chunk_resnet": Set(15_247, 1_529, 4_332, 29.1, 50),
    "mtg_jamendo_crnn": Set(32_136, 10_888, 11_356, 240.0, 50),
    "mtg_jamendo_short_chunk_resnet": Set(32_136, 10_888, 11_356, 240.0, 50),
    "fma_small": Set(6_400, 800, 800, 30.0, 8),
    "spotify_crnn": Set(8_000, 1_000, 1_000, 30.0, 50),  # what 10,000 tracks would take
    "spotify_short_chunk_resnet": Set(8_000, 1_000, 1_000, 30.0, 32),
}


def operations(
    network: torch.nn.Module, frontend: torch.nn.Module, samples: int, *, device: str = "cuda"
) -> tuple[float, float]:
    """Of one chunk: in training, and in evaluation. On torch.device("meta") a network computes nothing for it.

    device: where the front end would run; on a CPU the mel spectrogram takes an FFT, which is not counted.
    """
    place = "cpu" if device == "cpu" else "meta"
    with FlopCounterMode(display=False) as listening:
        bands = copy.deepcopy(frontend).to(place).power(torch.zeros(1, samples, device=place)).shape[1:]
    counts, inside = [], next(network.parameters()).device
    for training in (True, False):
        network.train(training)
        with FlopCounterMode(display=False) as counter, torch.set_grad_enabled(training):
            # Two, as batch normalisation wants more than one value in training.
            _, logits = network(torch.zeros(2, 1, *bands, device=inside))
            if training:
                sum(values.sum() for values in logits.values()).backward()
        counts.append(listening.get_total_flops() + counter.get_total_flops() / 2)
    return counts[0], counts[1]


def read_throughput(path: Path) -> dict[tuple[str, str], tuple[float, float]]:
    """{(network, "training" or "evaluation"): (chunks per second, share of the peak)} of musicrec's side."""
    with path.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["side"] == "musicrec"]
    return {(row["network"], row["pass"]): (float(row["clips_per_s"]), float(row["share"])) for row in rows}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--tflops",
        type=float,
        nargs="+",
        default=DATA_SHEET_TFLOPS,
        help="rates of GPUs in TFLOP/s, from their data sheets",
    )
    parser.add_argument("--throughput", type=Path, default=MEASURED, help="measured speeds (default %(default)s)")
    parser.add_argument("--recipes", nargs="+", choices=SETS, default=list(SETS), metavar="NAME")
    options = parser.parse_args()
    if not options.throughput.is_file():
        parser.error(f"--throughput {options.throughput}: no such file; benchmarks/training.py --out writes it")
    throughput = read_throughput(options.throughput)
    GlobalHydra.instance().clear()
    columns = [
        "recipe",
        "GFLOP a chunk, training / evaluation",
        "chunks, training / evaluation",
        "PFLOP",
        "h as measured",
    ]
    columns += [f"GPU h at {rate:g} TFLOP/s" for rate in options.tflops]
    print(f"| {' | '.join(columns)} |")
    print("|---" * len(columns) + "|")
    with initialize_config_dir(str(CONF)):
        for name in options.recipes:
            cfg, size = compose("train", overrides=[f"+experiment/published={name}"]), SETS[name]
            with torch.device("meta"):
                network = instantiate(cfg.model, _execution_whitelist_=TARGETS)({"head": size.outputs})
            frontend = instantiate(cfg.frontend, _execution_whitelist_=TARGETS)
            samples = round(size.duration_s * cfg.frontend.sample_rate)
            of_track = len(chunk_starts(samples, cfg.model.chunk_samples, cfg.data.get("eval_chunks")))
            costs = operations(network, frontend, cfg.model.chunk_samples)
            chunks = (
                cfg.trainer.max_epochs * size.train * cfg.data.chunks_per_track,
                (cfg.trainer.max_epochs * size.valid + size.test) * of_track,
            )
            needed = [(type(network).__name__, of) for of in ("training", "evaluation")]
            if missing := [" ".join(row) for row in needed if row not in throughput]:
                parser.error(f"--throughput {options.throughput}: no row of {' and '.join(missing)}")
            speeds, shares = zip(*(throughput[row] for row in needed), strict=True)
            measured_h = sum(count / speed for count, speed in zip(chunks, speeds, strict=True)) / 3600
            cells = [
                name,
                " / ".join(f"{cost / 1e9:.1f}" for cost in costs),
                f"{' / '.join(f'{count / 1e6:.2f}' for count in chunks)} M",
                f"{sum(count * cost for count, cost in zip(chunks, costs, strict=True)) / 1e15:.0f}",
                f"{measured_h:.{int(measured_h < 10)}f}",
            ]
            for rate in options.tflops:
                parts = zip(chunks, costs, shares, strict=True)
                cells.append(f"{sum(count * cost / share for count, cost, share in parts) / rate / 3.6e15:.1f}")
            print(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
