"""Trace models into ONNX graphs: a network alone, which engines run, or with its front end, which runs anywhere."""

import io
import threading
import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from musicrec.errors import ExportError
from musicrec.export.description import Model

OPSET = 17
"""The version of ONNX's operators. 17 is the first one with the Fourier transform of the front ends."""

_exporter = threading.Lock()  # PyTorch's exporter keeps its settings in globals


def network_graph(model: Model, spectrogram: Tensor) -> bytes:
    """Trace a network for spectrograms of one length, in batches of any size.

    Args:
        model: The model, in its form for inference and in eval mode.
        spectrogram: An example, (2 or more, 1, n_mels, frames) float32 on the CPU.

    Returns:
        A graph from `spectrogram` to `embedding` (batch, size) and the logits `<head>` (batch, classes) of each head.

    Raises:
        ExportError: The network has operations that ONNX lacks.
    """
    dynamic = {"spectrogram": {0: "batch"}}
    return _trace(_Network(model), spectrogram, names=["spectrogram", *output_names(model)], dynamic=dynamic)


def model_graph(model: Model, waveform: Tensor, *, any_length: bool) -> bytes:
    """Trace a model with its front end.

    Args:
        model: The model, in its form for inference and in eval mode.
        waveform: An example, (2 or more, samples) float32 on the CPU.
        any_length: Leave the number of samples open.

    Returns:
        A graph from `waveform` (batch, samples) to `embedding` (batch, size) and the probabilities `<head>`
        (batch, classes) of each head, without calibration.

    Raises:
        ExportError: The model has operations that ONNX lacks.
    """
    dynamic = {"waveform": {0: "batch", 1: "samples"} if any_length else {0: "batch"}}
    return _trace(_Whole(model), waveform, names=["waveform", *output_names(model)], dynamic=dynamic)


def output_names(model: Model) -> list[str]:
    """Return the names of the outputs of a graph: "embedding", and the heads."""
    return ["embedding", *(head.name for head in model.heads)]


class _Network(nn.Module):
    """A network whose outputs are a tuple: the embedding, and the logits of each head."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.network, self.heads = model.network, model.heads

    def forward(self, spectrogram: Tensor) -> tuple[Tensor, ...]:
        embedding, logits = self.network(spectrogram)
        return embedding, *(logits[head.name] for head in self.heads)


class _Whole(nn.Module):
    """Front end, network and activations."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.frontend, self.network, self.heads = model.frontend, model.network, model.heads

    def forward(self, waveform: Tensor) -> tuple[Tensor, ...]:
        embedding, logits = self.network(self.frontend(waveform))
        return embedding, *(head.probabilities(logits[head.name]) for head in self.heads)


def _trace(module: nn.Module, example: Tensor, *, names: Sequence[str], dynamic: dict[str, Any]) -> bytes:
    """Return the serialised graph. The first of the names is that of the input.

    PyTorch's older exporter does it: the newer one (`dynamo=True`) refuses four of six networks with their front ends,
    takes several times as long, and needs two more packages.
    """
    buffer = io.BytesIO()
    module.eval()
    with _exporter, warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # sizes become constants, which the callers check
        try:
            module(example)  # what networks cache by length must be there before
            torch.onnx.export(
                module,
                (example,),
                buffer,  # type: ignore[arg-type]  # this exporter takes files, too
                dynamo=False,
                verbose=False,  # else a graph that fails is printed
                opset_version=OPSET,
                input_names=[names[0]],
                output_names=list(names[1:]),
                dynamic_axes=dynamic | {name: {0: "batch"} for name in names[1:]},
            )
        except Exception as error:  # the exporter raises many types
            said = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise ExportError(f"the network or its front end cannot be written as ONNX: {said}") from None
    return buffer.getvalue()
