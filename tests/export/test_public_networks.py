"""The networks of sota-music-tagging-models answer as the original code does, with weights under its names.

The weights and the waveform are formulas; `sota_networks.json` has the names and shapes of the original's tensors, and
what it answered. The order of the names, sorted, decides the running index that the formulas take.
"""

import json
import math
from pathlib import Path

import pytest
import torch

from musicrec.export.folder import read_export
from musicrec.export.public_names import ARCHITECTURES, MODEL_TYPES, checked_architecture
from musicrec.export.public_weights import import_checkpoint

GOLDEN = json.loads(Path(__file__).with_name("sota_networks.json").read_text())["networks"]
INPUT_NORMS = ("spec_bn", "hstft_bn")


def original_weights(shapes: dict[str, list[int]], gain: float) -> dict[str, torch.Tensor]:
    """Weights under the names of the original: the sine of the square of the running index, scaled by their kind."""
    weights, start = {}, 1
    for name in sorted(shapes):
        shape = shapes[name]
        index = torch.arange(start, start + math.prod(shape), dtype=torch.float64)
        wave = torch.sin(index**2).reshape(shape).float()
        start += math.prod(shape)
        leaf = name.rpartition(".")[2]
        if leaf == "running_mean":
            weights[name] = wave / 10 - (30 if name.startswith(INPUT_NORMS) else 0)
        elif leaf == "running_var":
            weights[name] = (400 if name.startswith(INPUT_NORMS) else 1) * (1 + wave / 4)
        elif len(shape) > 1:
            weights[name] = wave * gain / math.sqrt(math.prod(shape[1:]))
        else:
            weights[name] = wave / 10 + (0 if "bias" in leaf else 1)
    return weights


def original_waveform(samples: int) -> torch.Tensor:
    """A sweep through all frequencies, whose level rises and falls, and noise; (1, samples) float32."""
    index = torch.arange(samples, dtype=torch.float64)
    sweep = 0.4 * torch.sin(1e-4 * index**2) * torch.sin(2e-4 * index)
    return (sweep + 0.02 * torch.sin(index**2)).float()[None]


def test_every_network_of_the_repository_has_an_answer():
    assert {MODEL_TYPES.get(name, name) for name in GOLDEN} == set(ARCHITECTURES)
    assert {checked_architecture(name) for name in GOLDEN} == set(ARCHITECTURES)


@pytest.mark.parametrize("name", GOLDEN)
def test_answers_as_the_original(name, tmp_path):
    golden = GOLDEN[name]
    torch.save(original_weights(golden["shapes"], golden["gain"]), tmp_path / "best_model.pth")
    folder = import_checkpoint(
        tmp_path / "best_model.pth",
        architecture=name,
        classes=[f"tag {number}" for number in range(len(golden["outputs"]))],
        out=tmp_path / "export",
    )
    model = read_export(folder)
    with torch.inference_mode():
        _, logits = model.network(model.frontend(original_waveform(golden["samples"])))
    difference = logits["tags"].sigmoid()[0] - torch.tensor(golden["outputs"])
    assert difference.abs().max() < 1e-4
    assert max(golden["outputs"]) - min(golden["outputs"]) > 0.1, "answers that are alike would not tell networks apart"


@pytest.mark.parametrize("name", GOLDEN)
def test_size_of_the_original(name):
    with torch.device("meta"):
        network = ARCHITECTURES[checked_architecture(name)]({"tags": 50})
    assert sum(parameter.numel() for parameter in network.parameters()) == GOLDEN[name]["parameters"]
    chunk = network.chunk_samples
    assert chunk == GOLDEN[name]["samples"]
