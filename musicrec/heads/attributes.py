"""Binary attributes above the corpus median."""

import dataclasses
import math
from dataclasses import dataclass

import polars as pl
import torch
from torch import Tensor

from musicrec.config.number_types import NotNegative, Positive
from musicrec.heads import metrics
from musicrec.heads.base import at_temperature, binary_loss, class_index, numbers

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

    columns: manifest columns; `mode` counts as true for major. Each entry may be missing by itself.
    medians: one a column, read off the training tracks; None where no training track has a value, and then the column
    is missing of every track, whatever it holds elsewhere: an output that has learned nothing gets no score.
    """

    name: str = "attributes"
    columns: tuple[str, ...] = SPOTIFY_ATTRIBUTES
    medians: tuple[float | None, ...] = ()
    weight: NotNegative = 1.0
    temperature: Positive = 1.0
    exclusive = False
    calibrates = True
    activation = "sigmoid"
    role = "feature"
    primary = "roc_auc"

    @property
    def classes(self) -> tuple[str, ...]:
        return self.columns

    def _values(self, frame: pl.DataFrame, column: str) -> Tensor:
        return class_index(frame["mode"], ("minor", "major")) if column == "mode" else numbers(frame, column)

    def fit(self, frame: pl.DataFrame) -> "AttributeHead":
        return dataclasses.replace(self, medians=tuple(self._median(frame, column) for column in self.columns))

    def _median(self, frame: pl.DataFrame, column: str) -> float | None:
        if self._values(frame, column).isnan().all():
            return None
        return 0.5 if column == "mode" else frame[column].cast(pl.Float64).median()

    def encode(self, frame: pl.DataFrame) -> Tensor:
        columns = []
        for column, median in zip(self.columns, self.medians, strict=True):
            values = self._values(frame, column)
            missing = torch.ones_like(values, dtype=torch.bool) if median is None else values.isnan()
            columns.append(torch.where(missing, math.nan, (values > (median or 0.0)).float()))
        return torch.stack(columns, dim=1)

    def loss(self, logits: Tensor, target: Tensor) -> Tensor:
        return binary_loss(logits, target)

    def probabilities(self, logits: Tensor) -> Tensor:
        return logits.float().sigmoid()

    def answer(self, probabilities: Tensor) -> Tensor:
        return (probabilities >= 0.5).float()

    def one_hot(self, target: Tensor) -> Tensor:
        return target

    def calibrated(self, probabilities: Tensor) -> Tensor:
        return at_temperature(probabilities, self.temperature, self.activation)

    def score(self, probabilities: Tensor, target: Tensor, weights: Tensor) -> metrics.Scores:
        """Accuracy is over all known entries. A probability of 0.5 is the median, so no other threshold is tuned."""
        halves = torch.full((len(self.columns),), 0.5, dtype=torch.float64)
        scores = metrics.multi_label(probabilities, target, weights, classes=self.columns, thresholds=halves)
        known = ~target.isnan()
        right = ((probabilities >= 0.5) == (target > 0.5)) & known
        of_tracks = (weights @ known.to(weights.dtype)).sum(dim=1)
        scores.overall["accuracy"] = (weights @ right.to(weights.dtype)).sum(dim=1) / of_tracks
        return scores

    def metrics(self, probabilities: Tensor, target: Tensor) -> dict[str, float]:
        return self.score(probabilities, target, metrics.whole(len(target))).values()

    def per_class(self, probabilities: Tensor, target: Tensor) -> list[dict]:
        return self.score(probabilities, target, metrics.whole(len(target))).rows()

    def decode(self, probabilities: Tensor) -> dict:
        return {name: float(p) for name, p in zip(self.classes, probabilities, strict=True)}

    def move(self, target: Tensor, *, shift_semitones: Tensor, tempo_ratio: Tensor) -> Tensor:
        return target

    def compatibility(self) -> Tensor:
        return torch.eye(len(self.classes))
