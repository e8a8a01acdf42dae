"""The tempo in BPM."""

import itertools
import math
from dataclasses import dataclass

import polars as pl
import torch
import torch.nn.functional as F
from torch import Tensor

from musicrec.config.number_types import Count, NotNegative, Positive
from musicrec.errors import ConfigError
from musicrec.heads import metrics
from musicrec.heads.base import activate, at_temperature, class_loss, numbers, one_hot


@dataclass(frozen=True, kw_only=True)
class TempoHead:
    """The tempo as classes over BPM, decoded to a BPM (Schreiber and Müller 2018). A change of speed moves it.

    edges_bpm: the limits of the classes, or None for `classes_per_octave` logarithmic classes from min_bpm to max_bpm.
    spread_classes: standard deviation, in classes, of the Gaussian target around the true tempo; 0 is one class.
    A label outside the classes, below the first or from the last limit on, counts as missing for the loss and the
    metrics; so does, for the loss, one that a change of speed moved there.
    """

    name: str = "tempo"
    min_bpm: Positive = 30.0
    max_bpm: Positive = 300.0
    classes_per_octave: Count = 36
    edges_bpm: tuple[float, ...] | None = None
    spread_classes: NotNegative = 1.0
    activation: str = "softmax"
    weight: NotNegative = 1.0
    temperature: Positive = 1.0
    exclusive = True
    calibrates = False  # its target is spread over classes, so no probability says how often it is right
    role = "feature"
    primary = "acc2"

    def __post_init__(self) -> None:
        limits = [self.min_bpm, self.max_bpm] if self.edges_bpm is None else list(self.edges_bpm)
        if len(limits) < 2 or any(high <= low for low, high in itertools.pairwise(limits)):
            keys = "min_bpm, max_bpm" if self.edges_bpm is None else "edges_bpm"
            raise ConfigError(f"task.heads.{self.name}: {keys}={limits}: give two or more tempi, each above the last")

    @property
    def edges(self) -> Tensor:
        """(size + 1,) limits of the classes in BPM."""
        if self.edges_bpm is not None:
            return torch.tensor(self.edges_bpm)
        size = round(math.log2(self.max_bpm / self.min_bpm) * self.classes_per_octave)
        return self.min_bpm * 2 ** (torch.arange(size + 1) / self.classes_per_octave)

    @property
    def centres_bpm(self) -> Tensor:
        """(size,) geometric centre of each class."""
        return (self.edges[:-1] * self.edges[1:]).sqrt()

    @property
    def classes(self) -> tuple[str, ...]:
        if self.edges_bpm is not None:
            return tuple(f"{low:g}–{high:g} BPM" for low, high in zip(self.edges, self.edges[1:], strict=False))
        return tuple(f"{centre:.1f} BPM" for centre in self.centres_bpm)

    def fit(self, frame: pl.DataFrame) -> "TempoHead":
        return self

    def encode(self, frame: pl.DataFrame) -> Tensor:
        target = numbers(frame, "bpm")
        return torch.where(self._inside(target), target, math.nan)

    def _inside(self, bpm: Tensor) -> Tensor:
        """(tracks,) bool: has the tempo a class? False for NaN."""
        edges = self.edges
        return (bpm >= float(edges[0])) & (bpm < float(edges[-1]))

    def loss(self, logits: Tensor, target: Tensor) -> Tensor:
        edges = self.edges.to(target.device)
        known = self._inside(target)
        bpm = torch.where(known, target, edges[0])
        if self.spread_classes > 0:
            position = (bpm[:, None] / self.centres_bpm.to(bpm.device)).log2() * self.classes_per_octave
            distribution = (-0.5 * (position / self.spread_classes) ** 2).softmax(dim=1)
        else:
            distribution = F.one_hot(torch.bucketize(bpm, edges, right=True) - 1, len(edges) - 1).float()
        return class_loss(logits, distribution, known, self.activation)

    def probabilities(self, logits: Tensor) -> Tensor:
        return activate(logits, self.activation)

    def answer(self, probabilities: Tensor) -> Tensor:
        return self.bpm(probabilities)

    def label(self, value: float) -> str:
        return f"{value:.1f}"

    def bpm(self, probabilities: Tensor) -> Tensor:
        """(tracks,) BPM: where a parabola through the logarithms of the best class and its neighbours is highest.

        That is exact for the Gaussian that the target is: the answer is as fine as what the network can tell apart,
        and not as the classes.
        """
        centres = self.centres_bpm.to(probabilities.device)
        best = probabilities.argmax(dim=1)
        if self.edges_bpm is not None:
            return centres[best]
        near = (best[:, None] + torch.arange(-1, 2, device=best.device)).clamp(0, probabilities.shape[1] - 1)
        below, at, above = probabilities.double().clamp(min=1e-12).log().gather(1, near).unbind(1)
        bend = 2 * at - below - above
        offset = torch.where(bend > 0, 0.5 * (above - below) / bend.clamp(min=1e-12), 0.0)
        offset = torch.where((near[:, 0] == best) | (near[:, 2] == best), 0.0, offset)  # the first and the last class
        return centres[best] * 2 ** (offset / self.classes_per_octave).to(centres.dtype)

    def one_hot(self, target: Tensor) -> Tensor:
        index = torch.bucketize(target, self.edges, right=True) - 1.0
        return one_hot(torch.where(self._inside(target), index, math.nan), len(self.classes))

    def calibrated(self, probabilities: Tensor) -> Tensor:
        return at_temperature(probabilities, self.temperature, self.activation)

    def score(self, probabilities: Tensor, target: Tensor, weights: Tensor) -> metrics.Scores:
        """By class: tracks within ranges of half an octave, as a table of 120 classes says little."""
        limits = [float(self.edges[0]) * 2 ** (i / 2) for i in range(20)]
        return metrics.tempo(self.bpm(probabilities), target, weights, limits_bpm=limits)

    def metrics(self, probabilities: Tensor, target: Tensor) -> dict[str, float]:
        return self.score(probabilities, target, metrics.whole(len(target))).values()

    def per_class(self, probabilities: Tensor, target: Tensor) -> list[dict]:
        return self.score(probabilities, target, metrics.whole(len(target))).rows()

    def decode(self, probabilities: Tensor) -> dict:
        bpm = float(self.bpm(probabilities[None])[0])
        return {"bpm": round(bpm, 1), "probability": float(probabilities.max())}

    def move(self, target: Tensor, *, shift_semitones: Tensor, tempo_ratio: Tensor) -> Tensor:
        return target * tempo_ratio

    def compatibility(self) -> Tensor:
        """Gaussian in log tempo with a standard deviation of 4 %; half and double time count half.

        In 86 % of the transitions of 1,557 DJ mixes the tempo changes by under 5 % (Kim et al. 2020).
        """
        octaves = (self.centres_bpm[:, None] / self.centres_bpm).log2()
        sigma = math.log2(1.04)

        def near(distance: Tensor) -> Tensor:
            return torch.exp(-0.5 * (distance / sigma) ** 2)

        return near(octaves) + 0.5 * (near(octaves - 1) + near(octaves + 1))
