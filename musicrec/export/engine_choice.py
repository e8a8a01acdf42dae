"""Choose what runs each model: the fastest engine that is installed and gives the same answers."""

import os

import torch

from musicrec.config.value_check import check_choice
from musicrec.errors import ConfigError, ExportError
from musicrec.export.description import Model
from musicrec.export.engines import Engine, OnnxEngine, OpenVinoEngine, TorchEngine
from musicrec.export.onnx_extras import is_installed, require
from musicrec.export.onnx_graph import network_graph
from musicrec.export.precision import EngineTrial, has_fast_bf16

ENGINES = ("auto", "torch", "onnx", "openvino", "fastest")
VARIABLE = "MUSICREC_ENGINE"
"""The environment variable that says what "auto" stands for; "torch" if it is not set.

Making the graphs of the other engines takes a second or two when models are loaded, which pays only for more than an
hour of audio.
"""


def check_engine(engine: str, device: torch.device) -> str:
    """Check the name of an engine.

    Args:
        engine: One of `ENGINES`.
        device: Where the models run.

    Returns:
        The engine; for "auto", what the environment variable MUSICREC_ENGINE says.

    Raises:
        ConfigError: There is no such engine, or it does not run on the device.
        ExportError: Its packages are not installed.
    """
    check_choice("engine", engine, ENGINES)
    key = "engine"
    if engine == "auto":
        engine, key = os.environ.get(VARIABLE) or "torch", VARIABLE
        check_choice(key, engine, ENGINES[1:])
    if engine in ("onnx", "openvino"):
        if device.type != "cpu":
            if key == VARIABLE:
                return "torch"
            raise ConfigError(
                f"engine={engine}: runs on a CPU, not on device={device}; choose device=cpu or engine=torch"
            )
        require(engine, what=f"{key}={engine}", otherwise=f"choose {key}=torch")
    return engine


def choose_engine(model: Model, device: torch.device, *, engine: str = "fastest", precision: str = "auto") -> Engine:
    """Return what runs a model.

    Args:
        model: The model in its form for inference, on the device.
        device: The device.
        engine: An engine from `check_engine`; "fastest" for the fastest one that is installed, on a CPU.
        precision: "float32"; or "auto" for bf16 where the device computes it fast and the answers stay the same.

    Raises:
        ExportError: The engine that was asked for cannot run the model, or gives other answers.
    """
    in_torch = TorchEngine(model.network, device)
    candidates = _by_speed(model, device, fast_bf16=precision == "auto" and has_fast_bf16(device))
    if engine != "fastest":
        candidates = [candidate for candidate in candidates if candidate[0] == engine]
    if candidates[0] == ("torch", "float32"):
        return in_torch
    trial, graph, problem = EngineTrial(model, device), None, "gives other answers than PyTorch"
    for name, in_precision in candidates:
        if (name, in_precision) == ("torch", "float32"):
            return in_torch
        if name != "torch" and graph is None:
            try:
                graph = network_graph(model, trial.spectrogram[:2].clone())
            except ExportError as error:
                graph, problem = b"", str(error)
        if name == "torch" or graph:
            found = _build(name, in_precision, model, device, graph or b"", trial)
            if trial.keeps_answers(found):
                return found
    if engine != "fastest":
        raise ExportError(f"{model.source}: engine={engine}: {problem}; choose engine=torch")
    return in_torch


def _by_speed(model: Model, device: torch.device, *, fast_bf16: bool) -> list[tuple[str, str]]:
    """Return engines that are installed and their precisions, the fastest one first, as measured (docs/engines.md)."""
    if device.type != "cpu":
        return [("torch", "bf16"), ("torch", "float32")][not fast_bf16 :]
    order = [("openvino", "bf16"), ("torch", "bf16")] if fast_bf16 else []
    tuned = getattr(model.network, "tuned_for_torch", False)
    in_float32 = ("torch", "openvino", "onnx") if tuned else ("openvino", "onnx", "torch")
    order += [(name, "float32") for name in in_float32]
    return [(name, precision) for name, precision in order if name == "torch" or is_installed(name)]


def _build(name: str, precision: str, model: Model, device: torch.device, graph: bytes, trial: EngineTrial) -> Engine:
    if name == "torch":
        return TorchEngine(model.network, device, precision=precision)
    shape = trial.spectrogram.shape[2:]
    if name == "onnx":
        return OnnxEngine(model, graph, shape)
    return OpenVinoEngine(model, graph, shape, precision=precision)
