"""The mean over time of what goes into each layer of a transformer, and of what comes out of the last one."""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor, nn

# Per thread, because several threads compute embeddings with one network.
_collected: ContextVar[list[Tensor] | None] = ContextVar("collected", default=None)


def collect_layers(layers: nn.ModuleList) -> None:
    """Let `layer_means` hear what goes into these layers.

    The classes of transformers 5 no longer return the hidden states of a part of a network, which code outside of
    transformers takes from it.

    Args:
        layers: The layers; each takes the hidden states first.
    """
    for layer in layers:
        layer.register_forward_pre_hook(_collect, with_kwargs=True)


def layer_means(run: Callable[[], Tensor]) -> Tensor:
    """Run a network whose layers are collected.

    Args:
        run: Returns the hidden states of the last layer, (batch, frames, size).

    Returns:
        (batch, layers + 1, size).
    """
    means: list[Tensor] = []
    token = _collected.set(means)
    try:
        means.append(run().mean(dim=1))
    finally:
        _collected.reset(token)
    return torch.stack(means, dim=1)


def _collect(layer: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    means = _collected.get()
    if means is not None:
        means.append((args[0] if args else kwargs["hidden_states"]).mean(dim=1))
