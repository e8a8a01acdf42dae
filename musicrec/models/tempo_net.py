"""Tempo network: a small convolutional network on a tempogram, the strength of repeating onsets at every tempo."""

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
_RANGE_DB = 80.0  # levels further below the maximum of a chunk cause no onsets
_QUIET = 0.05  # dB per frame, added to the mean onset strength so that chunks without onsets are not amplified
_MIN_POWER = 1e-12  # keeps the gradient of the square root finite


class TempoNet(nn.Module):
    """Convolutions along the tempo axis of a harmonic tempogram.

    The tempogram is computed, not learnt. It is the Fourier magnitude of the onset strength (rising decibels) in each
    band, on a logarithmic tempo axis. Shifted copies of it give the magnitudes at multiples of each tempo, as in
    DeepRhythm (github.com/bleugreen/deeprhythm, 2023; harmonic stacking as in Bittner et al. 2017). A change of tempo
    shifts all of this along the axis. The filters are shared along the axis, as those of Schreiber and Müller 2019 are
    shared over time, so a few tempi suffice to learn all. A channel with the position on the axis tells fast from slow.
    The output is a curve over tempo with one value per class of the head `tempo`. Its peak may lie between two classes;
    the head interpolates.

    Args:
        outputs: {head: number of logits}. The logits of `tempo` lie on the tempo axis: class i is
            min_bpm * 2^((i + 0.5) / classes_per_octave), as in `TempoHead` without `edges_bpm`. Other heads have a
            linear layer on the embedding.
        n_mels: Number of bands, on any frequency scale.
        chunk_samples: Length of the training chunks, in samples.
        sample_rate: Sample rate of the front end, in hertz.
        hop_length: Hop length of the front end, in samples.
        bands: Number of onset bands. Each is the mean of neighbouring bands of the input.
        min_bpm: Lower end of the tempo axis, as in the head.
        classes_per_octave: Resolution of the tempo axis, as in the head.
        width: Channels of the convolutions.
        dropout: Dropout after every convolution, and before the linear layers of other heads.

    Raises:
        ConfigError: If `bands` does not divide `n_mels`.
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
        # Integers, because they stay exact when the network is converted to another precision.
        self.register_buffer("steps", torch.arange(shifts[0], size + shifts[-1]), persistent=False)
        self.register_buffer("waves", None, persistent=False)
        self.register_buffer("starts", torch.tensor(shifts) - shifts[0], persistent=False)
        self.register_buffer("position", torch.linspace(-1, 1, size).reshape(1, 1, size), persistent=False)

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
        """The frequencies of the tempogram in hertz, (frequencies,) float64."""
        return self.min_bpm / 60 * 2 ** ((self.steps.double() + 0.5) / self.classes_per_octave)

    def check_heads(self, heads: Sequence[Head]) -> None:
        """Check that the classes of the head `tempo` are the tempo axis of this network.

        Raises:
            ConfigError: If they differ.
        """
        expected = {"min_bpm": self.min_bpm, "classes_per_octave": self.classes_per_octave, "edges_bpm": None}
        for head in heads:
            actual = {name: getattr(head, name, None) for name in expected}
            if head.name == "tempo" and actual != expected:
                raise ConfigError(
                    f"task.heads.tempo has {_format_settings(actual)}, but the model has {_format_settings(expected)}; "
                    "the tempo axis of TempoNet must match the classes of the head; remove model.min_bpm and "
                    "model.classes_per_octave, which follow the head, and task.heads.tempo.edges_bpm, or choose "
                    "another model"
                )

    def forward(self, decibels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the embedding and the logits of a batch of chunks.

        Args:
            decibels: (batch, 1, n_mels, frames).

        Returns:
            The embedding (batch, width), the mean over the tempo axis, and the logits {head: (batch, outputs[head])}.
        """
        tempogram = self.tempogram(decibels).sqrt()
        size = self.position.shape[-1]
        stacked = torch.cat([tempogram[..., start : start + size] for start in self.starts.tolist()], dim=1)
        position = stacked[:, :1] * 0 + self.position  # expanded without its size, which a traced graph would fix
        features = torch.cat([stacked, position], dim=1)
        features = self.convolutions(self.input_norm(features))
        embedding = features.mean(dim=2)
        logits = {} if self.curve is None else {"tempo": self.curve(features)[:, 0]}
        return embedding, logits if self.classifier is None else logits | self.classifier(embedding)

    def tempogram(self, decibels: Tensor) -> Tensor:
        """Compute how strongly the onsets of each band repeat, relative to the mean onset strength of the chunk.

        The computation is in float32, whatever the precision of the network.

        Args:
            decibels: (batch, 1, n_mels, frames).

        Returns:
            (batch, bands, frequencies) float32, positive, at the frequencies `hertz`.
        """
        with torch.autocast(decibels.device.type, enabled=False):
            onsets = self.onsets(decibels.float())
            strength = onsets.mean(dim=(1, 2), keepdim=True)
            cosine, sine = self._waves(onsets.shape[2], onsets.device)
            onsets = onsets - onsets.mean(dim=2, keepdim=True)
            power = (onsets @ cosine).square() + (onsets @ sine).square()
            return (power + _MIN_POWER).sqrt() / (strength + _QUIET)

    def _waves(self, frames: int, device: torch.device) -> Tensor:
        """Return cosine and sine under a Hann window, (2, frames, frequencies); cached per batch length."""
        cached = self.waves
        if cached is None or (cached.shape[1], cached.dtype, cached.device) != (frames, torch.float32, device):
            with torch.inference_mode(False):
                hertz = self.hertz.cpu()
                window = torch.hann_window(frames, periodic=False, dtype=torch.float64)[:, None] * (4 / frames)
                phase = torch.arange(frames)[:, None] * (2 * math.pi / self.frame_rate * hertz)
                window = window * (hertz < self.frame_rate / 2)  # nothing above half the frame rate
                self.waves = torch.stack([window * phase.cos(), window * phase.sin()]).float().to(device)
        return self.waves

    def onsets(self, decibels: Tensor) -> Tensor:
        """Compute the onset strength: by how many decibels each band rises from one frame to the next.

        Args:
            decibels: (batch, 1, n_mels, frames).

        Returns:
            (batch, bands, frames), not negative.
        """
        decibels = decibels[:, 0]
        decibels = decibels.maximum(decibels.amax(dim=(1, 2), keepdim=True) - _RANGE_DB)
        rise = F.pad(F.relu(decibels[..., 1:] - decibels[..., :-1]), (1, 0))
        return rise.unflatten(1, (self.bands, -1)).mean(dim=2)


def _format_settings(settings: dict) -> str:
    return ", ".join(f"{name}={value}" for name, value in settings.items())


class _Convolution(nn.Sequential):
    """A convolution along the tempo axis, batch normalisation, ELU and dropout."""

    def __init__(self, inputs: int, outputs: int, size: int, *, dropout: float) -> None:
        super().__init__(
            nn.Conv1d(inputs, outputs, size, padding=size // 2, bias=False),
            nn.BatchNorm1d(outputs),
            nn.ELU(),
            nn.Dropout(dropout),
        )
