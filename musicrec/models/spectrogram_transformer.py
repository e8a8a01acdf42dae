"""Spectrogram transformer: attention between overlapping patches of a spectrogram, without convolutions."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from musicrec.config.number_types import Count, Share
from musicrec.errors import ConfigError
from musicrec.models._classifier import Classifier
from musicrec.models._input_checks import check_frames

PATCH, STRIDE = 16, 10
_NORM_EPSILON = 1e-6
_FIRST_DEVIATION = 0.02


class SpectrogramTransformer(nn.Module):
    """A small audio spectrogram transformer (AST).

    Gong et al., "AST: Audio spectrogram transformer", Interspeech 2021, at the size of the smallest vision transformer
    (Touvron et al. 2021, DeiT-Ti) with 8 of its 12 layers: 3,763,828 parameters with 50 outputs. Patches of 16 bands ×
    16 frames overlap by 6. One learnt vector is put before them, and what the last layer makes of it is the embedding.
    Unlike the published one, it has no second vector for distillation, and starts untrained. The published front end
    has frontend.hop_length=160 frontend.n_fft=400.

    Args:
        outputs: {head: number of logits}.
        n_mels: Number of mel bands, at least 16.
        chunk_samples: Length of the training chunks, in samples. In chunks of another length, the learnt positions are
            interpolated.
        hop_length: Hop length of the front end, in samples.
        width: Size of one attention head. States, and the embedding, have `width * attention_heads` values.
        attention_heads: Number of parallel attentions of a layer.
        layers: Number of layers.
        layer_dropout: Dropout within the layers.
        dropout: Dropout before the linear layers of the heads.

    Raises:
        ConfigError: If there is no room for a patch.
    """

    def __init__(
        self,
        outputs: dict[str, int],
        *,
        n_mels: Count = 128,
        chunk_samples: Count = 163_840,
        hop_length: Count = 256,
        width: Count = 64,
        attention_heads: Count = 3,
        layers: Count = 8,
        layer_dropout: Share = 0.0,
        dropout: Share = 0.0,
    ) -> None:
        super().__init__()
        frames = chunk_samples // hop_length + 1
        if min(n_mels, frames) < PATCH:
            raise ConfigError(
                f"model.n_mels={n_mels}, model.chunk_samples={chunk_samples}: a patch has {PATCH} bands and {PATCH} "
                f"frames, and a chunk {frames}; give more bands or longer chunks"
            )
        self.settings = {
            "n_mels": n_mels,
            "chunk_samples": chunk_samples,
            "hop_length": hop_length,
            "width": width,
            "attention_heads": attention_heads,
            "layers": layers,
            "layer_dropout": layer_dropout,
            "dropout": dropout,
        }
        size = width * attention_heads
        self.n_mels, self.chunk_samples, self.embedding_size = n_mels, chunk_samples, size
        rows, columns = ((length - PATCH) // STRIDE + 1 for length in (n_mels, frames))
        self.input_norm = nn.BatchNorm2d(1)
        self.patches = nn.Conv2d(1, size, PATCH, stride=STRIDE)
        self.first = nn.Parameter(torch.empty(1, 1, size))
        self.first_position = nn.Parameter(torch.empty(1, 1, size))
        self.positions = nn.Parameter(torch.empty(1, size, rows, columns))
        for vectors in (self.first, self.first_position, self.positions):
            nn.init.trunc_normal_(vectors, std=_FIRST_DEVIATION)
        self.encoder = nn.Sequential(
            *(
                nn.TransformerEncoderLayer(
                    size,
                    attention_heads,
                    4 * size,
                    dropout=layer_dropout,
                    activation="gelu",
                    layer_norm_eps=_NORM_EPSILON,
                    batch_first=True,
                    norm_first=True,
                )
                for _ in range(layers)
            )
        )
        self.norm = nn.LayerNorm(size, eps=_NORM_EPSILON)
        self.classifier = Classifier(size, outputs, dropout=dropout)

    def forward(self, decibels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the embedding and the logits of a batch of chunks.

        Args:
            decibels: (batch, 1, n_mels, frames) with at least 16 frames.

        Returns:
            The embedding (batch, width * attention_heads) and the logits {head: (batch, outputs[head])}.

        Raises:
            ConfigError: If there are fewer frames.
        """
        check_frames(decibels, PATCH, chunk_samples=self.chunk_samples)
        patches = self.patches(self.input_norm(decibels))
        positions = self.positions
        if patches.shape[2:] != positions.shape[2:]:
            positions = F.interpolate(positions, patches.shape[2:], mode="bilinear", align_corners=False)
        patches = (patches + positions).flatten(2).transpose(1, 2)
        first = (self.first + self.first_position).to(patches.dtype)
        first = first + patches[:, :1] * 0  # one per chunk, also in a traced graph
        embedding = self.norm(self.encoder(torch.cat([first, patches], dim=1))[:, 0])
        return embedding, self.classifier(embedding)
