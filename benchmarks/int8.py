"""Measure networks with 8-bit weights: speed, size, and what they lose on a labelled corpus.

    OMP_NUM_THREADS=1 python benchmarks/int8.py --exports tempo,key --manifest CORPUS/manifest.csv

ONNX Runtime quantises the graph of each network: "int8 dynamic" the weights of linear layers, "int8 static" weights and
activations of all layers, with ranges from tracks of the split `valid`. Rates are chunks per second of processor time.
"""

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnxruntime
import polars as pl
import torch
from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_dynamic, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from musicrec.audio.decode import decode_track
from musicrec.config.explain import one_message
from musicrec.data.manifest import read_manifest
from musicrec.export import catalogue
from musicrec.export.chunk_batches import chunk_batches
from musicrec.export.description import Model
from musicrec.export.folder import read_export
from musicrec.export.onnx_extras import is_installed
from musicrec.export.onnx_graph import network_graph

CPU = torch.device("cpu")
BATCH, CALIBRATION = 8, 12  # chunks per batch; batches from which the ranges of activations are taken

Run = Callable[[np.ndarray], Sequence[np.ndarray]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--exports", default="tempo,key")
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--tracks", type=int, default=150, help="most tracks per split")
    parser.add_argument("--turns", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print("| model, weights, engine | chunks/s | MB | valid | test |")
    print("|---|---|---|---|---|")
    with one_message(), TemporaryDirectory() as folder:
        manifest = read_manifest(arguments.manifest)
        for name in arguments.exports.split(","):
            model = read_export(catalogue.resolve(name)).for_inference()
            splits = {split: Split(model, manifest, split, arguments) for split in ("valid", "test")}
            for weights, file in write_graphs(model, splits["valid"].batches, Path(folder)).items():
                for engine, run in runs(file).items():
                    rate = BATCH / fastest(run, splits["valid"].batches[0], turns=arguments.turns)
                    scores = {split: of.scores(run) for split, of in splits.items()}
                    size = file.stat().st_size / 1e6
                    shown = [
                        ", ".join(f"{metric} {value:.3f}" for metric, value in scores[split].items())
                        for split in splits
                    ]
                    print(
                        f"| {name}, {weights}, {engine} | {rate:.0f} | {size:.2f} | {' | '.join(shown)} |", flush=True
                    )


class Split:
    """The spectrograms and labels of a split."""

    def __init__(self, model: Model, manifest: pl.DataFrame, split: str, arguments: argparse.Namespace) -> None:
        rows = manifest.filter(pl.col("split") == split).head(arguments.tracks)
        folder = arguments.manifest.parent
        waveforms = [
            torch.from_numpy(decode_track(folder / path, sample_rate=model.sample_rate).waveform)
            for path in rows["path"]
        ]
        owners, self.batches = [], []
        parts = chunk_batches(model.network, model.frontend, waveforms, batch_size=BATCH, device=CPU)
        for tracks, spectrogram in parts:
            self.batches.append(spectrogram.numpy())
            owners += tracks
        self.counts = [owners.count(track) for track in range(len(waveforms))]
        self.heads, self.targets = model.heads, {head.name: head.encode(rows) for head in model.heads}

    def scores(self, run: Run) -> dict[str, float]:
        """Return the metrics by which heads are compared, by "head/metric"."""
        outputs, scores = [run(batch) for batch in self.batches], {}
        for number, head in enumerate(self.heads, start=1):
            logits = torch.from_numpy(np.concatenate([output[number] for output in outputs]))
            of_tracks = [chunks.mean(dim=0) for chunks in head.probabilities(logits).split(self.counts)]
            probabilities = torch.stack([head.calibrated(one) for one in of_tracks])
            overall = head.score(probabilities, self.targets[head.name]).overall
            scores |= {f"{head.name}/{metric}": float(overall[metric]) for metric in head.comparison_metrics}
        return scores


class Calibration(CalibrationDataReader):
    """Gives batches to ONNX Runtime."""

    def __init__(self, batches: Sequence[np.ndarray]) -> None:
        self._batches: Iterator[np.ndarray] = iter(batches)

    def get_next(self) -> dict[str, np.ndarray] | None:
        batch = next(self._batches, None)
        return None if batch is None else {"spectrogram": batch}


def write_graphs(model: Model, batches: Sequence[np.ndarray], folder: Path) -> dict[str, Path]:
    """Return the files of the graph in float32, and with 8-bit weights."""
    files = {weights: folder / f"{weights}.onnx" for weights in ("float32", "prepared", "int8 dynamic", "int8 static")}
    files["float32"].write_bytes(network_graph(model, torch.from_numpy(batches[0][:2].copy())))
    prepared = files.pop("prepared")
    quant_pre_process(files["float32"], prepared, skip_symbolic_shape=True)
    quantize_dynamic(
        prepared, files["int8 dynamic"], weight_type=QuantType.QInt8, op_types_to_quantize=["MatMul", "Gemm"]
    )
    reader = Calibration(batches[:CALIBRATION])
    types = {"activation_type": QuantType.QUInt8, "weight_type": QuantType.QInt8}
    quantize_static(prepared, files["int8 static"], reader, per_channel=True, **types)
    return files


def runs(file: Path) -> dict[str, Run]:
    """Return the engines that run a file, on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    found: dict[str, Run] = {"onnx": lambda batch: session.run(None, {"spectrogram": batch})}
    if is_installed("openvino"):
        from musicrec.export.engines import _import_openvino

        core = _import_openvino().Core()
        compiled = core.compile_model(core.read_model(file), "CPU", {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1})
        request = compiled.create_infer_request()
        found["openvino"] = lambda batch: list(request.infer([batch]).values())
    return found


def fastest(run: Run, batch: np.ndarray, *, turns: int) -> float:
    """Return the least processor time of a batch, in seconds."""
    run(batch)
    times = []
    for _ in range(turns):
        begin = time.process_time()
        run(batch)
        times.append(time.process_time() - begin)
    return min(times)


if __name__ == "__main__":
    main()
