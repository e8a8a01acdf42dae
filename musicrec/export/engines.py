"""What runs a network: PyTorch, ONNX Runtime or OpenVINO, each with the same answers."""

import os
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from musicrec.export.description import Model
from musicrec.models import Network

_importing, _ABSENT = threading.Lock(), object()

Outputs = tuple[Tensor, dict[str, Tensor]]
"""The embedding (chunks, size) and the logits {head: (chunks, classes)}, or (chunks, classes, frames), of a batch."""


class Engine(Protocol):
    """What runs a network.

    Attributes:
        name: "torch", "onnx" or "openvino".
        precision: "float32" or "bf16".
    """

    name: str
    precision: str

    def __call__(self, spectrogram: Tensor) -> Outputs:
        """Run the network on spectrograms (chunks, 1, n_mels, frames) float32, on its device."""
        ...


class TorchEngine:
    """PyTorch.

    Args:
        network: The network, on its device.
        device: The device.
        precision: "float32" or "bf16".
    """

    name = "torch"

    def __init__(self, network: Network, device: torch.device, *, precision: str = "float32") -> None:
        self._network, self._device, self.precision = network, device, precision

    def __call__(self, spectrogram: Tensor) -> Outputs:
        """Run the network.

        In bf16 without inference mode: there, PyTorch 2.11 multiplies the states of transformers chunk by chunk, and
        copies the weights for each, which takes ten times as long.
        """
        if self.precision != "bf16":
            return self._network(spectrogram)
        with torch.inference_mode(False), torch.no_grad(), torch.autocast(self._device.type, dtype=torch.bfloat16):
            return self._network(spectrogram)


class OnnxEngine:
    """ONNX Runtime on the CPU, in float32.

    The graph is made from the weights of the model, never read from a file, so that a graph cannot answer otherwise
    than the weights that were checked.

    Args:
        model: The model, for spectrograms of another length.
        graph: What `network_graph` returns.
        shape: Bands and frames that the graph is for.
    """

    name = "onnx"
    precision = "float32"

    def __init__(self, model: Model, graph: bytes, shape: Sequence[int]) -> None:
        self._graph = graph
        self._run = _Runner(model, shape, self._session)

    def __call__(self, spectrogram: Tensor) -> Outputs:
        """Run the network."""
        return self._run(spectrogram)

    def _session(self, threads: int) -> Callable[[np.ndarray], Sequence[np.ndarray]]:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 3  # errors, which are raised, too
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # other threads decode
        session = onnxruntime.InferenceSession(self._graph, options, providers=["CPUExecutionProvider"])
        return lambda array: session.run(None, {"spectrogram": array})


class OpenVinoEngine:
    """OpenVINO on the CPU.

    Args:
        model: The model, for spectrograms of another length.
        graph: What `network_graph` returns.
        shape: Bands and frames that the graph is for.
        precision: "float32" or "bf16".
    """

    name = "openvino"

    def __init__(self, model: Model, graph: bytes, shape: Sequence[int], *, precision: str = "float32") -> None:
        self.precision, self._graph, self._shape = precision, graph, shape
        self._run = _Runner(model, shape, self._requests)

    def __call__(self, spectrogram: Tensor) -> Outputs:
        """Run the network."""
        return self._run(spectrogram)

    def _requests(self, threads: int) -> Callable[[np.ndarray], Sequence[np.ndarray]]:
        core = _import_openvino().Core()
        network = core.read_model(self._graph)
        network.reshape([-1, 1, *self._shape])
        streams = max(1, len(os.sched_getaffinity(0)) // threads)  # as many calls at a time as there are processors
        compiled = core.compile_model(
            network,
            "CPU",
            {
                "INFERENCE_PRECISION_HINT": "bf16" if self.precision == "bf16" else "f32",
                "INFERENCE_NUM_THREADS": streams * threads,
                "NUM_STREAMS": streams,
                "ENABLE_CPU_PINNING": False,
            },
        )
        idle: list[Any] = []  # requests; each serves one call at a time

        def infer(array: np.ndarray) -> list[np.ndarray]:
            try:
                request = idle.pop()
            except IndexError:
                request = compiled.create_infer_request()
            results = request.infer([array], share_inputs=True)
            answers = [np.array(results[output]) for output in compiled.outputs]
            idle.append(request)
            return answers

        return infer


def _import_openvino() -> Any:
    """Import OpenVINO without its package `openvino_telemetry`, by which every import reports to its makers."""
    with _importing:
        absent = sys.modules.get("openvino_telemetry", _ABSENT)
        sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # importing it now raises ImportError
        try:
            import openvino
        finally:
            if absent is _ABSENT:
                del sys.modules["openvino_telemetry"]
            else:
                sys.modules["openvino_telemetry"] = absent  # type: ignore[assignment]
    return openvino


class _Runner:
    """Runs a compiled graph from tensors to tensors, compiled once for each number of threads.

    The number of threads is that of PyTorch at the time of a call: all for a single track, and one for each of many
    tracks that are analysed at a time.
    """

    def __init__(
        self, model: Model, shape: Sequence[int], compile_for: Callable[[int], Callable[[np.ndarray], Sequence]]
    ) -> None:
        self._network, self._heads, self._shape = model.network, [head.name for head in model.heads], tuple(shape)
        self._compile, self._lock = compile_for, threading.Lock()
        self._compiled: dict[int, Callable[[np.ndarray], Sequence]] = {}

    def __call__(self, spectrogram: Tensor) -> Outputs:
        if tuple(spectrogram.shape[2:]) != self._shape:
            return self._network(spectrogram)
        threads = torch.get_num_threads()
        with self._lock:
            if threads not in self._compiled:
                self._compiled[threads] = self._compile(threads)
            run = self._compiled[threads]
        embedding, *logits = (torch.from_numpy(answer) for answer in run(spectrogram.contiguous().numpy()))
        return embedding, dict(zip(self._heads, logits, strict=True))
