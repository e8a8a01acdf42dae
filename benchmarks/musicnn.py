"""Compare MusiCNN in its compact form, which the analysis of tracks uses, with the plain network.

    OMP_NUM_THREADS=1 python benchmarks/musicnn.py --exports musicnn_mtt,musicnn_msd

Both sides answer the same batches of patches of noise with the loudness of music, in turns, and so does ReLU and batch
normalisation after the maximum alone, with all filters. Times are processor seconds of one thread per minute of audio,
the smallest of some turns; without the spectrogram, which is measured for comparison.
"""

import argparse
import time
from collections.abc import Callable

import torch
from torch import Tensor

from musicrec.config.explain import one_message
from musicrec.export import catalogue
from musicrec.export.folder import read_export
from musicrec.models._musicnn_compact import CompactMusiCNN


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--exports", default="musicnn_mtt,musicnn_msd")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--turns", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with one_message():
        models = {name: read_export(catalogue.resolve(name)) for name in arguments.exports.split(",")}
    print("| network | CPU s per minute | times plain | filters | largest change of a logit |")
    print("|---|---|---|---|---|")
    for name, model in models.items():
        network, frontend = model.network, model.frontend
        samples = network.chunk_samples
        waveform = 0.2 * torch.randn(arguments.batch_size, samples, generator=torch.Generator().manual_seed(0))
        everything = CompactMusiCNN(network, tolerance=-1.0)
        sides: dict[str, Callable[[Tensor], object]] = {
            "plain": network,
            "maximum first": everything,
            "compact": network.for_inference(),
            "spectrogram": lambda _, frontend=frontend, waveform=waveform: frontend(waveform),
        }
        with torch.inference_mode():
            spectrogram = frontend(waveform)
            plain = network(spectrogram)[1]
            best = dict.fromkeys(sides, float("inf"))
            for _ in range(arguments.turns):
                for side, run in sides.items():
                    begin = time.process_time()
                    run(spectrogram)
                    best[side] = min(best[side], time.process_time() - begin)
            minutes = arguments.batch_size * network.chunk_frames * frontend.hop_length / frontend.sample_rate / 60
            for side, run in sides.items():
                cells = [f"{name}, {side}", f"{best[side] / minutes:.3f}", f"{best[side] / best['plain']:.2f}", "", ""]
                if side != "spectrogram":
                    cells[3] = str(len(run.live) if isinstance(run, CompactMusiCNN) else len(everything.live))
                    cells[4] = f"{max((run(spectrogram)[1][head] - plain[head]).abs().max() for head in plain):.0e}"
                print(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
