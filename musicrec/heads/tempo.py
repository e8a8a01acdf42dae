"""The tempo in BPM."""

import functools
import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from musicrec.config.number_types import Count, NotNegative, Positive
from musicrec.errors import ConfigError
from musicrec.heads.answers import DJFacts, likeliest, ranked
from musicrec.heads.pictures import ScatterPicture

if TYPE_CHECKING:
    import polars as pl
    from torch import Tensor

    from musicrec.heads.metrics import Scores


@dataclass(frozen=True, kw_only=True)
class TempoHead:
    """The tempo as classes over BPM, decoded to a BPM (Schreiber and Müller 2018). A change of speed moves it.

    A label outside the classes (below the first limit, or from the last limit on) counts as missing for the loss and
    the metrics. So does, for the loss, a label that a change of speed moved there.

    Attributes:
        min_bpm: Lower limit of the first class.
        max_bpm: Upper limit of the last class.
        classes_per_octave: How many classes, of equal width on a logarithmic scale, a doubling of the tempo has.
        edges_bpm: The limits of the classes instead; None: from the three above.
        spread_classes: Standard deviation, in classes, of the Gaussian target around the true tempo; 0 is one class.
        activation: "softmax", or "sigmoid" for one binary output per class.
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
    tunes_thresholds = False
    open_vocabulary = False
    unit = "BPM"
    role = "feature"
    primary = "acc2"
    comparison_metrics = ("acc1", "acc2")  # acc1 asks for the octave, too

    def __post_init__(self) -> None:
        limits = [self.min_bpm, self.max_bpm] if self.edges_bpm is None else list(self.edges_bpm)
        if len(limits) < 2 or any(high <= low for low, high in itertools.pairwise(limits)):
            keys = "min_bpm, max_bpm" if self.edges_bpm is None else "edges_bpm"
            raise ConfigError(f"task.heads.{self.name}: {keys}={limits}: give two or more tempi, each above the last")

    @property
    def edges(self) -> np.ndarray:
        """(size + 1,) float64, the limits of the classes in BPM."""
        if self.edges_bpm is not None:
            return np.array(self.edges_bpm, dtype=np.float64)
        size = round(math.log2(self.max_bpm / self.min_bpm) * self.classes_per_octave)
        return self.min_bpm * 2 ** (np.arange(size + 1) / self.classes_per_octave)

    @property
    def centres_bpm(self) -> np.ndarray:
        """(size,) float64, the geometric centre of each class."""
        return np.sqrt(self.edges[:-1] * self.edges[1:])

    @property
    def classes(self) -> tuple[str, ...]:
        if self.edges_bpm is not None:
            return tuple(f"{low:g}–{high:g} BPM" for low, high in itertools.pairwise(self.edges))
        return _names(tuple(self.centres_bpm.tolist()))

    def fit(self, frame: "pl.DataFrame") -> "TempoHead":
        return self

    def encode(self, frame: "pl.DataFrame") -> "Tensor":
        from musicrec.heads import labels

        target = labels.numbers(frame, "bpm")
        return target.where(self._has_class(target), math.nan)

    def _has_class(self, bpm: "Tensor") -> "Tensor":
        """Return (tracks,) bool, whether a tempo is within the classes; False for NaN."""
        edges = self.edges
        return (bpm >= float(edges[0])) & (bpm < float(edges[-1]))

    def _class_number(self, bpm: "Tensor") -> "Tensor":
        """Return (tracks,) the number of the class that each tempo is in."""
        import torch

        return torch.bucketize(bpm, torch.from_numpy(self.edges).to(bpm), right=True) - 1

    def one_hot(self, target: "Tensor") -> "Tensor":
        from musicrec.heads import outputs

        index = self._class_number(target).float().where(self._has_class(target), math.nan)
        return outputs.one_hot(index, len(self.classes))

    def label(self, value: float) -> str:
        return f"{value:.1f}"

    def groups(self, target: "Tensor") -> list[tuple[str, "Tensor"]]:
        half_octave = (target.log2() * 2).floor()
        return [
            (f"{2 ** (value / 2):.0f}–{2 ** ((value + 1) / 2):.0f} BPM", half_octave == value)
            for value in half_octave[~half_octave.isnan()].unique().tolist()
        ]

    def move(self, target: "Tensor", *, shift_semitones: "Tensor", tempo_ratio: "Tensor") -> "Tensor":
        return target * tempo_ratio

    def loss(self, logits: "Tensor", target: "Tensor") -> "Tensor":
        import torch

        from musicrec.heads import outputs

        known = self._has_class(target)
        bpm = target.where(known, float(self.edges[0]))
        if self.spread_classes > 0:
            centres = torch.from_numpy(self.centres_bpm).to(bpm)
            position = (bpm[:, None] / centres).log2() * self.classes_per_octave
            distribution = (-0.5 * (position / self.spread_classes) ** 2).softmax(dim=1)
        else:
            distribution = outputs.one_hot(self._class_number(bpm).float(), logits.shape[1])
        return outputs.class_loss(logits, distribution, known, self.activation)

    def probabilities(self, logits: "Tensor") -> "Tensor":
        from musicrec.heads import outputs

        return outputs.activate(logits, self.activation)

    def calibrated(self, probabilities: "Tensor") -> "Tensor":
        from musicrec.heads import outputs

        return outputs.at_temperature(probabilities, self.temperature, self.activation)

    def answer(self, probabilities: "Tensor") -> "Tensor":
        import torch

        return torch.from_numpy(self.bpm(probabilities.detach().cpu().numpy())).to(probabilities.device)

    def bpm(self, probabilities: np.ndarray) -> np.ndarray:
        """Return the tempo: where a parabola through the logarithms of the best class and its neighbours is highest.

        That is exact for the Gaussian that the target is: the answer is as fine as what the network can tell apart,
        not as coarse as the classes.

        Args:
            probabilities: (tracks, size).

        Returns:
            (tracks,) float32 in BPM.
        """
        centres, best = self.centres_bpm, probabilities.argmax(axis=1)
        if self.edges_bpm is not None:
            return centres[best].astype(np.float32)
        near = (best[:, None] + np.arange(-1, 2)).clip(0, probabilities.shape[1] - 1)
        below, at, above = np.log(np.take_along_axis(probabilities.astype(np.float64), near, axis=1).clip(min=1e-12)).T
        bend = 2 * at - below - above
        offset = np.where(bend > 0, 0.5 * (above - below) / bend.clip(min=1e-12), 0.0)
        offset = np.where((near[:, 0] == best) | (near[:, 2] == best), 0.0, offset)  # the first and the last class
        return (centres[best] * 2 ** (offset / self.classes_per_octave)).astype(np.float32)

    def agrees(self, answer: "Tensor", expected: "Tensor") -> "Tensor":
        """Return whether tempi are within 4 % of the expected ones."""
        from musicrec.heads import metrics

        return metrics.tempo_hits(answer, expected)[:, 0]

    def score(self, probabilities: "Tensor", target: "Tensor", weights: "Tensor | None" = None) -> "Scores":
        """Return tempo accuracies; by class, those of ranges of half an octave: 120 rows would say little."""
        from musicrec.heads import metrics

        limits = [float(self.edges[0]) * 2 ** (i / 2) for i in range(20)]
        return metrics.tempo_accuracy(self.answer(probabilities), target, weights, limits_bpm=limits)

    def picture(self) -> ScatterPicture:
        return ScatterPicture(
            unit=self.unit,
            logarithmic=True,
            least_range=(50, 220),
            ticks=(30, 40, 50, 60, 80, 100, 120, 150, 200, 250, 300, 400),
            close="within 4%",
            multiples={"× 2": 2, "× 3": 3, "÷ 2": 1 / 2, "÷ 3": 1 / 3},
            multiples_name="2, 3, ½ or ⅓ of it",
            metrics=("acc1", "acc2"),
        )

    @property
    def limits(self) -> np.ndarray:
        return np.full(len(self.classes), 0.5)

    def ranked(self, probabilities: np.ndarray) -> list[dict[str, Any]]:
        return ranked(probabilities, self.classes, likeliest(probabilities))

    def decode(self, probabilities: np.ndarray) -> dict[str, Any]:
        bpm = float(self.bpm(probabilities[None])[0])
        return {"bpm": round(bpm, 1), "probability": float(probabilities.max())}

    def text(self, answer: dict[str, Any]) -> str:
        return f"{answer['bpm']:.1f} BPM ({answer['probability']:.2f})"

    def dj_facts(self, answer: dict[str, Any]) -> DJFacts:
        return DJFacts(bpm=answer["bpm"])

    def compatibility(self) -> np.ndarray:
        """Return a Gaussian in log tempo with a standard deviation of 4 %; half and double time count half.

        In 86 % of the transitions of 1,557 DJ mixes the tempo changes by under 5 % (Kim et al. 2020).
        """
        octaves = np.log2(self.centres_bpm[:, None] / self.centres_bpm)
        sigma = math.log2(1.04)

        def near(distance: np.ndarray) -> np.ndarray:
            return np.exp(-0.5 * (distance / sigma) ** 2)

        return (near(octaves) + 0.5 * (near(octaves - 1) + near(octaves + 1))).astype(np.float32)


@functools.lru_cache(maxsize=16)  # a query asks many times
def _names(centres_bpm: tuple[float, ...]) -> tuple[str, ...]:
    return tuple(f"{centre:.1f} BPM" for centre in centres_bpm)
