"""Binary attributes above the corpus median."""

import dataclasses
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from musicrec.config.number_types import NotNegative, Positive
from musicrec.heads.answers import DJFacts, ranked
from musicrec.heads.pictures import CurvesPicture

if TYPE_CHECKING:
    import polars as pl
    from torch import Tensor

    from musicrec.heads.metrics import Scores

SPOTIFY_ATTRIBUTES = (
    "danceability",
    "energy",
    "loudness",
    "mode",
    "acousticness",
    "instrumentalness",
    "liveness",
    "valence",
)


@dataclass(frozen=True, kw_only=True)
class AttributeHead:
    """Binary attributes, each true above the median of the training tracks, as in the original 32-output work.

    Attributes:
        columns: Manifest columns; `mode` counts as true for major. Each entry may be missing by itself.
        medians: One per column, taken from the training tracks. None where no training track has a value: the
            attribute then counts as missing for every track, because an output that has learned nothing gets no score.
    """

    name: str = "attributes"
    columns: tuple[str, ...] = SPOTIFY_ATTRIBUTES
    medians: tuple[float | None, ...] = ()
    weight: NotNegative = 1.0
    temperature: Positive = 1.0
    exclusive = False
    calibrates = True
    tunes_thresholds = False  # a probability of 0.5 is the median
    open_vocabulary = False
    unit = None
    activation = "sigmoid"
    role = "feature"
    primary = "roc_auc"
    comparison_metrics = ("roc_auc",)

    @property
    def classes(self) -> tuple[str, ...]:
        return self.columns

    def fit(self, frame: "pl.DataFrame") -> "AttributeHead":
        return dataclasses.replace(self, medians=tuple(self._median(frame, column) for column in self.columns))

    def _median(self, frame: "pl.DataFrame", column: str) -> float | None:
        from musicrec.heads import labels

        if column == "mode":
            return None if self._values(frame, column).isnan().all() else 0.5
        return labels.median(frame, column)

    def _values(self, frame: "pl.DataFrame", column: str) -> "Tensor":
        from musicrec.heads import labels

        if column == "mode":
            return labels.class_index(frame["mode"], ("minor", "major"))
        return labels.numbers(frame, column)

    def encode(self, frame: "pl.DataFrame") -> "Tensor":
        import torch

        columns = []
        for column, median in zip(self.columns, self.medians, strict=True):
            values = self._values(frame, column)
            missing = torch.ones_like(values, dtype=torch.bool) if median is None else values.isnan()
            columns.append(torch.where(missing, math.nan, (values > (median or 0.0)).float()))
        return torch.stack(columns, dim=1)

    def one_hot(self, target: "Tensor") -> "Tensor":
        return target

    def label(self, value: float) -> str:
        return str(int(value))

    def groups(self, target: "Tensor") -> list[tuple[str, "Tensor"]]:
        return [(name, target[:, column] == 1) for column, name in enumerate(self.classes)]

    def move(self, target: "Tensor", *, shift_semitones: "Tensor", tempo_ratio: "Tensor") -> "Tensor":
        return target

    def loss(self, logits: "Tensor", target: "Tensor") -> "Tensor":
        from musicrec.heads import outputs

        return outputs.binary_loss(logits, target)

    def probabilities(self, logits: "Tensor") -> "Tensor":
        from musicrec.heads import outputs

        return outputs.activate(logits, self.activation)

    def calibrated(self, probabilities: "Tensor") -> "Tensor":
        from musicrec.heads import outputs

        return outputs.at_temperature(probabilities, self.temperature, self.activation)

    def answer(self, probabilities: "Tensor") -> "Tensor":
        return (probabilities >= 0.5).float()

    def agrees(self, answer: "Tensor", expected: "Tensor") -> "Tensor":
        return answer == expected

    def score(self, probabilities: "Tensor", target: "Tensor", weights: "Tensor | None" = None) -> "Scores":
        """Return the metrics of tags, and the accuracy over all known entries."""
        from musicrec.heads import metrics

        weights = metrics.unit_weights(len(target)) if weights is None else weights
        thresholds = self.limits.tolist()
        scores = metrics.multi_label(probabilities, target, weights, classes=self.classes, thresholds=thresholds)
        known = ~target.isnan()
        right = ((probabilities >= 0.5) == (target > 0.5)) & known
        of_tracks = (weights @ known.to(weights.dtype)).sum(dim=1)
        scores.overall["accuracy"] = (weights @ right.to(weights.dtype)).sum(dim=1) / of_tracks
        return scores

    def picture(self) -> CurvesPicture:
        return CurvesPicture()

    @property
    def limits(self) -> np.ndarray:
        return np.full(len(self.columns), 0.5)

    def ranked(self, probabilities: np.ndarray) -> list[dict[str, Any]]:
        return ranked(probabilities, self.classes, probabilities >= self.limits)

    def decode(self, probabilities: np.ndarray) -> dict[str, Any]:
        return {name: float(p) for name, p in zip(self.classes, probabilities, strict=True)}

    def text(self, answer: dict[str, Any]) -> str:
        return ", ".join(f"{name} {probability:.2f}" for name, probability in answer.items())

    def dj_facts(self, answer: dict[str, Any]) -> DJFacts:
        if "mode" not in answer:
            return DJFacts()
        return DJFacts(mode="major" if answer["mode"] > 0.5 else "minor")

    def compatibility(self) -> np.ndarray:
        return np.eye(len(self.classes), dtype=np.float32)
