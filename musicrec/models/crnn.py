"""CRNN: convolutions that listen to short patterns, a recurrent layer that sums them up over half a minute."""

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from musicrec.errors import ConfigError
from musicrec.models._classifier import Classifier
from musicrec.quantities import Count, Share

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
        mean_features: whether the mean over time of what the convolutions heard stands beside the last state in the
            embedding; the published network has the state alone. With few or short tracks the state is learnt late,
            the mean at once.

    Raises:
        ConfigError: a setting that leaves nothing after pooling.
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
        mean_features: bool = False,
    ) -> None:
        super().__init__()
        if n_mels < POOLED:
            raise ConfigError(f"model.n_mels={n_mels}: the CRNN pools {POOLED} bands into one; give {POOLED} or more")
        self.settings = {
            "n_mels": n_mels,
            "chunk_samples": chunk_samples,
            "width": width,
            "gru_size": gru_size,
            "dropout": dropout,
            "mean_features": mean_features,
        }
        self.n_mels = n_mels
        self.chunk_samples = chunk_samples
        self.mean_features = mean_features
        steps_size = 2 * width * (n_mels // POOLED)
        self.embedding_size = gru_size + steps_size * mean_features

        channels = (1, width, 2 * width, 2 * width, 2 * width)
        self.input_norm = nn.BatchNorm2d(1)
        self.blocks = nn.Sequential(
            *(_Block(*sizes, pool=pool) for sizes, pool in zip(itertools.pairwise(channels), POOLS, strict=True))
        )
        self.gru = nn.GRU(steps_size, gru_size, num_layers=2, batch_first=True)
        self.classifier = Classifier(self.embedding_size, outputs, dropout=dropout)

    def forward(self, decibels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Embedding and logits of a batch of chunks.

        Args:
            decibels: (batch, 1, n_mels, frames), at least 96 frames.

        Returns:
            Embedding (batch, embedding_size) and logits {head: (batch, outputs[head])}.
        """
        if decibels.shape[-1] < POOLED:
            raise ConfigError(
                f"model.chunk_samples={self.chunk_samples}: the CRNN needs at least {POOLED} frames, not "
                f"{decibels.shape[-1]}; give it longer chunks, or a shorter frontend.hop_length"
            )
        features = self.blocks(self.input_norm(decibels))
        steps = features.flatten(1, 2).transpose(1, 2)
        states, _ = self.gru(steps)
        embedding = torch.cat([states[:, -1], steps.mean(dim=1)], dim=1) if self.mean_features else states[:, -1]
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
