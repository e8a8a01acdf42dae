"""What the recipes of experiments/published cost: operations, counted, and hours, reckoned from them.

    python benchmarks/recipes.py
    python benchmarks/recipes.py --tflops 30

Operations of a chunk: multiplications and additions of mel spectrogram, network and (in training) gradients, as
torch.utils.flop_counter counts them. Hours on a GPU: all operations at --tflops, what the GPU keeps up; 15.6 is a tenth
of the 156 TFLOP/s of an NVIDIA A100 (TF32), an assumption. Hours on a CPU: at the chunks a second that
benchmarks/training.py measured on four cores.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import torch
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.utils import instantiate
from torch.utils.flop_counter import FlopCounterMode

from musicrec.chunks import chunk_starts
from musicrec.cli import TARGETS

CONF = Path(__file__).parents[1] / "conf"
MEASURED_CHUNKS_PER_S = {"CRNN": 7.1, "ShortChunkResNet": 13.5}  # benchmarks/README.md


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


def operations(network: torch.nn.Module, frontend: torch.nn.Module, samples: int) -> tuple[float, float]:
    """Of one chunk: in training, and in evaluation."""
    with FlopCounterMode(display=False) as listening:
        shape = frontend(torch.zeros(1, samples)).shape
    counts = []
    for training in (True, False):
        network.train(training)
        with FlopCounterMode(display=False) as counter, torch.set_grad_enabled(training):
            # Two, as batch normalisation wants more than one value in training; without storage nothing is computed.
            _, logits = network(torch.zeros(2, *shape[1:], device="meta"))
            if training:
                sum(values.sum() for values in logits.values()).backward()
        counts.append(listening.get_total_flops() + counter.get_total_flops() / 2)
    return counts[0], counts[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tflops", type=float, default=15.6, help="of the GPU, sustained")
    parser.add_argument("--recipes", nargs="+", choices=SETS, default=list(SETS), metavar="NAME")
    options = parser.parse_args()
    GlobalHydra.instance().clear()
    print("| recipe | GFLOP a chunk, training / evaluation | chunks, training / evaluation | PFLOP | GPU h | CPU h |")
    print("|---|---|---|---|---|---|")
    with initialize_config_dir(str(CONF)):
        for name in options.recipes:
            cfg, size = compose("train", overrides=[f"+experiment/published={name}"]), SETS[name]
            with torch.device("meta"):
                network = instantiate(cfg.model, _execution_whitelist_=TARGETS)({"head": size.outputs})
            frontend = instantiate(cfg.frontend, _execution_whitelist_=TARGETS)
            samples = round(size.duration_s * cfg.frontend.sample_rate)
            of_track = len(chunk_starts(samples, cfg.model.chunk_samples, cfg.data.get("eval_chunks")))
            trained, evaluated = operations(network, frontend, cfg.model.chunk_samples)
            chunks = cfg.trainer.max_epochs * size.train * cfg.data.chunks_per_track
            others = (cfg.trainer.max_epochs * size.valid + size.test) * of_track
            total = chunks * trained + others * evaluated
            measured = MEASURED_CHUNKS_PER_S[type(network).__name__] * trained
            cells = (
                name,
                f"{trained / 1e9:.1f} / {evaluated / 1e9:.1f}",
                f"{chunks / 1e6:.2f} / {others / 1e6:.2f} M",
                f"{total / 1e15:.0f}",
                f"{total / options.tflops / 3.6e15:.1f}",
                f"{total / measured / 3600:.0f}",
            )
            print(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
