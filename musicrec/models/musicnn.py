"""MusiCNN: filters with the shapes of timbres and of rhythms, over three seconds of music."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from musicrec.config.number_types import Count, Share
from musicrec.models._classifier import Classifier
from musicrec.models._input_checks import check_batch_size
from musicrec.models._keras_norm import keras_norm
from musicrec.models._musicnn_compact import CompactMusiCNN

TIMBRAL_HEIGHTS = (0.4, 0.7)  # of all mel bands
TIMBRAL_FRAMES = 7
TEMPORAL_FRAMES = (128, 64, 32)
MIDDLE_FRAMES = 7


class MusiCNN(nn.Module):
    """Musically motivated convolutional network for tags.

    Pons et al., "End-to-end learning for music audio tagging at scale", ISMIR 2018, in the form of Pons and Serra,
    "musicnn: pre-trained convolutional neural networks for music audio tagging", 2019: 787,159 parameters with 50
    outputs. Tall filters hear timbres and long filters hear rhythms; each keeps its maximum over all bands, so neither
    depends on pitch. Three convolutions over time follow, then the maximum and the mean over the chunk. The published
    weights want the settings of conf/frontend/musicnn.yaml, and patches cut from the spectrogram of a whole track.

    Args:
        outputs: {head: number of logits}.
        n_mels: Number of mel bands.
        chunk_samples: Length of the training chunks, in samples.
        hop_length: Hop length of the front end, in samples.
        width: Channels of each of the two timbral branches. Each of the three temporal branches has a quarter.
        middle: Channels of each convolution of the middle.
        hidden: Size of the embedding.
        dropout: Dropout before the embedding, and before the linear layers of the heads.

    Attributes:
        chunk_frames: Length of a chunk in frames. Whole tracks are cut into patches of this many frames.
    """

    channels_last = False  # with one input channel and the maximum over bands, that layout takes 1.6 times as long

    def __init__(
        self,
        outputs: dict[str, int],
        *,
        n_mels: Count = 96,
        chunk_samples: Count = 47_616,
        hop_length: Count = 256,
        width: Count = 204,
        middle: Count = 64,
        hidden: Count = 200,
        dropout: Share = 0.5,
    ) -> None:
        super().__init__()
        self.settings = {
            "n_mels": n_mels,
            "chunk_samples": chunk_samples,
            "hop_length": hop_length,
            "width": width,
            "middle": middle,
            "hidden": hidden,
            "dropout": dropout,
        }
        self.n_mels, self.chunk_samples, self.embedding_size = n_mels, chunk_samples, hidden
        self.chunk_frames = chunk_samples // hop_length + 1

        shapes = [(max(1, int(share * n_mels)), TIMBRAL_FRAMES, width) for share in TIMBRAL_HEIGHTS]
        shapes += [(1, frames, max(1, width // 4)) for frames in TEMPORAL_FRAMES]
        channels = sum(count for _, _, count in shapes)
        self.input_norm = keras_norm(nn.BatchNorm2d, 1)
        self.branches = nn.ModuleList(_Branch(count, height, frames) for height, frames, count in shapes)
        self.middle = nn.ModuleList(_Middle(inputs, middle) for inputs in (channels, middle, middle))
        pooled = 2 * (channels + 3 * middle)
        self.pooled_norm = keras_norm(nn.BatchNorm1d, pooled)
        self.dropout = nn.Dropout(dropout)
        self.hidden = nn.Linear(pooled, hidden)
        self.hidden_norm = keras_norm(nn.BatchNorm1d, hidden)
        self.classifier = Classifier(hidden, outputs, dropout=dropout)

    def forward(self, spectrogram: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the embedding and the logits of a batch of chunks.

        Args:
            spectrogram: (batch, 1, n_mels, frames).

        Returns:
            The embedding (batch, hidden) and the logits {head: (batch, outputs[head])}.

        Raises:
            ConfigError: If there is only one chunk in training.
        """
        if self.hidden_norm.training:
            check_batch_size(spectrogram)
        normalised = self.input_norm(spectrogram)
        front = torch.cat([branch(normalised) for branch in self.branches], dim=1)
        first = self.middle[0](front)
        second = first + self.middle[1](first)
        third = second + self.middle[2](second)
        features = torch.cat([front, first, second, third], dim=1)
        return self.answer(torch.stack([features.amax(dim=2), features.mean(dim=2)], dim=2).flatten(1))

    def answer(self, pooled: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the embedding and the logits of the maximum and the mean of each channel, (batch, 2 · channels)."""
        hidden = F.relu(self.hidden(self.dropout(self.pooled_norm(pooled))))
        embedding = self.hidden_norm(hidden)
        return embedding, self.classifier(embedding)

    def for_inference(self) -> CompactMusiCNN:
        """Return a faster form with the same answers, for as long as the weights stay as they are."""
        return CompactMusiCNN(self.eval())


class _Branch(nn.Module):
    """A convolution over `height` bands and `frames`, ReLU, batch normalisation, and the maximum over all bands."""

    def __init__(self, channels: int, height: int, frames: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, channels, (height, frames))
        self.norm = keras_norm(nn.BatchNorm2d, channels)
        self.padding = ((frames - 1) // 2, frames // 2)  # as TensorFlow: the odd frame at the end

    def forward(self, spectrogram: Tensor) -> Tensor:
        """Return (batch, channels, frames) of a spectrogram (batch, 1, n_mels, frames)."""
        return self.norm(F.relu(self.conv(F.pad(spectrogram, self.padding)))).amax(dim=2)


class _Middle(nn.Module):
    """A convolution over time, ReLU and batch normalisation."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(inputs, outputs, MIDDLE_FRAMES, padding=MIDDLE_FRAMES // 2)
        self.norm = keras_norm(nn.BatchNorm1d, outputs)

    def forward(self, features: Tensor) -> Tensor:
        return self.activate(self.conv(features))

    def activate(self, convolved: Tensor) -> Tensor:
        return self.norm(F.relu(convolved))
