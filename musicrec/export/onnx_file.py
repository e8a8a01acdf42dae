"""Write an export as one ONNX file, `model.onnx`, that runs wherever ONNX does: front end, network and activations."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from musicrec.errors import ExportError
from musicrec.export import checksums
from musicrec.export.description import Model, no_audio
from musicrec.export.folder import read_export, read_metrics
from musicrec.export.model_card import model_card
from musicrec.export.onnx_extras import require
from musicrec.export.onnx_graph import model_graph, output_names
from musicrec.export.precision import trial_music
from musicrec.heads.frames import is_frame_wise
from musicrec.system.atomic_write import atomic_write, write_text

if TYPE_CHECKING:
    import onnx

FILE = "model.onnx"
FORMAT = "musicrec-onnx/1"
TOLERANCE = 1e-4
"""The most by which a probability may differ from PyTorch's, and an embedding, relative to its largest value."""

_LENGTHS = (1.3, 0.9)  # of a chunk, that a graph for any length is tried on
_LENGTH = "samples"  # the name of that dimension


def write_onnx(export: str | Path, *, out: str | Path | None = None) -> Path:
    """Write `model.onnx` of an export, after comparing its answers with PyTorch's.

    The file takes waveforms `waveform` (batch, samples) float32 in [-1, 1] and returns `embedding` (batch, size) and
    the probabilities `<head>` (batch, classes) of each head, without calibration; of frame-wise heads (batch, classes,
    frames). Its metadata has the key `musicrec`: JSON with the sample rate, the length of a chunk, the classes of the
    heads and the frames per second of frame-wise heads.

    Args:
        export: The export folder.
        out: The file to write; None for `model.onnx` in the folder, which its model card and checksums then name.

    Returns:
        The file.

    Raises:
        ExportError: The extra `onnx` is not installed, the network has operations that ONNX lacks, its answers differ,
            the folder is damaged, or the file cannot be written.
    """
    require("onnx", what=FILE, otherwise="use the export as it is")
    model, folder = read_export(export), Path(export)
    if out is not None:
        _write(model, Path(out))
        return Path(out)
    metrics, has_checksums = read_metrics(folder), (folder / checksums.FILE).is_file()
    damage = checksums.find_damage(folder, besides=FILE) if has_checksums else []
    if damage:  # or new checksums would be those of the damaged files
        raise ExportError(f"{damage[0]}; make or fetch the export again")
    _write(model, folder / FILE)
    write_text(folder / "README.md", model_card(model.config, metrics, has_onnx=True), error=ExportError)
    if has_checksums:
        checksums.write_checksums(folder)
    return folder / FILE


def _write(model: Model, path: Path) -> None:
    content = onnx_model(model).SerializeToString(deterministic=True)
    with atomic_write(path, "wb", error=ExportError) as file:
        file.write(content)


def onnx_model(model: Model) -> "onnx.ModelProto":
    """Return a model as ONNX, for waveforms of any length if the network allows, else for chunks.

    Args:
        model: The model, in eval mode, on the CPU.

    Raises:
        ExportError: The network has operations that ONNX lacks, its answers differ from PyTorch's, or it is a probe
            without its encoder, which hears no audio.
    """
    import onnx

    if not model.hears_audio:
        raise ExportError(no_audio(model.source))
    size = model.network.chunk_samples
    chunks = trial_music(3 * size, model.sample_rate).reshape(3, size)
    problem = ""
    for any_length in (True, False):
        lengths = [round(share * size) for share in _LENGTHS] if any_length else []
        waveforms = [chunks, *(trial_music(length, model.sample_rate)[None] for length in lengths)]
        try:
            graph = model_graph(model.for_inference(), chunks[:2], any_length=any_length)
        except ExportError as error:
            problem = str(error)
            continue
        problem = _difference(graph, model, waveforms)
        if not problem:
            break
    else:
        raise ExportError(f"{model.source}: {problem}")
    found = onnx.load_model_from_string(graph)
    about = {
        "format": FORMAT,
        "sample_rate": model.sample_rate,
        "chunk_samples": size,
        "heads": {head.name: list(head.classes) for head in model.heads},
        "frame_rates": {head.name: head.frame_rate for head in model.heads if is_frame_wise(head)},
        "licence": model.config.get("licence"),
    }
    onnx.helper.set_model_props(found, {"musicrec": json.dumps(about, ensure_ascii=False)})
    onnx.checker.check_model(found, full_check=True)
    return found


def takes_any_length(model: "onnx.ModelProto") -> bool:
    """Return whether a model from `onnx_model` takes waveforms of any length."""
    return model.graph.input[0].type.tensor_type.shape.dim[1].dim_param == _LENGTH


def _difference(graph: bytes, model: Model, waveforms: list[Tensor]) -> str:
    """Return where the answers of a graph differ from PyTorch's; "" if they are the same."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what is wrong is raised
    options.intra_op_num_threads = min(torch.get_num_threads(), os.cpu_count() or 1)
    try:
        session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        for waveform in waveforms:
            expected = _expected(model, waveform)
            for name, found in zip(output_names(model), session.run(None, {"waveform": waveform.numpy()}), strict=True):
                limit = TOLERANCE * max(1.0, float(np.abs(expected[name]).max()))
                if found.shape != expected[name].shape or not np.abs(found - expected[name]).max() <= limit:
                    return f"{name} of {FILE} differs from PyTorch's for {waveform.shape[1]} samples"
    except Exception as error:  # ONNX Runtime has its own types for what a graph cannot do
        return f"ONNX Runtime cannot run it: {(str(error).strip() or type(error).__name__).splitlines()[0]}"
    return ""


@torch.inference_mode()
def _expected(model: Model, waveform: Tensor) -> dict[str, np.ndarray]:
    """Return the outputs that a graph should have."""
    embedding, logits = model.network(model.frontend(waveform))
    probabilities = {head.name: head.probabilities(logits[head.name]).numpy() for head in model.heads}
    return {"embedding": embedding.numpy()} | probabilities
