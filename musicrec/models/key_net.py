"""Key network: convolutions over pitch that are equivariant to transposition."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from musicrec.config.number_types import Count, Natural, Share
from musicrec.errors import ConfigError
from musicrec.heads import Head
from musicrec.models._classifier import Classifier
from musicrec.models._key_classes import check_key_classes

_RANGE_DB = 60.0  # levels further below the maximum of a chunk count as silence


class KeyNet(nn.Module):
    """Convolutional network for musical keys that is equivariant to transposition.

    The first convolutions run along a logarithmic pitch axis. Then the octaves are averaged, and circular convolutions
    run over the twelve pitch classes. Each step treats all pitches alike: music that is transposed by n semitones gets
    the same logits, shifted by n keys, so one example teaches all twelve transpositions. The local filters and the mean
    over time follow Korzeniowski and Widmer 2018, "Genre-agnostic key classification with convolutional neural
    networks"; the equivariance follows Kong et al. 2024, "STONE: self-supervised tonality estimator".

    Args:
        outputs: {head: number of logits}. The head `key`, with 24 outputs or 12 (tonics) in the order of
            `musicrec.heads.keys`, is equivariant. Other heads have a linear layer on the embedding, which is invariant.
        n_mels: Number of bands: whole octaves, starting with the lowest band of a C.
        chunk_samples: Length of the training chunks, in samples.
        bands_per_octave: Bands per octave, a multiple of 12: each note has the same number of bands.
        width: Channels of the first convolutions. Later ones have twice as many.
        pool_first: Take the maximum over the bands of a note before normalisation and activation, instead of after
            them. It costs less than half as much.
        chords: Channels of a circular convolution over the twelve pitch classes of each frame, before the mean over
            time. Without it (0), the network knows how often each pitch class sounds, but not which ones sound
            together.
        dropout: Dropout before each of the last two layers.

    Raises:
        ConfigError: If `n_mels` is not a number of whole octaves, if `bands_per_octave` is not a multiple of 12, or if
            it is None because the front end has no such bands.
    """

    def __init__(
        self,
        outputs: dict[str, int],
        *,
        n_mels: Count = 216,
        chunk_samples: Count = 240_000,
        bands_per_octave: Count | None = 36,
        width: Count = 16,
        pool_first: bool = False,
        chords: Natural = 0,
        dropout: Share = 0.2,
    ) -> None:
        super().__init__()
        if bands_per_octave is None:
            raise ConfigError("the key network needs bands at equal musical intervals; add frontend=log_frequency")
        if bands_per_octave % 12 or n_mels % bands_per_octave:
            raise ConfigError(
                f"n_mels={n_mels}, bands_per_octave={bands_per_octave}: give whole octaves, such as 216, and a "
                "multiple of 12 bands per octave, such as 36"
            )
        self.settings = {
            "n_mels": n_mels,
            "chunk_samples": chunk_samples,
            "bands_per_octave": bands_per_octave,
            "width": width,
            "pool_first": pool_first,
            "chords": chords,
            "dropout": dropout,
        }
        self.n_mels, self.chunk_samples, self.embedding_size = n_mels, chunk_samples, 2 * width
        self.bands_per_note, self.pool_first = bands_per_octave // 12, pool_first

        self.bands = nn.Conv2d(1, width, (5, 3), padding=(2, 1), bias=False)
        self.bands_norm = nn.BatchNorm2d(width)
        self.notes = nn.Conv2d(width, width, (3, 1), padding=(1, 0), bias=False)
        self.notes_norm = nn.BatchNorm2d(width)
        self.octaves = nn.Conv2d(width, 2 * width, (3, 1), padding=(12, 0), dilation=(12, 1), bias=False)
        self.octaves_norm = nn.BatchNorm2d(2 * width)
        if chords:
            self.chords = nn.Conv2d(2 * width, chords, (12, 1), bias=False)
            self.chords_norm = nn.BatchNorm2d(chords)
        self.has_chords = bool(chords)
        self.harmony = nn.Conv1d(chords or 2 * width, 2 * width, 12, bias=False)
        self.harmony_norm = nn.BatchNorm1d(2 * width)
        self.dropout = nn.Dropout(dropout)

        has_key = outputs.get("key") in (12, 24)
        others = {name: count for name, count in outputs.items() if not (has_key and name == "key")}
        self.key = nn.Conv1d(2 * width, outputs["key"] // 12, 12) if has_key else None
        self.classifier = Classifier(2 * width, others, dropout=dropout) if others or not outputs else None

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
            decibels: (batch, 1, n_mels, frames) from a `LogFrequencySpectrogram`.

        Returns:
            The embedding (batch, 2 * width), which is invariant to transposition, and the logits
            {head: (batch, outputs[head])}.
        """
        loudest = decibels.amax(dim=(1, 2, 3), keepdim=True)
        features = F.relu(decibels - loudest + _RANGE_DB) / (_RANGE_DB / 3)  # silence is 0, as the padding is
        features = self.bands(features)
        if self.pool_first:
            features = F.elu(self.bands_norm(F.max_pool2d(features, (self.bands_per_note, 1))))
        else:
            features = F.max_pool2d(F.elu(self.bands_norm(features)), (self.bands_per_note, 1))
        features = F.elu(self.notes_norm(self.notes(features)))
        features = F.elu(self.octaves_norm(self._across_octaves(features)))
        if self.has_chords:
            pitch_classes = features.unflatten(2, (-1, 12)).mean(dim=2)  # (batch, channels, 12, frames)
            around = torch.cat([pitch_classes, pitch_classes[:, :, :11]], dim=2)
            over_time = F.elu(self.chords_norm(self.chords(around))).mean(dim=3)
        else:
            over_time = features.mean(dim=3).unflatten(2, (-1, 12)).mean(dim=2)
        harmony = F.elu(self.harmony_norm(self.harmony(_wrap_around(self.dropout(over_time)))))
        embedding = harmony.mean(dim=2)
        logits = {} if self.key is None else {"key": self.key(_wrap_around(self.dropout(harmony))).flatten(1)}
        return embedding, logits if self.classifier is None else logits | self.classifier(embedding)

    def _across_octaves(self, notes: Tensor) -> Tensor:
        """Return the convolution over a note and the notes an octave below and above it.

        In bf16 it is computed without dilation, which gives the same values. On CPUs, oneDNN 3.10 (in PyTorch 2.11)
        writes outside the weight gradient of a dilated convolution in bf16 and channels_last, if its number of input
        channels is above 16 and not a multiple of 16. The gradient is then NaN, or the process crashes. Float32 keeps
        the dilation, so that training gives the same bits as it did for the weights that ship.
        """
        if notes.dtype is not torch.bfloat16:
            return self.octaves(notes)
        by_octave = notes.unflatten(2, (-1, 12)).flatten(3)  # (batch, channels, octaves, 12 · frames)
        summed = F.conv2d(by_octave, self.octaves.weight, padding=(1, 0))
        return summed.unflatten(3, (12, -1)).flatten(2, 3)


def _wrap_around(pitch_classes: Tensor) -> Tensor:
    """Extend (…, 12) to (…, 23), so that a convolution of size 12 has 12 outputs, each over all pitch classes."""
    return torch.cat([pitch_classes, pitch_classes[..., :11]], dim=-1)
