"""Self-attention CNN: residual convolutions, and a transformer that relates distant frames."""

import itertools

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from musicrec.config.number_types import Count, Share
from musicrec.errors import ConfigError
from musicrec.models._classifier import Classifier
from musicrec.models._convolutions import StridedResidual, apply_strided

_STRIDES = ((2, 2), (2, 2), (2, 2), (2, 1), (2, 1), (2, 1), (2, 1))
_NORM_EPSILON = 1e-12


class SelfAttentionCNN(nn.Module):
    """Convolutional network with a transformer encoder for tagging chunks of a quarter of a minute.

    Won et al., "Toward interpretable music tagging with self-attention", arXiv:1906.04972, 2019, in the form of Won et
    al., "Evaluation of CNN-based automatic music tagging models", SMC 2020: 10,521,652 parameters with 50 outputs.
    Seven residual blocks leave an eighth of the frames and, of 128 mel bands, one. A constant vector is put before
    them, and what the encoder makes of it is the embedding. There is no encoding of positions.

    Args:
        outputs: {head: number of logits}.
        n_mels: Number of mel bands. With more than 128, the maximum over the rows that remain is taken.
        chunk_samples: Length of the training chunks, in samples.
        width: Channels of the first two blocks. The other blocks and the encoder have twice as many.
        layers: Number of layers of the encoder.
        attention_heads: Number of parallel attentions of a layer; divides `2 * width`.
        layer_dropout: Dropout after each part of a layer.
        attention_dropout: Dropout of the weights of the attention.
        dropout: Dropout before the linear layers of the heads.

    Raises:
        ConfigError: If `attention_heads` does not divide `2 * width`.
    """

    def __init__(
        self,
        outputs: dict[str, int],
        *,
        n_mels: Count = 128,
        chunk_samples: Count = 240_000,
        width: Count = 128,
        layers: Count = 2,
        attention_heads: Count = 8,
        layer_dropout: Share = 0.4,
        attention_dropout: Share = 0.5,
        dropout: Share = 0.5,
    ) -> None:
        super().__init__()
        size = 2 * width
        if size % attention_heads:
            raise ConfigError(f"model.attention_heads={attention_heads}: must divide 2 · model.width = {size}")
        self.settings = {
            "n_mels": n_mels,
            "chunk_samples": chunk_samples,
            "width": width,
            "layers": layers,
            "attention_heads": attention_heads,
            "layer_dropout": layer_dropout,
            "attention_dropout": attention_dropout,
            "dropout": dropout,
        }
        self.n_mels, self.chunk_samples, self.embedding_size = n_mels, chunk_samples, size
        channels = itertools.pairwise((1, width, width, *[size] * 5))
        self.input_norm = nn.BatchNorm2d(1)
        self.blocks = nn.Sequential(
            *(StridedResidual(*sizes, stride=stride) for sizes, stride in zip(channels, _STRIDES, strict=True))
        )
        # The published code draws this vector with NumPy's seed 0, and neither trains nor saves it.
        first = torch.from_numpy(np.random.RandomState(0).random_sample(size)).float()
        self.register_buffer("first", first, persistent=False)
        dropouts = {"layer_dropout": layer_dropout, "attention_dropout": attention_dropout}
        self.encoder = nn.Sequential(*(_EncoderLayer(size, attention_heads, **dropouts) for _ in range(layers)))
        self.pooler = nn.Linear(size, size)
        self.classifier = Classifier(size, outputs, dropout=dropout)

    def forward(self, decibels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the embedding and the logits of a batch of chunks.

        Args:
            decibels: (batch, 1, n_mels, frames).

        Returns:
            The embedding (batch, 2 * width), in [-1, 1], and the logits {head: (batch, outputs[head])}.
        """
        features = self.input_norm(decibels)
        for block in self.blocks:
            features = apply_strided(block, features)
        frames = features.amax(dim=2).transpose(1, 2)
        first = self.first.to(frames.dtype) + frames[:, :1] * 0  # as many as chunks, also in a traced graph
        states = self.encoder(torch.cat([first, frames], dim=1))
        embedding = torch.tanh(self.pooler(states[:, 0]))
        return embedding, self.classifier(embedding)


class _EncoderLayer(nn.Module):
    """Self-attention and two linear layers, each added to its input and normalised, as in BERT (Devlin et al. 2019).

    PyTorch's own layer has one dropout for both parts, and stores query, key and value as one matrix.
    """

    def __init__(self, size: int, attention_heads: int, *, layer_dropout: float, attention_dropout: float) -> None:
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(size, size) for _ in range(3))
        self.attended = nn.Linear(size, size)
        self.attention_norm = nn.LayerNorm(size, eps=_NORM_EPSILON)
        self.expand = nn.Linear(size, 4 * size)
        self.reduce = nn.Linear(4 * size, size)
        self.norm = nn.LayerNorm(size, eps=_NORM_EPSILON)
        self.dropout = nn.Dropout(layer_dropout)
        self.attention_heads, self.attention_dropout = attention_heads, attention_dropout

    def forward(self, states: Tensor) -> Tensor:
        """Return (batch, places, size) of the same shape."""
        parts = (layer(states).unflatten(2, (self.attention_heads, -1)) for layer in (self.query, self.key, self.value))
        query, key, value = (part.transpose(1, 2) for part in parts)
        dropped = self.attention_dropout if self.training else 0.0
        heard = F.scaled_dot_product_attention(query, key, value, dropout_p=dropped)
        heard = self.attended(heard.transpose(1, 2).flatten(2))
        states = self.attention_norm(states + self.dropout(heard))
        return self.norm(states + self.dropout(self.reduce(F.gelu(self.expand(states)))))
