"""Compare what can run a network: PyTorch in float32, bf16 and compiled, ONNX Runtime, and OpenVINO.

    python benchmarks/engines.py --exports tempo,key,musicnn_msd --recordings FOLDER

All sides answer the same chunks of real recordings, in turns, with the batches of `TrackAnalyzer`. Rates are chunks per
second of the network alone, the best of some turns; the spectrogram is the same for all sides, and its rate is printed,
too. Changes and agreement compare the answers for whole recordings with those of PyTorch in float32: the largest change
of a probability, of the embedding relative to its length, and the share of answers that are the same.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from musicrec.audio.decode import decode_track
from musicrec.audio.search import find_audio
from musicrec.config.explain import one_message
from musicrec.export import catalogue
from musicrec.export.chunk_batches import chunk_batches
from musicrec.export.description import Model
from musicrec.export.engines import Engine, OnnxEngine, OpenVinoEngine, Outputs, TorchEngine
from musicrec.export.folder import read_export
from musicrec.export.model_set import ModelSet
from musicrec.export.onnx_extras import is_installed
from musicrec.export.onnx_graph import network_graph
from musicrec.system.hardware import cpu_has_fast_bf16

CPU = torch.device("cpu")
SIDES = ("torch", "torch bf16", "torch compiled", "onnx", "openvino", "openvino bf16")
BATCHES = 2  # full batches that are timed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--exports", default="tempo,key")
    parser.add_argument("--recordings", type=Path, required=True, help="folder of audio files")
    parser.add_argument("--seconds", type=float, default=60.0, help="of each recording, from its middle")
    parser.add_argument("--sides", default=",".join(SIDES))
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--clock", choices=["wall", "processor"], default="wall")
    arguments = parser.parse_args()
    if arguments.threads is not None:
        torch.set_num_threads(arguments.threads)
    clock = time.perf_counter if arguments.clock == "wall" else time.process_time
    sides = [side for side in arguments.sides.split(",") if is_possible(side)]
    print("| model, side | chunks/s | times torch | largest change | embedding | same answers |")
    print("|---|---|---|---|---|---|")
    with one_message():
        waveforms: dict[int, list[Tensor]] = {}
        for name in arguments.exports.split(","):
            model = read_export(catalogue.resolve(name))
            rate = model.sample_rate
            if rate not in waveforms:
                waveforms[rate] = [
                    torch.from_numpy(
                        middle(
                            decode_track(arguments.recordings / path, sample_rate=rate).waveform,
                            arguments.seconds,
                            rate,
                        )
                    )
                    for path in sorted(find_audio(arguments.recordings).files)
                ]
            measure(name, model, waveforms[rate], sides, turns=arguments.turns, clock=clock)


def is_possible(side: str) -> bool:
    """Whether what a side needs is there."""
    if side.endswith("bf16") and not cpu_has_fast_bf16():
        return False
    extra = side.split()[0]
    return extra == "torch" or is_installed(extra)


def middle(waveform: np.ndarray, seconds: float, rate: int) -> np.ndarray:
    """Return the middle of a waveform."""
    size = min(len(waveform), round(seconds * rate))
    start = (len(waveform) - size) // 2
    return waveform[start : start + size]


@torch.inference_mode()
def measure(
    name: str,
    model: Model,
    waveforms: Sequence[Tensor],
    sides: Sequence[str],
    *,
    turns: int,
    clock: Callable[[], float],
) -> None:
    """Print a row per side."""
    models = ModelSet([model], device=CPU, engine="torch", precision="float32")
    model = models.models[0]
    size = models._chunks_per_batch(model)
    batches, owners = [], []
    begin = clock()
    for tracks, spectrogram in chunk_batches(model.network, model.frontend, waveforms, batch_size=size, device=CPU):
        batches.append(spectrogram)
        owners += tracks
    print(f"| {name}, spectrogram | {len(owners) / (clock() - begin):.1f} | | | | |")
    full = [batch for batch in batches if len(batch) == size][:BATCHES] or batches[:1]
    chunks = sum(len(batch) for batch in full)
    counts = [owners.count(track) for track in range(len(waveforms))]
    engines = {side: build(side, model, batches[0]) for side in sides}
    answers = {}
    for side, engine in engines.items():  # also compiles for the sizes of batches
        answers[side] = of_tracks(model, [engine(batch) for batch in batches], counts)
    best = dict.fromkeys(sides, float("inf"))
    for _ in range(turns):
        for side, engine in engines.items():
            begin = clock()
            for batch in full:
                engine(batch)
            best[side] = min(best[side], clock() - begin)
    embedding, expected = of_tracks(model, [TorchEngine(model.network, CPU)(batch) for batch in batches], counts)
    for side in sides:
        moved, found = answers[side]
        change = max(float((found[head] - expected[head]).abs().max()) for head in expected)
        turned = float(((moved - embedding).norm(dim=1) / embedding.norm(dim=1).clamp(min=1e-12)).max())
        same = [head.agrees(head.answer(found[head.name]), head.answer(expected[head.name])) for head in model.heads]
        share = float(torch.cat([one.float().flatten() for one in same]).mean())
        cells = [f"{chunks / best[side]:.1f}", f"{best[sides[0]] / best[side]:.2f}", f"{change:.1e}", f"{turned:.1e}"]
        print(f"| {name}, {side} | {' | '.join(cells)} | {share:.3f} |", flush=True)


def build(side: str, model: Model, spectrogram: Tensor) -> Engine:
    """Return the engine of a side."""
    if side == "torch compiled":
        return TorchEngine(torch.compile(model.network, dynamic=False), CPU)  # type: ignore[arg-type]
    if side.startswith("torch"):
        return TorchEngine(model.network, CPU, precision="bf16" if side.endswith("bf16") else "float32")
    example = spectrogram[:1].repeat(2, 1, 1, 1)
    with torch.inference_mode(False):
        graph = network_graph(model, example.clone())
    if side == "onnx":
        return OnnxEngine(model, graph, example.shape[2:])
    return OpenVinoEngine(model, graph, example.shape[2:], precision="bf16" if side.endswith("bf16") else "float32")


def of_tracks(model: Model, outputs: Sequence[Outputs], counts: Sequence[int]) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the embeddings of whole tracks (tracks, size), and their probabilities {head: (tracks, classes)}."""
    embedding = torch.cat([one.float() for one, _ in outputs]).split(list(counts))
    probabilities = {}
    for head in model.heads:
        values = torch.cat([head.probabilities(logits[head.name].float()) for _, logits in outputs])
        probabilities[head.name] = torch.stack(
            [head.calibrated(of_chunks.mean(dim=0)) for of_chunks in values.split(list(counts))]
        )
    return torch.stack([of_chunks.mean(dim=0) for of_chunks in embedding]), probabilities


if __name__ == "__main__":
    main()
