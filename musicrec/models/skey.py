"""S-KEY: a small ConvNeXt over pitch and time whose outputs are the keys of pitch classes."""

import itertools
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from musicrec.config.number_types import Count, Share
from musicrec.errors import ConfigError
from musicrec.heads import Head
from musicrec.models._classifier import Classifier
from musicrec.models._key_classes import check_key_classes

KERNELS = (7, 7, 7, 7, 7, 5, 5)
LEAST_FRAMES = 2 ** len(KERNELS)  # every block halves their number
_RANGE_DB = 160.0  # levels further below the maximum of a chunk count as silence
_TILT_DB = -10.0 * torch.log10(torch.tensor(2.0)).item() / 12  # per semitone: published filters get louder downwards
_FIRST_MAJOR, _FIRST_MINOR = 9, 11  # the keys of the lowest band, which is an A: A major and B minor
_LAYER_SCALE = 0.1
_EPSILON = 1e-5


class SKey(nn.Module):
    """The network of Kong et al. 2025, "S-KEY: self-supervised learning of major and minor keys from audio".

    Seven times, a convolution halves the frames, and a block of ConvNeXt (Liu et al. 2022) follows. Each is normalised
    over all channels, bands and frames of a chunk, so that the level does not matter. Then the octaves and the frames
    are averaged, and one linear layer for all pitch classes gives a logit for a major and a minor key each. As nothing
    but the octaves depends on the place of a band, music that is transposed gets nearly the same logits, shifted.

    Args:
        outputs: {head: number of logits}. The head `key`, with 24 outputs or 12 (tonics) in the order of
            `musicrec.heads.keys`, has the layer described above. Other heads have a linear layer on the embedding.
        n_mels: Number of bands, one per semitone: whole octaves, starting with the lowest band of an A.
        chunk_samples: Length of the training chunks, in samples. There must be at least 128 frames in it; shorter input
            is extended by its last frame.
        bands_per_octave: Bands per octave, which is 12.
        width: Channels of the two blocks in the middle; the others have 2, 3, 3/4 of it, 1/4 of it and 3.
        dropout: Probability that a block is left out for an example in training, and that a feature is dropped before
            the linear layers of other heads.

    Raises:
        ConfigError: If `n_mels` is not a number of whole octaves, if there is not one band per semitone, or if `width`
            is below 4.
    """

    def __init__(
        self,
        outputs: dict[str, int],
        *,
        n_mels: Count = 84,
        chunk_samples: Count = 240_000,
        bands_per_octave: Count | None = 12,
        width: Count = 40,
        dropout: Share = 0.1,
    ) -> None:
        super().__init__()
        if bands_per_octave != 12 or n_mels % 12:
            raise ConfigError(
                f"n_mels={n_mels}, bands_per_octave={bands_per_octave}: S-KEY needs one band per semitone and whole "
                "octaves, such as 84; add frontend=constant_q"
            )
        if width < 4:
            raise ConfigError(f"model.width={width}: must be at least 4, as one block has a quarter of it")
        self.settings = {
            "n_mels": n_mels,
            "chunk_samples": chunk_samples,
            "bands_per_octave": bands_per_octave,
            "width": width,
            "dropout": dropout,
        }
        channels = (1, 2, 3, width, width, 3 * width // 4, width // 4, 3)
        self.n_mels, self.chunk_samples, self.embedding_size = n_mels, chunk_samples, 12 * channels[-1]
        self.register_buffer("tilt", _TILT_DB * torch.arange(n_mels, dtype=torch.float32)[:, None], persistent=False)
        self.halvings = nn.ModuleList(_Halving(before, after) for before, after in itertools.pairwise(channels))
        self.blocks = nn.ModuleList(
            _ConvNeXtBlock(width, kernel, skipped=dropout) for width, kernel in zip(channels[1:], KERNELS, strict=True)
        )
        has_key = outputs.get("key") in (12, 24)
        others = {name: count for name, count in outputs.items() if not (has_key and name == "key")}
        self.key = nn.Conv1d(channels[-1], outputs["key"] // 12, 1) if has_key else None
        self.key_norm = nn.BatchNorm1d(outputs["key"] // 12, affine=False) if has_key else None
        self.classifier = Classifier(self.embedding_size, others, dropout=dropout) if others or not outputs else None

    def check_heads(self, heads: Sequence[Head]) -> None:
        """Check that the head `key` has its classes in semitones up from C, as this network does.

        Raises:
            ConfigError: If the order of its classes is another one.
        """
        if self.key is not None:
            check_key_classes(heads)

    def forward(self, decibels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the embedding and the logits of a batch of chunks.

        Args:
            decibels: (batch, 1, n_mels, frames) from a `ConstantQSpectrogram` that starts with an A.

        Returns:
            The embedding (batch, 36), three features of each pitch class from A on, and the logits
            {head: (batch, outputs[head])}.
        """
        features = decibels + self.tilt
        features = features.maximum(features.amax(dim=(1, 2, 3), keepdim=True) - _RANGE_DB) / _RANGE_DB
        if features.shape[3] < LEAST_FRAMES:
            features = F.pad(features, (0, LEAST_FRAMES - features.shape[3], 0, 0), mode="replicate")
        for halving, block in zip(self.halvings, self.blocks, strict=True):
            features = block(halving(features))
        pitch_classes = features.unflatten(2, (-1, 12)).mean(dim=(2, 4))  # (batch, 3, 12)
        embedding = pitch_classes.flatten(1)
        logits = {}
        if self.key is not None and self.key_norm is not None:
            modes = self.key_norm(self.key(pitch_classes)).unbind(1)  # (batch, 12) each
            firsts = (_FIRST_MAJOR, _FIRST_MINOR)[: len(modes)]
            logits["key"] = torch.cat([mode.roll(first, 1) for mode, first in zip(modes, firsts, strict=True)], dim=1)
        return embedding, logits if self.classifier is None else logits | self.classifier(embedding)


class _Halving(nn.Module):
    """A convolution over two frames that halves their number."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, (1, 2), stride=(1, 2))

    def forward(self, features: Tensor) -> Tensor:
        # The convolution as a product of matrices: with a stride, processors with AMX leave out elements in bfloat16.
        pairs = _normalised(features)[..., : features.shape[3] // 2 * 2].unflatten(3, (-1, 2))
        halved = F.linear(pairs.permute(0, 2, 3, 1, 4).flatten(3), self.conv.weight.flatten(1), self.conv.bias)
        return F.gelu(halved.permute(0, 3, 1, 2))


class _ConvNeXtBlock(nn.Module):
    """A convolution per channel, and two linear layers per place; the result is added to the input."""

    def __init__(self, channels: int, kernel: int, *, skipped: float) -> None:
        super().__init__()
        self.spread = nn.Conv2d(
            channels, channels, kernel, padding=kernel // 2, padding_mode="replicate", groups=channels
        )
        self.expand = nn.Linear(channels, 4 * channels)
        self.reduce = nn.Linear(4 * channels, channels)
        self.scale = nn.Parameter(torch.full((channels,), _LAYER_SCALE))
        self.skipped = skipped

    def forward(self, features: Tensor) -> Tensor:
        """Return (batch, channels, bands, frames) of the same shape."""
        change = self.spread(features)
        change = _normalised(change).permute(0, 2, 3, 1)
        change = (self.scale * self.reduce(F.gelu(self.expand(change)))).permute(0, 3, 1, 2)
        if self.training and self.skipped:
            kept = torch.rand(len(change), 1, 1, 1, device=change.device) >= self.skipped
            change = change * kept / (1 - self.skipped)
        return features + change


def _normalised(features: Tensor) -> Tensor:
    """Normalise each chunk over all channels, bands and frames."""
    if torch.jit.is_tracing():  # the graph of `layer_norm` would hold a weight for every place
        centred = features - features.mean(dim=(1, 2, 3), keepdim=True)
        return centred / (centred.square().mean(dim=(1, 2, 3), keepdim=True) + _EPSILON).sqrt()
    return F.layer_norm(features, features.shape[1:], eps=_EPSILON)
