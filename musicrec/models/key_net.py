"""Key network: convolutions over pitch that a transposition only moves."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from musicrec.config.number_types import Count, Share
from musicrec.errors import ConfigError
from musicrec.heads import Head
from musicrec.heads.keys import KEYS_24, PITCH_CLASSES
from musicrec.models._classifier import Classifier

_RANGE_DB = 60.0  # what lies further below the loudest cell of a chunk counts as silence


class KeyNet(nn.Module):
    """Convolutions along a logarithmic pitch axis, all octaves laid over each other, circular convolutions over the
    twelve pitch classes.

    Each step treats all pitches alike, so music that is n semitones higher gives the same answers n keys on, and one
    example teaches all twelve transpositions. The parts: local filters and a mean over time as in Korzeniowski and
    Widmer 2018, "Genre-agnostic key classification with convolutional neural networks"; equivariance to transposition
    as in Kong et al. 2024, "STONE: self-supervised tonality estimator".

    Args:
        outputs: how many logits each head gives, by the head's name. The head `key`, of 24 outputs or 12 (tonics), in
            the order of `musicrec.heads.keys`, moves with pitch; other heads have a linear layer on the embedding,
            which does not.
        n_mels: bands of the input, whole octaves from the lowest band of a C on.
        chunk_samples: length of the chunks it is trained on, in samples.
        bands_per_octave: of the input, 12 or a multiple: a note has as many bands as it is a multiple.
        width: channels of the first convolutions; later ones have twice as many.
        dropout: before each of the last two layers.

    Raises:
        ConfigError: n_mels are no whole octaves, or bands_per_octave no whole semitones or None, as of a front end that
            has no such bands.
    """

    def __init__(
        self,
        outputs: dict[str, int],
        *,
        n_mels: Count = 216,
        chunk_samples: Count = 240_000,
        bands_per_octave: Count | None = 36,
        width: Count = 16,
        dropout: Share = 0.2,
    ) -> None:
        super().__init__()
        if bands_per_octave is None:
            raise ConfigError("the key network needs bands at equal musical intervals: add frontend=log_frequency")
        if bands_per_octave % 12 or n_mels % bands_per_octave:
            raise ConfigError(
                f"n_mels={n_mels}, bands_per_octave={bands_per_octave}: give whole octaves, such as 216, and a "
                "multiple of 12 bands an octave, such as 36"
            )
        self.settings = {
            "n_mels": n_mels,
            "chunk_samples": chunk_samples,
            "bands_per_octave": bands_per_octave,
            "width": width,
            "dropout": dropout,
        }
        self.n_mels, self.chunk_samples, self.embedding_size = n_mels, chunk_samples, 2 * width
        self.bands_per_note = bands_per_octave // 12

        self.bands = nn.Conv2d(1, width, (5, 3), padding=(2, 1), bias=False)
        self.bands_norm = nn.BatchNorm2d(width)
        self.notes = nn.Conv2d(width, width, (3, 1), padding=(1, 0), bias=False)
        self.notes_norm = nn.BatchNorm2d(width)
        self.octaves = nn.Conv2d(width, 2 * width, (3, 1), padding=(12, 0), dilation=(12, 1), bias=False)
        self.octaves_norm = nn.BatchNorm2d(2 * width)
        self.harmony = nn.Conv1d(2 * width, 2 * width, 12, bias=False)
        self.harmony_norm = nn.BatchNorm1d(2 * width)
        self.dropout = nn.Dropout(dropout)

        rotates = outputs.get("key") in (12, 24)
        others = {name: count for name, count in outputs.items() if not (rotates and name == "key")}
        self.key = nn.Conv1d(2 * width, outputs["key"] // 12, 12) if rotates else None
        self.classifier = Classifier(2 * width, others, dropout=dropout) if others or not outputs else None

    def check_heads(self, heads: Sequence[Head]) -> None:
        """Raises ConfigError where the outputs of the head `key` are not the keys in semitones up from C."""
        for head in heads:
            if self.key is not None and head.name == "key" and head.classes not in (KEYS_24, PITCH_CLASSES):
                raise ConfigError(
                    f"task.heads.key has the classes {', '.join(head.classes)}: the key network answers in semitones "
                    "up from C; leave out task.heads.key.order, or choose another model"
                )

    def forward(self, decibels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Embedding and logits of a batch of chunks.

        Args:
            decibels: (batch, 1, n_mels, frames), of `LogFrequencySpectrogram`.

        Returns:
            Embedding (batch, 2 * width), which a transposition leaves as it is, and logits {head: (batch,
            outputs[head])}.
        """
        loudest = decibels.amax(dim=(1, 2, 3), keepdim=True)
        features = F.relu(decibels - loudest + _RANGE_DB) / (_RANGE_DB / 3)  # silence is 0, as what lies outside
        features = F.elu(self.bands_norm(self.bands(features)))
        features = F.max_pool2d(features, (self.bands_per_note, 1))
        features = F.elu(self.notes_norm(self.notes(features)))
        features = F.elu(self.octaves_norm(self.octaves(features)))
        pitch_classes = features.mean(dim=3).unflatten(2, (-1, 12)).mean(dim=2)
        harmony = F.elu(self.harmony_norm(self.harmony(_around(self.dropout(pitch_classes)))))
        embedding = harmony.mean(dim=2)
        logits = {} if self.key is None else {"key": self.key(_around(self.dropout(harmony))).flatten(1)}
        return embedding, logits if self.classifier is None else logits | self.classifier(embedding)


def _around(pitch_classes: Tensor) -> Tensor:
    """(…, 12) as (…, 23), so that a convolution of 12 gives 12 values, of which each goes once around the circle."""
    return torch.cat([pitch_classes, pitch_classes[..., :11]], dim=-1)
