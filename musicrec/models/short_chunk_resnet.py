"""Short-Chunk ResNet: seven residual blocks over a few seconds of music."""

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from musicrec.config.number_types import Count, Share
from musicrec.models._classifier import Classifier, check_batch_size


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
            features = block(features) if features.shape[-1] > 1 else _in_float32(block, features)
        embedding = F.relu(self.hidden_norm(self.hidden(features.amax(dim=(2, 3)))))
        return embedding, self.classifier(embedding)


def _in_float32(block: nn.Module, features: Tensor) -> Tensor:
    """Apply a block to a single frame, left by chunks of 64 frames or fewer.

    On CPUs, oneDNN 3.10 (in PyTorch 2.11) does not set the whole weight gradient of a bf16 convolution with stride over
    a single frame. The columns of a filter that meet only padding have a gradient of zero, but hold what was in memory.
    """
    with torch.autocast(features.device.type, enabled=False):
        return block(features.float())


class _ResidualBlock(nn.Module):
    """Two 3×3 convolutions, the first with stride 2, and a 3×3 convolution with stride 2 as the shortcut."""

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
