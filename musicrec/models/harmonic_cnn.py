"""Harmonic CNN: trainable band-pass filters at the harmonics of every pitch, and residual convolutions."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from musicrec.config.number_types import Count, Share
from musicrec.errors import ConfigError
from musicrec.models._classifier import Classifier
from musicrec.models._convolutions import PooledConvolution
from musicrec.models._input_checks import check_batch_size, check_frames
from musicrec.models._time_pooling import Pooling, TimePooling
from musicrec.models.frontends.decibels import POWER_FLOOR, to_decibels

LOWEST_MIDI = 24  # C1
LEAST_BANDS = 128  # seven blocks halve them
LEAST_FRAMES = 288  # 2^5 · 3^2
# Glasberg and Moore 1990: the bandwidth of hearing in hertz is this much of the frequency, and the base.
_BANDWIDTH_SHARE, _BANDWIDTH_BASE_HZ = 0.1079, 24.7


class HarmonicCNN(nn.Module):
    """Convolutional network for tags on harmonically stacked bands.

    Won et al., "Data-driven harmonic filters for audio representation learning", ICASSP 2020: 3,631,551 parameters with
    50 outputs. A channel of the input has the triangular bands at one multiple (1 to 6) of the same 128 fundamental
    frequencies, half a semitone apart from C1 on. One factor scales the widths of all bands, and is learnt. It needs
    frontend=linear, whose bins are summed to these bands.

    Args:
        outputs: {head: number of logits}.
        n_mels: Number of bins from 0 to half the sample rate. The name is that of other networks.
        chunk_samples: Length of the training chunks, in samples.
        sample_rate: Sample rate of the front end, in hertz. The highest fundamental is that note whose highest harmonic
            is nearest to half of it.
        harmonics: Number of harmonics.
        bands_per_semitone: Number of fundamental frequencies per semitone.
        width: Channels of the first four blocks. The others have twice as many.
        dropout: Dropout before the linear layers of the heads.
        pooling: Over time, in longer chunks: "max", "mean", or "attention", a weighted mean whose weights are learnt.

    Raises:
        ConfigError: If there are fewer than 128 fundamental frequencies, or if there is no such pooling.
    """

    needs_frontend = "linear"

    def __init__(
        self,
        outputs: dict[str, int],
        *,
        n_mels: Count = 257,
        chunk_samples: Count = 80_000,
        sample_rate: Count = 16_000,
        harmonics: Count = 6,
        bands_per_semitone: Count = 2,
        width: Count = 128,
        dropout: Share = 0.5,
        pooling: Pooling = "max",
    ) -> None:
        super().__init__()
        self.settings = {
            "n_mels": n_mels,
            "chunk_samples": chunk_samples,
            "sample_rate": sample_rate,
            "harmonics": harmonics,
            "bands_per_semitone": bands_per_semitone,
            "width": width,
            "dropout": dropout,
            "pooling": pooling,
        }
        self.n_mels, self.chunk_samples, self.embedding_size = n_mels, chunk_samples, 2 * width
        highest_midi = round(69 + 12 * math.log2(sample_rate / (2 * harmonics) / 440))
        bands = (highest_midi - LOWEST_MIDI) * bands_per_semitone
        if bands < LEAST_BANDS:
            raise ConfigError(
                f"frontend.sample_rate={sample_rate}, model.harmonics={harmonics}: leave room for {bands} fundamental "
                f"frequencies of the {LEAST_BANDS} that the network needs; use a higher sample rate, fewer harmonics, "
                "or more model.bands_per_semitone"
            )
        self.filters = _HarmonicFilters(n_mels, bands, harmonics, bands_per_semitone, sample_rate)
        self.input_norm = nn.BatchNorm2d(harmonics)
        self.blocks = nn.Sequential(
            PooledConvolution(harmonics, width, pool=(2, 2)),
            *(_PooledResidual(width, pool=(2, 2)) for _ in range(3)),
            PooledConvolution(width, 2 * width, pool=(2, 2)),
            *(_PooledResidual(2 * width, pool=(2, 3)) for _ in range(2)),
        )
        self.time_pooling = TimePooling(2 * width, pooling)
        self.hidden = nn.Linear(2 * width, 2 * width)
        self.hidden_norm = nn.BatchNorm1d(2 * width)
        self.classifier = Classifier(2 * width, outputs, dropout=dropout)

    def forward(self, decibels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the embedding and the logits of a batch of chunks.

        Args:
            decibels: (batch, 1, n_mels, frames) from a `LinearSpectrogram`, with at least 288 frames.

        Returns:
            The embedding (batch, 2 * width) and the logits {head: (batch, outputs[head])}.

        Raises:
            ConfigError: If there are fewer frames, or only one chunk in training.
        """
        check_frames(decibels, LEAST_FRAMES, chunk_samples=self.chunk_samples)
        if self.hidden_norm.training:
            check_batch_size(decibels)
        features = self.blocks(self.input_norm(self.filters(decibels))).amax(dim=2)
        embedding = F.relu(self.hidden_norm(self.hidden(self.time_pooling(features))))
        return embedding, self.classifier(embedding)


class _HarmonicFilters(nn.Module):
    """Sums the bins of a spectrogram to triangular bands around the multiples of fundamental frequencies."""

    def __init__(self, bins: int, bands: int, harmonics: int, bands_per_semitone: int, sample_rate: int) -> None:
        super().__init__()
        midi = [LOWEST_MIDI + band / bands_per_semitone for band in range(bands)]
        centres = [[harmonic * 440 * 2 ** ((note - 69) / 12) for note in midi] for harmonic in range(1, harmonics + 1)]
        bins_hz = [position * sample_rate / 2 / (bins - 1) for position in range(bins)]
        self.register_buffer("centres_hz", torch.tensor(centres), persistent=False)  # (harmonics, bands)
        self.register_buffer("bins_hz", torch.tensor(bins_hz), persistent=False)
        self.quality = nn.Parameter(torch.ones(1))  # divides the bandwidth of hearing

    def forward(self, decibels: Tensor) -> Tensor:
        """Return (batch, harmonics, bands, frames) decibels of (batch, 1, bins, frames); float32 in any precision."""
        with torch.autocast(decibels.device.type, enabled=False):
            # The floor was added for the logarithm. Without it, silence stays silent however many bins are summed.
            power = torch.exp(decibels[:, 0].float() * (math.log(10) / 10)) - POWER_FLOOR
            centres = self.centres_hz.float()[..., None]
            width = (_BANDWIDTH_SHARE * centres + _BANDWIDTH_BASE_HZ) / self.quality.float()
            triangles = (1 - (self.bins_hz.float() - centres).abs() * 2 / width).clamp(min=0)
            return to_decibels(triangles.flatten(0, 1) @ power).unflatten(1, triangles.shape[:2])


class _PooledResidual(nn.Module):
    """Two 3×3 convolutions, added to the input, ReLU and max pooling over (bands, frames)."""

    def __init__(self, channels: int, *, pool: tuple[int, int]) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm2 = nn.BatchNorm2d(channels)
        self.pool = pool

    def forward(self, features: Tensor) -> Tensor:
        residual = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(features)))))
        return F.relu(F.max_pool2d(features + residual, self.pool))
