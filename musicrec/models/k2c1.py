"""k2c1: one convolution over all bands, four along time, and fully connected layers."""

import itertools

import torch.nn.functional as F
from torch import Tensor, nn

from musicrec.config.number_types import Count, Share
from musicrec.models._choi_2017 import POOLED_FRAMES, SAME, SIZE, FullyConnected
from musicrec.models._classifier import Classifier
from musicrec.models._input_checks import check_frames
from musicrec.models._time_pooling import Pooling, TimePooling

POOLS = (4, 4, 4, 5, 4)  # 1,280 frames become one


class K2C1(nn.Module):
    """Convolutional network for tagging long chunks, whose first kernels span all bands.

    Choi et al., "Convolutional recurrent neural networks for music classification", ICASSP 2017, where it is compared
    with `K1C2`, `K2C2` and the CRNN at the same number of parameters: one million, with the default width. Five
    convolutions over four frames and two fully connected layers.

    Args:
        outputs: {head: number of logits}.
        n_mels: Number of mel bands.
        chunk_samples: Length of the training chunks, in samples.
        width: Channels of the first three convolutions. All other layers have twice as many.
        dropout: Dropout after the fully connected layers, and so before the linear layers of the heads.
        pooling: Over time, in chunks of more than 1,280 frames: "max", "mean", or "attention".

    Raises:
        ConfigError: If there is no such pooling.
    """

    def __init__(
        self,
        outputs: dict[str, int],
        *,
        n_mels: Count = 96,
        chunk_samples: Count = 464_000,
        width: Count = 152,
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
        self.n_mels, self.chunk_samples, self.embedding_size = n_mels, chunk_samples, 2 * width
        channels = itertools.pairwise((n_mels, width, width, width, 2 * width, 2 * width))
        self.input_norm = nn.BatchNorm2d(1)
        self.blocks = nn.Sequential(*(_Block(*sizes, pool) for sizes, pool in zip(channels, POOLS, strict=True)))
        self.time_pooling = TimePooling(2 * width, pooling)
        self.hidden = FullyConnected(2 * width, 2 * width, dropout=dropout)
        self.classifier = Classifier(2 * width, outputs, dropout=dropout)

    def forward(self, decibels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the embedding and the logits of a batch of chunks.

        Args:
            decibels: (batch, 1, n_mels, frames) with at least 1,280 frames.

        Returns:
            The embedding (batch, 2 * width) and the logits {head: (batch, outputs[head])}.

        Raises:
            ConfigError: If there are fewer frames.
        """
        check_frames(decibels, POOLED_FRAMES, chunk_samples=self.chunk_samples)
        features = self.blocks(self.input_norm(decibels)[:, 0])
        embedding = self.hidden(self.time_pooling(features))
        return embedding, self.classifier(embedding)


class _Block(nn.Module):
    """A convolution over four frames, batch normalisation, ELU and max pooling over frames."""

    def __init__(self, inputs: int, outputs: int, pool: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(inputs, outputs, SIZE)
        self.norm = nn.BatchNorm1d(outputs)
        self.pool = pool

    def forward(self, features: Tensor) -> Tensor:
        return F.elu(F.max_pool1d(self.norm(self.conv(F.pad(features, SAME))), self.pool))
