"""Tempo network: how strongly the onsets of each band repeat at every tempo, and a small network that chooses."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from musicrec.config.number_types import Count, Positive, Share
from musicrec.errors import ConfigError
from musicrec.heads import Head
from musicrec.models._classifier import Classifier

HARMONICS = (1 / 4, 1 / 3, 1 / 2, 2 / 3, 1, 4 / 3, 3 / 2, 2, 3, 4, 6, 8)
_RANGE_DB = 80.0  # what lies further below the loudest cell of a chunk makes no onset
_QUIET = 0.05  # mean onset strength, in dB a frame, below which a chunk counts as still
_NO_POWER = 1e-12  # keeps the slope of a square root finite


class TempoNet(nn.Module):
    """Convolutions along the tempo axis of a harmonic tempogram.

    The tempogram is computed, not learnt: onset strength in bands (rising decibels), its Fourier magnitude on a
    logarithmic tempo axis, and the same axis read at multiples of the tempo, as in DeepRhythm (github.com/bleugreen/
    deeprhythm, 2023; harmonic stacking as Bittner et al. 2017). A change of tempo moves all of it along the axis, so
    that filters shared along it, as Schreiber and Müller 2019 share theirs over time, learn from few tempi for all.
    A channel with the place on the axis tells fast from slow. The answer is the height of a curve over tempo, one
    value a class of the head `tempo`; its peak lies between two classes, and the head reads it there.

    Args:
        outputs: how many logits each head gives, by the head's name. Those of `tempo` are the tempo axis: class i is
            min_bpm * 2^((i + 0.5) / classes_per_octave), as in `TempoHead` without `edges_bpm`. Other heads have a
            linear layer on the embedding.
        n_mels: bands of the input; any scale will do.
        chunk_samples: length of the chunks it is trained on, in samples.
        sample_rate, hop_length: of the front end: they give the frames a second.
        bands: onset bands, each the mean of neighbouring bands of the input.
        min_bpm, classes_per_octave: the tempo axis, as of the head.
        width: channels of the convolutions.
        dropout: after every convolution, and before the linear layers of other heads.

    Raises:
        ConfigError: bands do not divide n_mels.
    """

    def __init__(
        self,
        outputs: dict[str, int],
        *,
        n_mels: Count = 48,
        chunk_samples: Count = 192_000,
        sample_rate: Count = 16_000,
        hop_length: Count = 256,
        bands: Count = 16,
        min_bpm: Positive = 30.0,
        classes_per_octave: Count = 36,
        width: Count = 64,
        dropout: Share = 0.2,
    ) -> None:
        super().__init__()
        if n_mels % bands:
            raise ConfigError(f"model.bands={bands}: must divide model.n_mels={n_mels}")
        self.settings = {
            "n_mels": n_mels,
            "chunk_samples": chunk_samples,
            "sample_rate": sample_rate,
            "hop_length": hop_length,
            "bands": bands,
            "min_bpm": min_bpm,
            "classes_per_octave": classes_per_octave,
            "width": width,
            "dropout": dropout,
        }
        self.n_mels, self.chunk_samples, self.embedding_size = n_mels, chunk_samples, width
        self.frame_rate, self.bands = sample_rate / hop_length, bands

        self.min_bpm, self.classes_per_octave = min_bpm, classes_per_octave

        size = outputs.get("tempo", round(math.log2(10) * classes_per_octave))
        shifts = [round(math.log2(harmonic) * classes_per_octave) for harmonic in HARMONICS]
        # Whole numbers: they stay exact in whatever precision the network is put.
        self.register_buffer("steps", torch.arange(shifts[0], size + shifts[-1]), persistent=False)
        self.register_buffer("waves", None, persistent=False)
        self.register_buffer("starts", torch.tensor(shifts) - shifts[0], persistent=False)
        self.register_buffer("place", torch.linspace(-1, 1, size).reshape(1, 1, size), persistent=False)

        self.input_norm = nn.BatchNorm1d(bands * len(HARMONICS) + 1)
        self.convolutions = nn.Sequential(
            _Convolution(bands * len(HARMONICS) + 1, width, 1, dropout=dropout),
            _Convolution(width, width, 5, dropout=dropout),
            _Convolution(width, width, 5, dropout=dropout),
        )
        others = {name: count for name, count in outputs.items() if name != "tempo"}
        self.curve = nn.Conv1d(width, 1, 1) if "tempo" in outputs else None
        self.classifier = Classifier(width, others, dropout=dropout) if others or not outputs else None

    @property
    def hertz(self) -> Tensor:
        """(frequencies,) float64 of the tempogram."""
        return self.min_bpm / 60 * 2 ** ((self.steps.double() + 0.5) / self.classes_per_octave)

    def check_heads(self, heads: Sequence[Head]) -> None:
        """Raises ConfigError where the head `tempo` has other classes than the tempo axis."""
        mine = {"min_bpm": self.min_bpm, "classes_per_octave": self.classes_per_octave, "edges_bpm": None}
        for head in heads:
            theirs = {name: getattr(head, name, None) for name in mine}
            if head.name == "tempo" and theirs != mine:
                raise ConfigError(
                    f"task.heads.tempo has {_named(theirs)}, model {_named(mine)}: the outputs of TempoNet are its "
                    "tempo axis, and must be the classes of the head; leave out model.min_bpm and "
                    "model.classes_per_octave, which follow the head, and task.heads.tempo.edges_bpm, or choose "
                    "another model"
                )

    def forward(self, decibels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Embedding and logits of a batch of chunks.

        Args:
            decibels: (batch, 1, n_mels, frames).

        Returns:
            Embedding (batch, width), the mean over the tempo axis, and logits {head: (batch, outputs[head])}.
        """
        tempogram = self.tempogram(decibels).sqrt()
        size = self.place.shape[-1]
        stacked = torch.cat([tempogram[..., start : start + size] for start in self.starts.tolist()], dim=1)
        features = torch.cat([stacked, self.place.expand(len(stacked), -1, -1)], dim=1)
        features = self.convolutions(self.input_norm(features))
        embedding = features.mean(dim=2)
        logits = {} if self.curve is None else {"tempo": self.curve(features)[:, 0]}
        return embedding, logits if self.classifier is None else logits | self.classifier(embedding)

    def tempogram(self, decibels: Tensor) -> Tensor:
        """(batch, bands, frequencies) > 0: how strongly the onsets of each band repeat at the frequencies `hertz`,
        relative to the mean onset strength of the chunk. In float32, whatever the network computes in."""
        with torch.autocast(decibels.device.type, enabled=False):
            onsets = self.onsets(decibels.float())
            strength = onsets.mean(dim=(1, 2), keepdim=True)
            cosine, sine = self._waves(onsets.shape[2], onsets.device)
            onsets = onsets - onsets.mean(dim=2, keepdim=True)
            power = (onsets @ cosine).square() + (onsets @ sine).square()
            return (power + _NO_POWER).sqrt() / (strength + _QUIET)

    def _waves(self, frames: int, device: torch.device) -> Tensor:
        """(2, frames, frequencies): cosine and sine under a Hann window; kept, as most batches are equally long."""
        kept = self.waves
        if kept is None or (kept.shape[1], kept.dtype, kept.device) != (frames, torch.float32, device):
            with torch.inference_mode(False):
                hertz = self.hertz.cpu()
                window = torch.hann_window(frames, periodic=False, dtype=torch.float64)[:, None] * (4 / frames)
                phase = torch.arange(frames)[:, None] * (2 * math.pi / self.frame_rate * hertz)
                heard = window * (hertz < self.frame_rate / 2)
                self.waves = torch.stack([heard * phase.cos(), heard * phase.sin()]).float().to(device)
        return self.waves

    def onsets(self, decibels: Tensor) -> Tensor:
        """(batch, bands, frames) >= 0: by how many decibels each band rises into each frame."""
        decibels = decibels[:, 0]
        decibels = decibels.maximum(decibels.amax(dim=(1, 2), keepdim=True) - _RANGE_DB)
        rise = F.pad(F.relu(decibels[..., 1:] - decibels[..., :-1]), (1, 0))
        return rise.unflatten(1, (self.bands, -1)).mean(dim=2)


def _named(settings: dict) -> str:
    return ", ".join(f"{name}={value}" for name, value in settings.items())


class _Convolution(nn.Sequential):
    """Convolution along the tempo axis, batch normalisation, ELU, dropout."""

    def __init__(self, inputs: int, outputs: int, size: int, *, dropout: float) -> None:
        super().__init__(
            nn.Conv1d(inputs, outputs, size, padding=size // 2, bias=False),
            nn.BatchNorm1d(outputs),
            nn.ELU(),
            nn.Dropout(dropout),
        )
