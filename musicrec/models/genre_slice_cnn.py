"""A genre CNN on square slices of a mel spectrogram, whose embedding is averaged over the slices."""

import itertools

import torch.nn.functional as F
from torch import Tensor, nn

from musicrec.config.number_types import Count, Share
from musicrec.errors import ConfigError
from musicrec.models._classifier import Classifier
from musicrec.models._input_checks import check_frames
from musicrec.models._keras_norm import keras_norm

SLICE_FRAMES = 128
_KERNELS, _STRIDES = (7, 7, 3, 3), (1, 2, 1, 1)
_DROPOUTS = (1.0, 1.0, 0.5, 0.0)  # before the layers of 1024, 256, 64 and 32, as multiples of the first


class GenreSliceCNN(nn.Module):
    """Convolutional network for genres, with an embedding of 32 values made for recommendation.

    From the project "Music recommendation using deep learning" (github.com/Yakuho/MusicRecommendationUsingCNN is a
    public copy), trained there on the eight genres of FMA small: 4,266,474 parameters with 8 outputs. The spectrogram
    is cut into slices of 128 frames, 3 s. The mean of their embeddings describes the music, and the cosine between two
    means is the similarity. There, slices were grey images; here, batch normalisation of the input scales decibels. It
    needs frontend=librosa_mel, and had its bands up to 8 kHz (frontend.f_max=8000).

    Args:
        outputs: {head: number of logits}.
        n_mels: Number of mel bands, at least 104.
        chunk_samples: Length of the training chunks, in samples. The default is one slice.
        width: Channels of the first convolution, and twice the size of the embedding.
        dropout: Dropout before the first two fully connected layers; before the third, it is half of this.

    Raises:
        ConfigError: If there are too few mel bands for the convolutions, or if the width is odd.
    """

    def __init__(
        self,
        outputs: dict[str, int],
        *,
        n_mels: Count = 128,
        chunk_samples: Count = 65_024,
        width: Count = 64,
        dropout: Share = 0.5,
    ) -> None:
        super().__init__()
        rows, columns = _remaining(n_mels), _remaining(SLICE_FRAMES)
        if rows < 1:
            raise ConfigError(f"model.n_mels={n_mels}: leaves the convolutions no band; give 128")
        if width % 2:
            raise ConfigError(f"model.width={width}: the embedding has half as many values; give an even number")
        self.settings = {"n_mels": n_mels, "chunk_samples": chunk_samples, "width": width, "dropout": dropout}
        self.n_mels, self.chunk_samples, self.embedding_size = n_mels, chunk_samples, width // 2
        channels = (1, width, 2 * width, 4 * width, 8 * width)
        self.input_norm = nn.BatchNorm2d(1)
        self.blocks = nn.Sequential(
            *map(_Block, channels[:-1], channels[1:], _KERNELS, _STRIDES), keras_norm(nn.BatchNorm2d, channels[-1])
        )
        sizes = (channels[-1] * rows * columns, 16 * width, 4 * width, width, width // 2)
        self.flat_norm = keras_norm(nn.BatchNorm1d, sizes[0])
        self.hidden = nn.ModuleList(nn.Linear(*pair) for pair in itertools.pairwise(sizes))
        self.dropouts = nn.ModuleList(nn.Dropout(share * dropout) for share in _DROPOUTS)
        self.classifier = Classifier(width // 2, outputs, dropout=0.0)

    def forward(self, decibels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the embedding and the logits of a batch of chunks.

        Args:
            decibels: (batch, 1, n_mels, frames) with at least 128 frames. What follows the last whole slice is unheard.

        Returns:
            The mean embedding of the slices (batch, width / 2), not negative, and the logits
            {head: (batch, outputs[head])}.

        Raises:
            ConfigError: If there are fewer frames than a slice has.
        """
        check_frames(decibels, SLICE_FRAMES, chunk_samples=self.chunk_samples)
        slices = decibels.shape[-1] // SLICE_FRAMES
        cut = self.input_norm(decibels)[..., : slices * SLICE_FRAMES].unflatten(3, (slices, SLICE_FRAMES))
        features = self.blocks(cut.movedim(3, 1).flatten(0, 1))
        features = self.flat_norm(features.flatten(1))
        for dropout, linear in zip(self.dropouts, self.hidden, strict=True):
            features = F.relu(linear(dropout(features)))
        embedding = features.unflatten(0, (-1, slices)).mean(dim=1)
        return embedding, self.classifier(embedding)


def _remaining(size: int) -> int:
    """Return how many of `size` bands or frames the four blocks leave."""
    for kernel, stride in zip(_KERNELS, _STRIDES, strict=True):
        size = ((size - kernel) // stride + 1) // 2
    return size


class _Block(nn.Module):
    """A convolution without padding, ReLU, batch normalisation and mean pooling that halves."""

    def __init__(self, inputs: int, outputs: int, size: int, stride: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, size, stride=stride)
        self.norm = keras_norm(nn.BatchNorm2d, outputs)

    def forward(self, features: Tensor) -> Tensor:
        return F.avg_pool2d(self.norm(F.relu(self.conv(features))), 2)
