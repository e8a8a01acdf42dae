"""The CNN of the best-known tutorial on genres: three convolutions on the MFCCs of three seconds."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from musicrec.config.number_types import Count, Natural, Share
from musicrec.errors import ConfigError
from musicrec.models._classifier import Classifier
from musicrec.models._keras_norm import keras_norm

_RANGE_DB = 80.0  # as librosa's power_to_db: levels further below the maximum of a chunk are raised to this


class GtzanCNN(nn.Module):
    """Small convolutional network for genres, on segments of 3 s.

    From lesson 16 of V. Velardo's course "Deep learning for audio with Python"
    (github.com/musikalkemist/DeepLearningForAudioWithPython, 2020), trained there on GTZAN, ten segments per track:
    45,322 parameters with 10 outputs. The 13 MFCCs of a frame are the first terms of the cosine transform of 128 mel
    bands in decibels; the network computes them itself. It needs frontend=librosa_mel, which has librosa's settings.

    Args:
        outputs: {head: number of logits}.
        n_mels: Number of mel bands.
        chunk_samples: Length of the training chunks, in samples.
        hop_length: Hop length of the front end, in samples.
        coefficients: Number of MFCCs, at least 11; 0 to hear the mel bands themselves.
        width: Channels of the convolutions. The embedding has twice as many.
        dropout: Dropout before the linear layers of the heads.

    Raises:
        ConfigError: If there are too few MFCCs, or fewer mel bands than MFCCs, or if chunks are too short.
    """

    def __init__(
        self,
        outputs: dict[str, int],
        *,
        n_mels: Count = 128,
        chunk_samples: Count = 66_150,
        hop_length: Count = 512,
        coefficients: Natural = 13,
        width: Count = 32,
        dropout: Share = 0.3,
    ) -> None:
        super().__init__()
        self.settings = {
            "n_mels": n_mels,
            "chunk_samples": chunk_samples,
            "hop_length": hop_length,
            "coefficients": coefficients,
            "width": width,
            "dropout": dropout,
        }
        if coefficients > n_mels:
            raise ConfigError(f"model.coefficients={coefficients}: there are only model.n_mels={n_mels} bands")
        rows, self.places = _remaining(coefficients or n_mels), _remaining(chunk_samples // hop_length + 1)
        if rows < 1 or self.places < 1:
            raise ConfigError(
                f"model.coefficients={coefficients}, model.chunk_samples={chunk_samples}: the convolutions need at "
                "least 11 rows and 11 frames"
            )
        self.n_mels, self.chunk_samples, self.embedding_size = n_mels, chunk_samples, 2 * width
        self.register_buffer("cosines", _cosine_transform(coefficients, n_mels), persistent=False)
        self.blocks = nn.Sequential(
            _Block(1, width, size=3, pool=3), _Block(width, width, size=3, pool=3), _Block(width, width, size=2, pool=2)
        )
        self.hidden = nn.Linear(width * rows * self.places, 2 * width)
        self.classifier = Classifier(2 * width, outputs, dropout=dropout)

    def forward(self, decibels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the embedding and the logits of a batch of chunks.

        Args:
            decibels: (batch, 1, n_mels, frames). In chunks of another length than `chunk_samples`, neighbouring
                features are averaged to the same number.

        Returns:
            The embedding (batch, 2 * width) and the logits {head: (batch, outputs[head])}.
        """
        features = self.blocks(self.coefficients(decibels))
        if features.shape[3] != self.places:
            features = F.adaptive_avg_pool2d(features, (features.shape[2], self.places))
        embedding = F.relu(self.hidden(features.flatten(1)))
        return embedding, self.classifier(embedding)

    def coefficients(self, decibels: Tensor) -> Tensor:
        """Return the MFCCs (batch, 1, coefficients, frames), as librosa's `mfcc` does, or the bands if there are none.

        Args:
            decibels: (batch, 1, n_mels, frames).
        """
        with torch.autocast(decibels.device.type, enabled=False):
            decibels = decibels.float()
            decibels = decibels.maximum(decibels.amax(dim=(1, 2, 3), keepdim=True) - _RANGE_DB)
            return self.cosines.float() @ decibels if len(self.cosines) else decibels


def _remaining(size: int) -> int:
    """Return how many of `size` rows or frames the three blocks leave: without padding, then half, rounded up."""
    for kernel in (3, 3, 2):
        size = (size - kernel + 2) // 2
    return size


def _cosine_transform(coefficients: int, bands: int) -> Tensor:
    """Return the orthonormal cosine transform (type 2) of `bands` values, (coefficients, bands) float32."""
    rows = [
        [
            math.sqrt((1 if row == 0 else 2) / bands) * math.cos(math.pi * row * (band + 0.5) / bands)
            for band in range(bands)
        ]
        for row in range(coefficients)
    ]
    return torch.tensor(rows).reshape(coefficients, bands)


class _Block(nn.Module):
    """A convolution without padding, ReLU, max pooling that halves, and batch normalisation."""

    def __init__(self, inputs: int, outputs: int, *, size: int, pool: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, size)
        self.norm = keras_norm(nn.BatchNorm2d, outputs)
        self.pool = pool

    def forward(self, features: Tensor) -> Tensor:
        features = F.relu(self.conv(features))
        # Keras pads on both sides, and with an odd number by one more at the end; ReLU leaves nothing below zero.
        padding = []
        for size in (features.shape[3], features.shape[2]):
            missing = max(0, (math.ceil(size / 2) - 1) * 2 + self.pool - size)
            padding += [missing // 2, missing - missing // 2]
        return self.norm(F.max_pool2d(F.pad(features, padding), self.pool, stride=2))
