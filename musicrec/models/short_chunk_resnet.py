"""Short-Chunk ResNet: seven residual blocks over a few seconds of music."""

import itertools

import torch.nn.functional as F
from torch import Tensor, nn

from musicrec.config.number_types import Count, Share
from musicrec.models._classifier import Classifier, check_several


class ShortChunkResNet(nn.Module):
    """Residual convolutional network for tags and features of a short chunk.

    Won et al., "Evaluation of CNN-based automatic music tagging models", SMC 2020: 12,104,244 parameters with 50
    outputs. Each block halves mel bands and frames; what is left is reduced by its maximum, so that chunks of any
    length work.

    Args:
        outputs: how many logits each head gives, by the head's name.
        n_mels: mel bands of the input.
        chunk_samples: length of the chunks it is trained on, in samples.
        width: channels of the first two blocks; the next four have twice, the last four times as many.
        dropout: before the linear layers of the heads.
    """

    def __init__(
        self,
        outputs: dict[str, int],
        *,
        n_mels: Count = 128,
        chunk_samples: Count = 59_049,
        width: Count = 128,
        dropout: Share = 0.5,
    ) -> None:
        super().__init__()
        self.settings = {"n_mels": n_mels, "chunk_samples": chunk_samples, "width": width, "dropout": dropout}
        self.n_mels = n_mels
        self.chunk_samples = chunk_samples
        self.embedding_size = 4 * width

        channels = (1, *(width * factor for factor in (1, 1, 2, 2, 2, 2, 4)))
        self.input_norm = nn.BatchNorm2d(1)
        self.blocks = nn.Sequential(*(_ResidualBlock(*sizes) for sizes in itertools.pairwise(channels)))
        self.hidden = nn.Linear(4 * width, 4 * width)
        self.hidden_norm = nn.BatchNorm1d(4 * width)
        self.classifier = Classifier(4 * width, outputs, dropout=dropout)

    def forward(self, decibels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Embedding and logits of a batch of chunks.

        Args:
            decibels: (batch, 1, n_mels, frames).

        Returns:
            Embedding (batch, 4 * width) and logits {head: (batch, outputs[head])}.

        Raises:
            ConfigError: a single chunk in training.
        """
        if self.hidden_norm.training:
            check_several(decibels)
        features = self.blocks(self.input_norm(decibels)).amax(dim=(2, 3))
        embedding = F.relu(self.hidden_norm(self.hidden(features)))
        return embedding, self.classifier(embedding)


class _ResidualBlock(nn.Module):
    """Two 3×3 convolutions, the first of stride 2, beside a 3×3 convolution of stride 2 as the shortcut."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=2, padding=1)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Conv2d(inputs, outputs, 3, stride=2, padding=1)
        self.shortcut_norm = nn.BatchNorm2d(outputs)

    def forward(self, features: Tensor) -> Tensor:
        residual = F.relu(self.norm1(self.conv1(features)))
        residual = self.norm2(self.conv2(residual))
        return F.relu(residual + self.shortcut_norm(self.shortcut(features)))
