"""Low-rank adaptation: what is learnt beside frozen linear layers."""

import math
from collections.abc import Collection

from torch import Tensor, nn

# Queries and values, as wav2vec 2.0 and its kin, Conformers, and CLAP call them.
_QUERIES_AND_VALUES = ("q_proj", "v_proj", "linear_q", "linear_v", "query", "value")


class LoRALinear(nn.Module):
    """A frozen linear layer plus a product of two small matrices, which is 0 before training.

    Hu et al. 2022, "LoRA: Low-rank adaptation of large language models".

    Args:
        base: The layer.
        rank: Rank of the product.
    """

    def __init__(self, base: nn.Linear, rank: int) -> None:
        super().__init__()
        self.base = base.requires_grad_(False)
        self.down = nn.Linear(base.in_features, rank, bias=False)
        self.up = nn.Linear(rank, base.out_features, bias=False)
        nn.init.kaiming_uniform_(self.down.weight, a=math.sqrt(5))
        nn.init.zeros_(self.up.weight)

    @property
    def weight(self) -> Tensor:  # WavLM computes with the weights of the layer instead of calling it
        """The weight of a linear layer with the same answers, (out features, in features)."""
        return self.base.weight + self.up.weight @ self.down.weight

    @property
    def bias(self) -> Tensor | None:
        """The bias of the layer."""
        return self.base.bias

    def forward(self, inputs: Tensor) -> Tensor:
        """Return what the layer gives, changed by what was learnt."""
        return self.base(inputs) + self.up(self.down(inputs))


def add_lora(network: nn.Module, *, rank: int, layers: Collection[str] = _QUERIES_AND_VALUES) -> int:
    """Freeze a network, and add trained matrices to its linear layers of some names.

    Args:
        network: The network; it is changed.
        rank: Rank of the matrices.
        layers: The names, without those of the modules around them.

    Returns:
        The number of layers that got some.
    """
    network.requires_grad_(False)
    found = [
        (module, name)
        for module in network.modules()
        for name, child in module.named_children()
        if name in layers and isinstance(child, nn.Linear)
    ]
    for module, name in found:
        setattr(module, name, LoRALinear(getattr(module, name), rank))
    return len(found)
