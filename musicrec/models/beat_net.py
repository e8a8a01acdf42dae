"""Beat network: small convolutions over frequency, and a temporal convolutional network over frames."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from musicrec.config.number_types import Count, Share
from musicrec.errors import ConfigError
from musicrec.heads import Head
from musicrec.heads.frames import is_frame_wise
from musicrec.models._classifier import Classifier

_RANGE_DB = 80.0  # levels further below the maximum of a chunk count as silence
_POOLS = (3, 4)  # over bands, after the first and after the second convolution
_KERNEL = 5


class BeatNet(nn.Module):
    """Temporal convolutional network for beats and downbeats, without pooling over time.

    After Böck and Davies 2020, "Deconstruct, analyse, reconstruct: how to improve tempo, beat, and downbeat
    estimation": two convolutions over frequency, then residual blocks with convolutions over time, whose dilation
    doubles from block to block. With nine blocks, a frame hears 16 s to both sides at 62.5 frames per second.

    Args:
        outputs: {head: number of logits}. The head `beats` has logits for every frame, (batch, 2, frames). Other heads
            have a linear layer on the embedding, the mean over time.
        n_mels: Number of bands, on any frequency scale.
        chunk_samples: Length of the training chunks, in samples.
        sample_rate: Sample rate of the front end, in hertz.
        hop_length: Hop length of the front end, in samples.
        width: Channels of the blocks; the first convolution has half as many.
        blocks: Number of blocks.
        dropout: Dropout in every block, and before the linear layers of other heads.

    Raises:
        ConfigError: If there are fewer than 12 bands.
    """

    def __init__(
        self,
        outputs: dict[str, int],
        *,
        n_mels: Count = 48,
        chunk_samples: Count = 320_000,
        sample_rate: Count = 16_000,
        hop_length: Count = 256,
        width: Count = 32,
        blocks: Count = 9,
        dropout: Share = 0.15,
    ) -> None:
        super().__init__()
        bands = n_mels // _POOLS[0] // _POOLS[1]
        if not bands:
            raise ConfigError(f"model.n_mels={n_mels}: the beat network needs 12 bands or more")
        self.settings = {
            "n_mels": n_mels,
            "chunk_samples": chunk_samples,
            "sample_rate": sample_rate,
            "hop_length": hop_length,
            "width": width,
            "blocks": blocks,
            "dropout": dropout,
        }
        self.n_mels, self.chunk_samples, self.embedding_size = n_mels, chunk_samples, width
        self.output_rate = sample_rate / hop_length
        half = max(1, width // 2)
        self.input_norm = nn.BatchNorm2d(1)
        self.first = nn.Sequential(nn.Conv2d(1, half, 3, padding=1, bias=False), nn.BatchNorm2d(half))
        self.second = nn.Sequential(nn.Conv2d(half, width, (3, 1), padding=(1, 0), bias=False), nn.BatchNorm2d(width))
        self.bands = nn.Conv1d(width * bands, width, 1)
        self.blocks = nn.ModuleList(_Block(width, 2**number, dropout=dropout) for number in range(blocks))
        self.curves = nn.Conv1d(width, outputs["beats"], 1) if "beats" in outputs else None
        others = {name: count for name, count in outputs.items() if name != "beats"}
        self.classifier = Classifier(width, others, dropout=dropout) if others or not outputs else None

    def check_heads(self, heads: Sequence[Head]) -> None:
        """Check that the frames of the head `beats` are those of this network, and that no other head has frames.

        Raises:
            ConfigError: They are not.
        """
        for head in heads:
            if is_frame_wise(head) != (head.name == "beats"):
                raise ConfigError(f"task.heads.{head.name}: only the head called beats gets frames of a beat network")
            if is_frame_wise(head) and abs(head.frame_rate - self.output_rate) > 1e-6:
                raise ConfigError(
                    f"task.heads.{head.name}.frame_rate={head.frame_rate}: the front end has {self.output_rate} frames "
                    "per second; set the same"
                )

    def forward(self, decibels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the embedding (batch, width) and the logits {head: (batch, classes)}, of beats (batch, 2, frames).

        Args:
            decibels: (batch, 1, n_mels, frames).
        """
        loudest = decibels.amax(dim=(2, 3), keepdim=True)
        features = self.input_norm((decibels - loudest).clamp(min=-_RANGE_DB))
        features = F.max_pool2d(F.elu(self.first(features)), (_POOLS[0], 1))
        features = F.max_pool2d(F.elu(self.second(features)), (_POOLS[1], 1))
        features = F.elu(self.bands(features.flatten(1, 2)))
        for block in self.blocks:
            features = block(features)
        embedding = features.mean(dim=2)
        logits = {} if self.classifier is None else self.classifier(embedding)
        if self.curves is not None:
            logits["beats"] = self.curves(features)
        return embedding, logits


class _Block(nn.Module):
    """A dilated convolution over time, and one over channels, added to the input."""

    def __init__(self, width: int, dilation: int, *, dropout: float) -> None:
        super().__init__()
        padding = dilation * (_KERNEL - 1) // 2
        self.over_time = nn.Conv1d(width, width, _KERNEL, padding=padding, dilation=dilation, bias=False)
        self.norm = nn.BatchNorm1d(width)
        self.dropout = nn.Dropout1d(dropout)
        self.over_channels = nn.Conv1d(width, width, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Return features of the same shape, (batch, width, frames)."""
        return features + self.over_channels(self.dropout(F.elu(self.norm(self.over_time(features)))))
