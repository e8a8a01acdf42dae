"""Short-Chunk CNN: seven convolutions with max pooling over a few seconds of music."""

import torch.nn.functional as F
from torch import Tensor, nn

from musicrec.config.number_types import Count, Share
from musicrec.models._classifier import Classifier
from musicrec.models._convolutions import pooled_convolutions
from musicrec.models._input_checks import check_bands, check_batch_size, check_frames
from musicrec.models._time_pooling import Pooling, TimePooling

BLOCKS = 7
POOLED = 2**BLOCKS


class ShortChunkCNN(nn.Module):
    """Convolutional network for tags and features of short chunks.

    Won et al., "Evaluation of CNN-based automatic music tagging models", SMC 2020: 3,687,348 parameters with 50
    outputs. Each block halves the number of mel bands and frames; `ShortChunkResNet` has residual blocks instead.

    Args:
        outputs: {head: number of logits}.
        n_mels: Number of mel bands, at least 128.
        chunk_samples: Length of the training chunks, in samples.
        width: Channels of the first two blocks. The next four blocks have twice, the last one four times as many.
        dropout: Dropout before the linear layers of the heads.
        pooling: Over time: "max" as published, "mean", or "attention", a weighted mean whose weights are learnt.

    Raises:
        ConfigError: If there are too few mel bands for the pooling, or if there is no such pooling.
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
        check_bands(n_mels, POOLED)
        self.settings = {
            "n_mels": n_mels,
            "chunk_samples": chunk_samples,
            "width": width,
            "dropout": dropout,
            "pooling": pooling,
        }
        self.n_mels, self.chunk_samples, self.embedding_size = n_mels, chunk_samples, 4 * width
        channels = (1, *(width * factor for factor in (1, 1, 2, 2, 2, 2, 4)))
        self.input_norm = nn.BatchNorm2d(1)
        self.blocks = pooled_convolutions(channels, [(2, 2)] * BLOCKS)
        self.time_pooling = TimePooling(4 * width, pooling)
        self.hidden = nn.Linear(4 * width, 4 * width)
        self.hidden_norm = nn.BatchNorm1d(4 * width)
        self.classifier = Classifier(4 * width, outputs, dropout=dropout)

    def forward(self, decibels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the embedding and the logits of a batch of chunks.

        Args:
            decibels: (batch, 1, n_mels, frames) with at least 128 frames.

        Returns:
            The embedding (batch, 4 * width) and the logits {head: (batch, outputs[head])}.

        Raises:
            ConfigError: If there are fewer frames, or only one chunk in training.
        """
        check_frames(decibels, POOLED, chunk_samples=self.chunk_samples)
        if self.hidden_norm.training:
            check_batch_size(decibels)
        features = self.blocks(self.input_norm(decibels)).amax(dim=2)
        embedding = F.relu(self.hidden_norm(self.hidden(self.time_pooling(features))))
        return embedding, self.classifier(embedding)
