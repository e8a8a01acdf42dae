"""Networks whose authors use Keras answer as Keras does (3.15.1 on PyTorch), with weights that are a formula."""

import math

import torch

from musicrec.models.genre_slice_cnn import GenreSliceCNN
from musicrec.models.gtzan_cnn import GtzanCNN

NORM = ("gamma", "beta", "moving_mean", "moving_variance")
PARTS = {
    "kernel": "weight",
    "bias": "bias",
    **dict(zip(NORM, ("weight", "bias", "running_mean", "running_var"), strict=True)),
}

# What the published code answers to two examples of `image`: the probabilities of its classes.
GTZAN = [
    [0.087723, 0.137113, 0.108744, 0.079827, 0.088983, 0.060646, 0.136322, 0.095683, 0.096562, 0.108398],
    [0.085319, 0.131807, 0.113055, 0.088062, 0.086194, 0.063308, 0.131318, 0.096257, 0.095595, 0.109084],
]
SLICES = [
    [0.046068, 0.034932, 0.382251, 0.02246, 0.025995, 0.010701, 0.389791, 0.087802],
    [0.045518, 0.035061, 0.391546, 0.025622, 0.027807, 0.010932, 0.373675, 0.089838],
]


def keras_weights(shapes: list[tuple[str, tuple[int, ...]]], gain: float) -> list[tuple[str, torch.Tensor]]:
    """The sine of the square of the running index over all weights in Keras's order, scaled by their kind."""
    weights, start = [], 1
    for part, shape in shapes:
        index = torch.arange(start, start + math.prod(shape), dtype=torch.float64)
        wave = torch.sin(index**2).reshape(shape)
        start += math.prod(shape)
        if part == "kernel":
            wave = wave * gain / math.sqrt(math.prod(shape[:-1]))
        elif part == "moving_variance":
            wave = 1 + wave / 4
        else:
            wave = wave / 10 + (1 if part == "gamma" else 0)
        weights.append((part, wave.float()))
    return weights


def image(*shape: int) -> torch.Tensor:
    index = torch.arange(math.prod(shape), dtype=torch.float64)
    return (torch.sin(index**2) + torch.sin(index / 7)).reshape(shape).float()


def load(network: torch.nn.Module, modules: list[str], weights: list[tuple[str, torch.Tensor]]) -> None:
    """Load Keras's weights, whose order is that of the modules."""
    state, modules = network.state_dict(), iter(modules)
    for part, value in weights:
        if part in ("kernel", "gamma"):  # the first weight of a layer
            module = next(modules)
        name = f"{module}.{PARTS[part]}"
        assert state[name].shape == value.shape, name
        state[name] = value
    assert next(modules, None) is None
    network.load_state_dict(state)


def norm(channels: int) -> list[tuple[str, tuple[int, ...]]]:
    return [(part, (channels,)) for part in NORM]


def layer(*shape: int) -> list[tuple[str, tuple[int, ...]]]:
    return [("kernel", shape), ("bias", shape[-1:])]


def test_gtzan_cnn():
    """Keras hears (frames, coefficients, 1), and flattens (places, 1, channels)."""
    shapes = [*layer(3, 3, 1, 32), *norm(32), *layer(3, 3, 32, 32), *norm(32), *layer(2, 2, 32, 32), *norm(32)]
    weights = keras_weights([*shapes, *layer(480, 64), *layer(64, 10)], gain=1)
    turned = []
    for part, value in weights:
        if value.ndim == 4:
            value = value.permute(3, 2, 1, 0)
        elif value.shape == (480, 64):
            value = value.reshape(15, 1, 32, 64).permute(3, 2, 1, 0).flatten(1)
        turned.append((part, value.T if value.shape == (64, 10) else value))
    network = GtzanCNN({"genre": 10}).eval()
    modules = [f"blocks.{block}.{part}" for block in range(3) for part in ("conv", "norm")]
    load(network, [*modules, "hidden", "classifier.linears.genre"], turned)
    network.coefficients = lambda heard: heard  # which are compared with SciPy's elsewhere
    with torch.inference_mode():
        _, logits = network(image(2, 130, 13, 1).permute(0, 3, 2, 1))
    torch.testing.assert_close(logits["genre"].softmax(dim=1), torch.tensor(GTZAN), atol=1e-4, rtol=0)


def test_genre_slice_cnn():
    """Keras hears (bands, frames, 1), and flattens (2, 2, channels)."""
    shapes = [*layer(7, 7, 1, 64), *norm(64), *layer(7, 7, 64, 128), *norm(128), *layer(3, 3, 128, 256), *norm(256)]
    shapes += [*layer(3, 3, 256, 512), *norm(512), *norm(512), *norm(2048), *layer(2048, 1024), *layer(1024, 256)]
    shapes += [*layer(256, 64), *layer(64, 32), *layer(32, 8)]
    turned = []
    for part, value in keras_weights(shapes, gain=2):
        if value.ndim == 4:
            value = value.permute(3, 2, 0, 1)
        elif len(value) == 2048:
            value = value.unflatten(0, (2, 2, 512)).movedim(2, 0).flatten(0, 2)
        turned.append((part, value.T if value.ndim == 2 else value))
    network = GenreSliceCNN({"genre": 8}).eval()
    network.input_norm.eps = 1e-12  # its first mean is 0 and its variance 1: it changes nothing
    modules = [f"blocks.{block}.{part}" for block in range(4) for part in ("conv", "norm")]
    hidden = [f"hidden.{number}" for number in range(4)]
    load(network, [*modules, "blocks.4", "flat_norm", *hidden, "classifier.linears.genre"], turned)
    with torch.inference_mode():
        _, logits = network(image(2, 128, 128, 1).permute(0, 3, 1, 2))
    torch.testing.assert_close(logits["genre"].softmax(dim=1), torch.tensor(SLICES), atol=1e-4, rtol=0)
