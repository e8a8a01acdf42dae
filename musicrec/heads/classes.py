"""One of several exclusive classes: genre, mode, metre."""

import dataclasses
from dataclasses import dataclass

import polars as pl
import torch
import torch.nn.functional as F
from torch import Tensor

from musicrec.config.number_types import NotNegative, Positive, Share
from musicrec.errors import ManifestError
from musicrec.heads import metrics
from musicrec.heads.base import activate, at_temperature, class_index, class_loss, one_hot, ranked, vocabulary


@dataclass(frozen=True, kw_only=True)
class ClassHead:
    """One of several exclusive classes (genre, mode, metre): softmax, cross-entropy, accuracy.

    column: manifest column; a value that is not among `classes` counts as missing.
    role: "tag" for a class that the recommender filters by (genre), "feature" for one that it compares.
    """

    name: str
    column: str
    role: str = "feature"
    classes: tuple[str, ...] = ()
    activation: str = "softmax"
    label_smoothing: Share = 0.0
    weight: NotNegative = 1.0
    temperature: Positive = 1.0
    exclusive = True
    calibrates = True
    primary = "accuracy"

    def fit(self, frame: pl.DataFrame) -> "ClassHead":
        if self.classes:
            return dataclasses.replace(self, classes=tuple(str(c) for c in self.classes))
        found = sorted(vocabulary(frame, (self.column,), head=self.name))
        if len(found) < 2:
            raise ManifestError(
                f"head {self.name}: all labelled training tracks have {self.column}={found[0]}, so there is nothing to "
                f"tell apart; add tracks of others, or drop the head (~task.heads.{self.name})"
            )
        return dataclasses.replace(self, classes=tuple(found))

    def encode(self, frame: pl.DataFrame) -> Tensor:
        return class_index(frame[self.column].cast(pl.String), self.classes)

    def loss(self, logits: Tensor, target: Tensor) -> Tensor:
        known, size = ~target.isnan(), len(self.classes)
        distribution = F.one_hot(target.nan_to_num(0.0).long(), size).float()
        if self.label_smoothing:
            distribution = distribution * (1 - self.label_smoothing) + self.label_smoothing / size
        return class_loss(logits, distribution, known, self.activation)

    def probabilities(self, logits: Tensor) -> Tensor:
        return activate(logits, self.activation)

    def answer(self, probabilities: Tensor) -> Tensor:
        return probabilities.argmax(dim=1).float()

    def label(self, value: float) -> str:
        return self.classes[int(value)]

    def one_hot(self, target: Tensor) -> Tensor:
        return one_hot(target, len(self.classes))

    def calibrated(self, probabilities: Tensor) -> Tensor:
        return at_temperature(probabilities, self.temperature, self.activation)

    def score(self, probabilities: Tensor, target: Tensor, weights: Tensor) -> metrics.Scores:
        return metrics.exclusive(probabilities, target, weights, classes=self.classes)

    def metrics(self, probabilities: Tensor, target: Tensor) -> dict[str, float]:
        return self.score(probabilities, target, metrics.whole(len(target))).values()

    def per_class(self, probabilities: Tensor, target: Tensor) -> list[dict]:
        return self.score(probabilities, target, metrics.whole(len(target))).rows()

    def ranked(self, probabilities: Tensor) -> list[dict]:
        likeliest = probabilities.argmax() == torch.arange(len(self.classes))
        return ranked(probabilities, self.classes, likeliest)

    def decode(self, probabilities: Tensor) -> dict:
        best = int(probabilities.argmax())
        return {self.name: self.classes[best], "probability": float(probabilities[best])}

    def move(self, target: Tensor, *, shift_semitones: Tensor, tempo_ratio: Tensor) -> Tensor:
        return target

    def compatibility(self) -> Tensor:
        return torch.eye(len(self.classes))
