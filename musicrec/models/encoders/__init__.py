"""Encoders: networks that turn chunks of audio into embeddings, for probes. One kind per file."""

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from musicrec.config.class_lookup import class_modules, find_class
from musicrec.models.frontends import Frontend


@dataclass(frozen=True, kw_only=True)
class AudioEncoder:
    """An encoder with its weights and its front end.

    Attributes:
        network: What turns the output of the front end into embeddings; see `embed`. It has the attributes `settings`,
            `n_mels`, `chunk_samples` and `embedding_size`, and `layers` if it gives an embedding per layer.
        frontend: Its front end.
        outputs: {head: number of logits} of a network that also has heads, which are not used; {} for any other.
        about: What a model card says about it.
        trained: Whether training also changes parts of it. Its embeddings are then not kept.
        portable: Whether an export can hold it. What runs code that is not ours cannot be built again from an export.
    """

    network: nn.Module
    frontend: Frontend
    outputs: dict[str, int] = field(default_factory=dict)
    about: dict[str, Any] = field(default_factory=dict)
    trained: bool = False
    portable: bool = True

    @property
    def description(self) -> dict[str, Any]:
        """Class and settings in plain JSON types, from which `build_encoder` builds the network again."""
        return {"class": type(self.network).__name__, "outputs": self.outputs, "settings": self.network.settings}

    @property
    def chunk_samples(self) -> int:
        """Length of the chunks that it hears, in samples."""
        return self.network.chunk_samples  # type: ignore[return-value]

    @property
    def embedding_size(self) -> int:
        """Number of columns of an embedding."""
        return self.network.embedding_size  # type: ignore[return-value]

    @property
    def layers(self) -> int:
        """Number of embeddings per chunk, one per layer."""
        return getattr(self.network, "layers", 1)

    def checksum(self) -> str:
        """Return the SHA-256 of all that its embeddings depend on: settings, front end and weights."""
        frontend = {"class": type(self.frontend).__name__, **self.frontend.settings}
        digest = hashlib.sha256(json.dumps([self.description, frontend], sort_keys=True).encode())
        for name, tensor in sorted(self.network.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().flatten().view(-1).numpy().tobytes())
        return digest.hexdigest()


def build_encoder(description: dict[str, Any]) -> nn.Module:
    """Build the network of an encoder, with random weights.

    Args:
        description: As `AudioEncoder.description` gives it.

    Raises:
        ConfigError: There is no such class.
    """
    name, outputs = description["class"], description["outputs"]
    own = "musicrec.models.encoders"
    cls = find_class(own if name in class_modules(own) else "musicrec.models", name)
    return cls(*([outputs] if outputs else []), **description["settings"])


def embed(network: nn.Module, inputs: Tensor) -> Tensor:
    """Return the embeddings (batch, size), or (batch, layers, size), of the output of the front end."""
    answer = network(inputs)
    return answer[0] if isinstance(answer, tuple) else answer
