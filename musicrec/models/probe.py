"""Probe: heads on the embeddings of an encoder, which stays as it is."""

import copy
from typing import Any

import torch
from torch import Tensor, nn

from musicrec.config.number_types import Count, Natural, Share
from musicrec.models._classifier import Classifier
from musicrec.models._input_checks import check_batch_size
from musicrec.models.encoders import build_encoder, embed


class Probe(nn.Module):
    """One linear layer per head, or one hidden layer before them, on the embeddings of an encoder.

    In training it gets embeddings that were computed once; in an export it gets what the front end of the encoder
    computes. Each column of the embedding is brought to mean 0 and variance 1 of the training chunks. If the encoder
    gives an embedding per layer, the probe learns how much each layer counts: the softmax of one weight per layer, as
    in Yang et al. 2021, "SUPERB: Speech processing universal performance benchmark".

    Args:
        outputs: {head: number of logits}.
        encoder: What the encoder is built from (`musicrec.models.encoders`); None if the embeddings come from a table,
            so that the probe cannot hear audio.
        trained: Whether training also changes the encoder, in the parts that the encoder itself does not freeze.
        embedding_size: Number of columns of an embedding.
        layers: Number of embeddings per chunk.
        chunk_samples: Length of the chunks that the encoder hears, in samples.
        width: Units of the hidden layer; 0 for none, which makes it a linear probe.
        dropout: Before the linear layers of the heads.

    Raises:
        ConfigError: If there is no head.
    """

    def __init__(
        self,
        outputs: dict[str, int],
        *,
        encoder: dict[str, Any] | None = None,
        trained: bool = False,
        embedding_size: Count = 200,
        layers: Count = 1,
        chunk_samples: Count = 48_000,
        width: Natural = 0,
        dropout: Share = 0.0,
    ) -> None:
        super().__init__()
        self.settings = {
            "encoder": encoder,
            "trained": trained,
            "embedding_size": embedding_size,
            "layers": layers,
            "chunk_samples": chunk_samples,
            "width": width,
            "dropout": dropout,
        }
        self.embedding_size, self.chunk_samples = embedding_size, chunk_samples
        self.encoder = None if encoder is None else build_encoder(encoder)
        self.n_mels = 1 if self.encoder is None else self.encoder.n_mels
        self.channels_last = getattr(self.encoder, "channels_last", self.encoder is not None)
        if hasattr(self.encoder, "chunk_frames"):
            self.chunk_frames = self.encoder.chunk_frames
        self._trained = trained
        if self.encoder is not None and not trained:
            self.encoder.requires_grad_(False).eval()
        self.layer_weights = nn.Parameter(torch.zeros(layers)) if layers > 1 else None
        self.input_norm = nn.BatchNorm1d(embedding_size, affine=False)
        self.hidden = nn.Sequential(nn.Linear(embedding_size, width), nn.ReLU()) if width else nn.Identity()
        self.classifier = Classifier(width or embedding_size, outputs, dropout=dropout)

    def train(self, mode: bool = True) -> "Probe":
        """Set training or evaluation mode; an encoder that is not trained stays in evaluation mode."""
        super().train(mode)
        if self.encoder is not None and not self._trained:
            self.encoder.eval()
        return self

    def forward(self, inputs: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the embedding and the logits of a batch of chunks.

        Args:
            inputs: What the front end of the encoder gives, (batch, 1, n_mels, frames); or embeddings of the encoder,
                (batch, embedding_size), or (batch, layers, embedding_size) if it gives one per layer.

        Returns:
            The embedding of the encoder (batch, embedding_size), for several layers their weighted mean, and the logits
            {head: (batch, outputs[head])}.

        Raises:
            ConfigError: If there is only one chunk in training.
        """
        embedding = inputs if inputs.ndim < 4 else self._embed(inputs)
        if self.layer_weights is not None:
            embedding = torch.einsum("l,bls->bs", self.layer_weights.softmax(dim=0).to(embedding.dtype), embedding)
        if self.input_norm.training:
            check_batch_size(embedding)
        return embedding, self.classifier(self.hidden(self.input_norm(embedding)))

    def _embed(self, inputs: Tensor) -> Tensor:
        if self.encoder is None:
            raise RuntimeError("a probe on a table of embeddings has no encoder")
        with torch.set_grad_enabled(self._trained and torch.is_grad_enabled()):
            return embed(self.encoder, inputs)

    def for_inference(self) -> "Probe":
        """Return a probe with the same answers and the fastest form of its encoder, if that has one."""
        fast_encoder = getattr(self.encoder, "for_inference", None)
        if fast_encoder is None:
            return self
        fast = copy.copy(self.eval())
        fast._modules = self._modules | {"encoder": fast_encoder()}
        return fast
