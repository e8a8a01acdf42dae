"""Short-Chunk ResNet: seven residual blocks over a few seconds of music."""

import itertools

import torch.nn.functional as F
from torch import Tensor, nn

from musicrec.config.number_types import Count, Share
from musicrec.models._classifier import Classifier
from musicrec.models._convolutions import StridedResidual, apply_strided
from musicrec.models._input_checks import check_batch_size
from musicrec.models._time_pooling import Pooling, TimePooling


class ShortChunkResNet(nn.Module):
    """Residual convolutional network for tags and features of short chunks.

    Won et al., "Evaluation of CNN-based automatic music tagging models", SMC 2020: 12,104,244 parameters with 50
    outputs. Each block halves the number of mel bands and frames. The maximum over the rest gives the embedding, so
    that chunks may have any length.

    Args:
        outputs: {head: number of logits}.
        n_mels: Number of mel bands.
        chunk_samples: Length of the training chunks, in samples.
        width: Channels of the first two blocks. The next four blocks have twice, the last one four times as many.
        dropout: Dropout before the linear layers of the heads.
        pooling: Over time: "max" as published, "mean", or "attention", a weighted mean whose weights are learnt.

    Raises:
        ConfigError: If there is no such pooling.
    """

    def __init__(
        self,
        outputs: dict[str, int],
        *,
        n_mels: Count = 128,
        chunk_samples: Count = 59_049,
        width: Count = 128,
        dropout: Share = 0.5,
        pooling: Pooling = "max",
    ) -> None:
        super().__init__()
        self.settings = {
            "n_mels": n_mels,
            "chunk_samples": chunk_samples,
            "width": width,
            "dropout": dropout,
            "pooling": pooling,
        }
        self.n_mels = n_mels
        self.chunk_samples = chunk_samples
        self.embedding_size = 4 * width

        channels = (1, *(width * factor for factor in (1, 1, 2, 2, 2, 2, 4)))
        self.input_norm = nn.BatchNorm2d(1)
        self.blocks = nn.Sequential(*(StridedResidual(*sizes) for sizes in itertools.pairwise(channels)))
        self.time_pooling = TimePooling(4 * width, pooling)
        self.hidden = nn.Linear(4 * width, 4 * width)
        self.hidden_norm = nn.BatchNorm1d(4 * width)
        self.classifier = Classifier(4 * width, outputs, dropout=dropout)

    def forward(self, decibels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the embedding and the logits of a batch of chunks.

        Args:
            decibels: (batch, 1, n_mels, frames).

        Returns:
            The embedding (batch, 4 * width) and the logits {head: (batch, outputs[head])}.

        Raises:
            ConfigError: If there is only one chunk in training.
        """
        if self.hidden_norm.training:
            check_batch_size(decibels)
        features = self.input_norm(decibels)
        for block in self.blocks:
            features = apply_strided(block, features)
        embedding = F.relu(self.hidden_norm(self.hidden(self.time_pooling(features.amax(dim=2)))))
        return embedding, self.classifier(embedding)
