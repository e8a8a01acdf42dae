"""Networks, one architecture per file: decibels in, an embedding and logits per head out."""

from collections.abc import Mapping
from typing import Any, Protocol

import torch
from torch import Tensor


class Network(Protocol):
    """What exports and the training ask of a network. Every network is a plain `nn.Module` that has these.

    Attributes:
        settings: The constructor's keyword arguments, in plain types; an export rebuilds the network from them.
        n_mels: Number of bands of the input.
        chunk_samples: Length in samples of the chunks it is trained on.
        embedding_size: Columns of the embedding.
    """

    settings: dict[str, Any]
    n_mels: int
    chunk_samples: int
    embedding_size: int

    def __call__(self, decibels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Run the network.

        Args:
            decibels: The output of the front end, (batch, 1, n_mels, frames) float32.

        Returns:
            The embedding (batch, embedding_size), and logits (batch, classes) by the name of the head.
        """
        ...

    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True) -> Any: ...
    def eval(self) -> "Network": ...
    def to(self, device: str | torch.device) -> "Network": ...
