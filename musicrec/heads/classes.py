"""One of several exclusive classes: genre, mode, metre."""

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from musicrec.config.number_types import NotNegative, Positive, Share
from musicrec.errors import ManifestError
from musicrec.heads.answers import DJFacts, likeliest, ranked
from musicrec.heads.keys import MODES
from musicrec.heads.pictures import ConfusionPicture

if TYPE_CHECKING:
    import polars as pl
    from torch import Tensor

    from musicrec.heads.metrics import Scores


@dataclass(frozen=True, kw_only=True)
class ClassHead:
    """One of several exclusive classes (genre, mode, metre): softmax, cross-entropy, accuracy.

    Attributes:
        column: Manifest column; a value that is not among `classes` counts as missing.
        role: "tag" for a class that the recommender filters by (genre), "feature" for one that it compares.
        classes: Names; empty: the values of the training tracks.
        activation: "softmax", or "sigmoid" for one binary output per class.
        label_smoothing: Share of the target that is spread over all classes.
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
    tunes_thresholds = False
    open_vocabulary = False
    unit = None
    primary = "accuracy"
    comparison_metrics = ("accuracy",)

    def fit(self, frame: "pl.DataFrame") -> "ClassHead":
        if self.classes:
            return dataclasses.replace(self, classes=tuple(str(c) for c in self.classes))
        from musicrec.heads import labels

        found = sorted(labels.vocabulary(frame, (self.column,), head=self.name))
        if len(found) < 2:
            raise ManifestError(
                f"head {self.name}: all labelled training tracks have {self.column}={found[0]}, so there is nothing to "
                f"tell apart; add tracks of others, or drop the head (~task.heads.{self.name})"
            )
        return dataclasses.replace(self, classes=tuple(found))

    def encode(self, frame: "pl.DataFrame") -> "Tensor":
        from musicrec.heads import labels

        return labels.class_index(frame[self.column], self.classes)

    def one_hot(self, target: "Tensor") -> "Tensor":
        from musicrec.heads import outputs

        return outputs.one_hot(target, len(self.classes))

    def label(self, value: float) -> str:
        return self.classes[int(value)]

    def groups(self, target: "Tensor") -> list[tuple[str, "Tensor"]]:
        return [(self.label(value), target == value) for value in target[~target.isnan()].unique().tolist()]

    def move(self, target: "Tensor", *, shift_semitones: "Tensor", tempo_ratio: "Tensor") -> "Tensor":
        return target

    def loss(self, logits: "Tensor", target: "Tensor") -> "Tensor":
        from musicrec.heads import outputs

        size = len(self.classes)
        distribution = outputs.one_hot(target.nan_to_num(0.0), size)
        if self.label_smoothing:
            distribution = distribution * (1 - self.label_smoothing) + self.label_smoothing / size
        return outputs.class_loss(logits, distribution, ~target.isnan(), self.activation)

    def probabilities(self, logits: "Tensor") -> "Tensor":
        from musicrec.heads import outputs

        return outputs.activate(logits, self.activation)

    def calibrated(self, probabilities: "Tensor") -> "Tensor":
        from musicrec.heads import outputs

        return outputs.at_temperature(probabilities, self.temperature, self.activation)

    def answer(self, probabilities: "Tensor") -> "Tensor":
        return probabilities.argmax(dim=1).float()

    def agrees(self, answer: "Tensor", expected: "Tensor") -> "Tensor":
        return answer == expected

    def score(self, probabilities: "Tensor", target: "Tensor", weights: "Tensor | None" = None) -> "Scores":
        from musicrec.heads import metrics

        return metrics.single_label(probabilities, target, weights, classes=self.classes)

    def picture(self) -> ConfusionPicture:
        return ConfusionPicture(names=self.classes)

    @property
    def limits(self) -> np.ndarray:
        return np.full(len(self.classes), 0.5)

    def ranked(self, probabilities: np.ndarray) -> list[dict[str, Any]]:
        return ranked(probabilities, self.classes, likeliest(probabilities))

    def decode(self, probabilities: np.ndarray) -> dict[str, Any]:
        best = int(probabilities.argmax())
        return {self.name: self.classes[best], "probability": float(probabilities[best])}

    def text(self, answer: dict[str, Any]) -> str:
        return f"{answer[self.name]} ({answer['probability']:.2f})"

    def dj_facts(self, answer: dict[str, Any]) -> DJFacts:
        name = answer[self.name]
        return DJFacts(mode=name if self.column == "mode" and name in MODES else None)

    def compatibility(self) -> np.ndarray:
        return np.eye(len(self.classes), dtype=np.float32)
