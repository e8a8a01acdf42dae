"""Networks, one architecture per file. Each maps a spectrogram to an embedding and logits per head."""

from collections.abc import Mapping
from typing import Any, Protocol

import torch
from torch import Tensor


class Network(Protocol):
    """The interface of a network, as training and exports use it. Every network is a plain `nn.Module`.

    Attributes:
        settings: The constructor's keyword arguments, in plain types; an export rebuilds the network from them.
        n_mels: Number of bands of the input.
        chunk_samples: Length of the training chunks, in samples.
        embedding_size: Number of columns of the embedding.

    A network may also have `chunk_frames`, the length of a chunk in frames. Its inputs are then cut from the
    spectrogram of a whole track, one after the other, instead of being spectrograms of chunks of the waveform. It may
    have `output_rate`, the frames per second of the logits (batch, classes, frames) of frame-wise heads
    (`musicrec.heads.frames`). It may have `needs_frontend`, the name of the only front end whose output makes sense to
    it, as in `frontend=linear`. It may have `channels_last`, False if that memory layout makes it slower on a CPU;
    `for_inference`, which returns a faster form with the same answers; and such a form may have `tuned_for_torch`, True
    if no other engine is faster on a CPU.
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
            The embedding (batch, embedding_size) and the logits {head: (batch, classes)}.
        """
        ...

    def state_dict(self) -> dict[str, Any]:
        """Return the weights, as `nn.Module` does."""
        ...

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True) -> Any:
        """Load weights, as `nn.Module` does."""
        ...

    def eval(self) -> "Network":
        """Switch to inference, as `nn.Module` does."""
        ...

    def train(self, mode: bool = True) -> "Network":
        """Switch to training, or with False to inference, as `nn.Module` does."""
        ...

    def to(self, device: str | torch.device) -> "Network":
        """Move the network to a device, as `nn.Module` does."""
        ...
