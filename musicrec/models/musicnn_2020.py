"""MusiCNN as Won et al. compared it with other networks: close to the original, and not the same."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from musicrec.config.number_types import Count, Share
from musicrec.models._classifier import Classifier
from musicrec.models._input_checks import check_batch_size

TIMBRAL_HEIGHTS = (0.7, 0.4)  # of all mel bands
TIMBRAL_FRAMES = 7
TEMPORAL_FRAMES = (129, 65, 33)
MIDDLE_FRAMES = 7


class MusiCNN2020(nn.Module):
    """Musically motivated convolutional network for tags, as its public PyTorch weights need it.

    Won et al., "Evaluation of CNN-based automatic music tagging models", SMC 2020: 784,300 parameters with 50 outputs.
    Unlike `MusiCNN`, the network of Pons et al., it has batch normalisation before ReLU, takes the mean of all bands
    before the temporal filters, has temporal filters of odd length, and its front end is frontend=mel.

    Args:
        outputs: {head: number of logits}.
        n_mels: Number of mel bands.
        chunk_samples: Length of the training chunks, in samples.
        width: Channels of each of the two timbral branches. Each of the three temporal branches has a quarter.
        middle: Channels of each convolution of the middle; 64, or 512 for the Million Song Dataset.
        hidden: Size of the embedding; 200, or 500 for the Million Song Dataset.
        dropout: Dropout before the linear layers of the heads.
    """

    channels_last = False  # as MusiCNN

    def __init__(
        self,
        outputs: dict[str, int],
        *,
        n_mels: Count = 96,
        chunk_samples: Count = 48_000,
        width: Count = 204,
        middle: Count = 64,
        hidden: Count = 200,
        dropout: Share = 0.5,
    ) -> None:
        super().__init__()
        self.settings = {
            "n_mels": n_mels,
            "chunk_samples": chunk_samples,
            "width": width,
            "middle": middle,
            "hidden": hidden,
            "dropout": dropout,
        }
        self.n_mels, self.chunk_samples, self.embedding_size = n_mels, chunk_samples, hidden
        heights = [max(1, int(share * n_mels)) for share in TIMBRAL_HEIGHTS]
        quarter = max(1, width // 4)
        channels = len(heights) * width + len(TEMPORAL_FRAMES) * quarter
        self.input_norm = nn.BatchNorm2d(1)
        self.timbral = nn.ModuleList(_Timbral(width, height) for height in heights)
        self.temporal = nn.ModuleList(_Temporal(1, quarter, frames) for frames in TEMPORAL_FRAMES)
        self.middle = nn.ModuleList(_Temporal(size, middle, MIDDLE_FRAMES) for size in (channels, middle, middle))
        self.hidden = nn.Linear(2 * (channels + 3 * middle), hidden)
        self.hidden_norm = nn.BatchNorm1d(hidden)
        self.classifier = Classifier(hidden, outputs, dropout=dropout)

    def forward(self, decibels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the embedding and the logits of a batch of chunks.

        Args:
            decibels: (batch, 1, n_mels, frames).

        Returns:
            The embedding (batch, hidden) and the logits {head: (batch, outputs[head])}.

        Raises:
            ConfigError: If there is only one chunk in training.
        """
        if self.hidden_norm.training:
            check_batch_size(decibels)
        normalised = self.input_norm(decibels)
        mean = normalised.mean(dim=2)
        branches = [branch(normalised) for branch in self.timbral] + [branch(mean) for branch in self.temporal]
        front = torch.cat(branches, dim=1)
        first = self.middle[0](front)
        second = first + self.middle[1](first)
        third = second + self.middle[2](second)
        features = torch.cat([front, first, second, third], dim=1)
        pooled = torch.cat([features.amax(dim=2), features.mean(dim=2)], dim=1)
        embedding = F.relu(self.hidden_norm(self.hidden(pooled)))
        return embedding, self.classifier(embedding)


class _Timbral(nn.Module):
    """A convolution over `height` bands, batch normalisation, ReLU, and the maximum over all bands."""

    def __init__(self, outputs: int, height: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, outputs, (height, TIMBRAL_FRAMES), padding=(0, TIMBRAL_FRAMES // 2))
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, spectrogram: Tensor) -> Tensor:
        return F.relu(self.norm(self.conv(spectrogram)).amax(dim=2))  # in this order ReLU has fewer values to process


class _Temporal(nn.Module):
    """A convolution over time, batch normalisation and ReLU."""

    def __init__(self, inputs: int, outputs: int, frames: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(inputs, outputs, frames, padding=frames // 2)
        self.norm = nn.BatchNorm1d(outputs)

    def forward(self, features: Tensor) -> Tensor:
        return F.relu(self.norm(self.conv(features)))
