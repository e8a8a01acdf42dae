"""CRNN: convolutions that listen to short patterns, a recurrent layer that sums them up over half a minute."""

import itertools
import operator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from musicrec.config.number_types import Count, Natural, Share
from musicrec.errors import ConfigError
from musicrec.models._classifier import Classifier, check_several

POOLS = ((2, 2), (3, 3), (4, 4), (4, 4))
POOLED = 96  # 2·3·4·4: so many mel bands, and so many frames, become one step of the recurrent layer


class CRNN(nn.Module):
    """Convolutional recurrent network for tags of a long chunk.

    Choi et al., "Convolutional recurrent neural networks for music classification", ICASSP 2017, in the form of
    Won et al., "Evaluation of CNN-based automatic music tagging models", SMC 2020: 394,100 parameters with 50 outputs.

    Args:
        outputs: how many logits each head gives, by the head's name.
        n_mels: mel bands of the input, at least 96; from 192 on the rows left after pooling are stacked.
        chunk_samples: length of the chunks it is trained on, in samples.
        width: channels of the first block; the other three have twice as many.
        gru_size: size of each of the two recurrent layers, and of the embedding.
        dropout: before the linear layers of the heads.
        mean_blocks: so many last blocks give their mean over time, of each channel in each mel band, to the embedding,
            after the last state and normalised over the batch; 0, as published, is the state alone. With few or short
            tracks the state is learnt late, the means sooner.

    Raises:
        ConfigError: a setting that leaves nothing after pooling, or more blocks than there are.
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
        if n_mels < POOLED:
            raise ConfigError(f"model.n_mels={n_mels}: the CRNN pools {POOLED} bands into one; give {POOLED} or more")
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
        # Of one frame, before the first block and after each.
        frame_sizes = [channel * band for channel, band in zip(channels, bands, strict=True)]
        self.first_mean_block = len(POOLS) - mean_blocks
        mean_sizes = frame_sizes[1 + self.first_mean_block :]
        self.embedding_size = gru_size + sum(mean_sizes)

        self.input_norm = nn.BatchNorm2d(1)
        self.blocks = nn.Sequential(
            *(_Block(*sizes, pool=pool) for sizes, pool in zip(itertools.pairwise(channels), POOLS, strict=True))
        )
        self.gru = nn.GRU(frame_sizes[-1], gru_size, num_layers=2, batch_first=True)
        # Means differ little from track to track: as they are, a linear layer learns slowly from them.
        self.mean_norm = nn.BatchNorm1d(sum(mean_sizes), affine=False) if mean_blocks else None
        self.classifier = Classifier(self.embedding_size, outputs, dropout=dropout)

    def forward(self, decibels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Embedding and logits of a batch of chunks.

        Args:
            decibels: (batch, 1, n_mels, frames), at least 96 frames.

        Returns:
            Embedding (batch, embedding_size) and logits {head: (batch, outputs[head])}.

        Raises:
            ConfigError: fewer frames; with means, a single chunk in training.
        """
        if decibels.shape[-1] < POOLED:
            raise ConfigError(
                f"model.chunk_samples={self.chunk_samples}: the CRNN needs at least {POOLED} frames, not "
                f"{decibels.shape[-1]}; give it longer chunks, or a shorter frontend.hop_length"
            )
        if self.mean_norm is not None and self.mean_norm.training:
            check_several(decibels)
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


class _Block(nn.Module):
    """Convolution 3×3, batch normalisation, ReLU, maximum over `pool` = (mel bands, frames)."""

    def __init__(self, inputs: int, outputs: int, *, pool: tuple[int, int]) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm = nn.BatchNorm2d(outputs)
        self.pool = pool

    def forward(self, features: Tensor) -> Tensor:
        features = self.norm(self.conv(features))
        # ReLU is monotonic, so it commutes with the maximum, and comes after it on a fraction of the values.
        return F.relu(F.max_pool2d(features, self.pool))
