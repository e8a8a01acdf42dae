"""CRNN: convolutions for short patterns, followed by a recurrent layer over half a minute."""

import itertools
import operator

import torch
from torch import Tensor, nn

from musicrec.config.number_types import Count, Natural, Share
from musicrec.errors import ConfigError
from musicrec.models._classifier import Classifier
from musicrec.models._convolutions import pooled_convolutions
from musicrec.models._input_checks import check_bands, check_batch_size, check_frames

POOLS = ((2, 2), (3, 3), (4, 4), (4, 4))
POOLED = 96  # 2·3·4·4: the number of mel bands and of frames that are pooled into one recurrent step


class CRNN(nn.Module):
    """Convolutional recurrent network for tagging long chunks.

    Choi et al., "Convolutional recurrent neural networks for music classification", ICASSP 2017, in the form of
    Won et al., "Evaluation of CNN-based automatic music tagging models", SMC 2020: 394,100 parameters with 50 outputs.

    Args:
        outputs: {head: number of logits}.
        n_mels: Number of mel bands, at least 96. With 192 or more, several rows remain after pooling and are stacked.
        chunk_samples: Length of the training chunks, in samples.
        width: Channels of the first block. The other three blocks have twice as many.
        gru_size: Size of each of the two recurrent layers, and of the embedding without means.
        dropout: Dropout before the linear layers of the heads.
        mean_blocks: Number of blocks, counted from the last one, whose means over time are appended to the embedding:
            one mean per channel and mel band, normalised over the batch. 0 is the published network, whose embedding is
            the last recurrent state alone. With few or short tracks, the means are learnt faster than the state.

    Raises:
        ConfigError: If there are too few mel bands for the pooling, or fewer blocks than `mean_blocks`.
    """

    def __init__(
        self,
        outputs: dict[str, int],
        *,
        n_mels: Count = 96,
        chunk_samples: Count = 464_000,
        width: Count = 64,
        gru_size: Count = 32,
        dropout: Share = 0.5,
        mean_blocks: Natural = 0,
    ) -> None:
        super().__init__()
        check_bands(n_mels, POOLED)
        if mean_blocks > len(POOLS):
            raise ConfigError(f"model.mean_blocks={mean_blocks}: there are {len(POOLS)} blocks; give 0 to {len(POOLS)}")
        self.settings = {
            "n_mels": n_mels,
            "chunk_samples": chunk_samples,
            "width": width,
            "gru_size": gru_size,
            "dropout": dropout,
            "mean_blocks": mean_blocks,
        }
        self.n_mels = n_mels
        self.chunk_samples = chunk_samples
        channels = (1, width, 2 * width, 2 * width, 2 * width)
        bands = itertools.accumulate([pool[0] for pool in POOLS], operator.floordiv, initial=n_mels)
        # Values per frame, before the first block and after each block.
        frame_sizes = [channel * band for channel, band in zip(channels, bands, strict=True)]
        self.first_mean_block = len(POOLS) - mean_blocks
        mean_sizes = frame_sizes[1 + self.first_mean_block :]
        self.embedding_size = gru_size + sum(mean_sizes)

        self.input_norm = nn.BatchNorm2d(1)
        self.blocks = pooled_convolutions(channels, POOLS)
        self.gru = nn.GRU(frame_sizes[-1], gru_size, num_layers=2, batch_first=True)
        # The means differ little between tracks. Without normalisation, a linear layer learns slowly from them.
        self.mean_norm = nn.BatchNorm1d(sum(mean_sizes), affine=False) if mean_blocks else None
        self.classifier = Classifier(self.embedding_size, outputs, dropout=dropout)

    def forward(self, decibels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the embedding and the logits of a batch of chunks.

        Args:
            decibels: (batch, 1, n_mels, frames) with at least 96 frames.

        Returns:
            The embedding (batch, embedding_size) and the logits {head: (batch, outputs[head])}.

        Raises:
            ConfigError: If there are fewer frames or, with `mean_blocks` in training, only one chunk.
        """
        check_frames(decibels, POOLED, chunk_samples=self.chunk_samples)
        if self.mean_norm is not None and self.mean_norm.training:
            check_batch_size(decibels)
        features = self.input_norm(decibels)
        means = []
        for index, block in enumerate(self.blocks):
            features = block(features)
            if index >= self.first_mean_block:
                means.append(features.mean(dim=3).flatten(1))
        states, _ = self.gru(features.flatten(1, 2).transpose(1, 2))
        embedding = states[:, -1]
        if self.mean_norm is not None:
            embedding = torch.cat([embedding, self.mean_norm(torch.cat(means, dim=1))], dim=1)
        return embedding, self.classifier(embedding)
