"""Tags: any number of classes per track."""

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from musicrec.config.number_types import Count, NotNegative, Positive
from musicrec.heads.answers import DJFacts, ranked
from musicrec.heads.pictures import CurvesPicture

if TYPE_CHECKING:
    import polars as pl
    from torch import Tensor

    from musicrec.heads.metrics import Scores

# When a track has a tag of a tagger that is not calibrated, see TagHead.usual. Chosen on recordings whose content is
# known (experiments/usual_tags).
FACTOR = 2.0
LOWEST = 0.1


@dataclass(frozen=True, kw_only=True)
class TagHead:
    """Tags of which a track may have any number: sigmoid outputs, binary cross-entropy, macro ROC- and PR-AUC.

    Attributes:
        columns: Manifest columns whose values are the tags. A track whose columns are all empty counts as unlabelled;
            one that has any value has a label for all tags (a tag that is not listed is absent).
        classes: Names of the tags; empty: the values of the training tracks.
        min_tracks: Tags that fewer training tracks have are left out of `classes`.
        thresholds: One per class; a track has the tag from this calibrated probability on. Empty: as `usual` tells.
        usual: One per class: its mean probability on real music. Where no threshold was tuned, a track has the tag if
            its probability is `FACTOR` times the usual one or more, but not below `LOWEST` and always from 0.5 on.
            Empty: a track has the tag from 0.5 on.
    """

    name: str = "tags"
    columns: tuple[str, ...] = ("tags",)
    classes: tuple[str, ...] = ()
    min_tracks: Count = 1
    weight: NotNegative = 1.0
    temperature: Positive = 1.0
    thresholds: tuple[float, ...] = ()
    usual: tuple[float, ...] = ()
    exclusive = False
    calibrates = True
    tunes_thresholds = True
    open_vocabulary = True
    unit = None
    activation = "sigmoid"
    role = "tag"
    primary = "roc_auc"
    comparison_metrics = ("roc_auc",)

    def fit(self, frame: "pl.DataFrame") -> "TagHead":
        if self.classes:
            return self
        from musicrec.heads import labels

        found = labels.vocabulary(frame, self.columns, head=self.name, min_tracks=self.min_tracks)
        return dataclasses.replace(self, classes=found)

    def encode(self, frame: "pl.DataFrame") -> "Tensor":
        from musicrec.heads import labels

        return labels.memberships(frame, self.columns, self.classes)

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
        import torch

        return (probabilities >= torch.from_numpy(self.limits).to(probabilities.device)).float()

    def agrees(self, answer: "Tensor", expected: "Tensor") -> "Tensor":
        return answer == expected

    def score(self, probabilities: "Tensor", target: "Tensor", weights: "Tensor | None" = None) -> "Scores":
        from musicrec.heads import metrics

        thresholds = self.limits.tolist()
        return metrics.multi_label(probabilities, target, weights, classes=self.classes, thresholds=thresholds)

    def picture(self) -> CurvesPicture:
        return CurvesPicture()

    @property
    def limits(self) -> np.ndarray:
        if self.usual and not self.thresholds:
            return np.clip(FACTOR * np.array(self.usual), LOWEST, 0.5)
        return np.array(self.thresholds or (0.5,) * len(self.classes))

    def ranked(self, probabilities: np.ndarray) -> list[dict[str, Any]]:
        return ranked(probabilities, self.classes, probabilities >= self.limits)

    def decode(self, probabilities: np.ndarray) -> dict[str, Any]:
        return {"tags": self.ranked(probabilities)}

    def text(self, answer: dict[str, Any]) -> str:
        return ", ".join(f"{tag['tag']} {tag['probability']:.2f}" for tag in answer["tags"])

    def dj_facts(self, answer: dict[str, Any]) -> DJFacts:
        return DJFacts()

    def compatibility(self) -> np.ndarray:
        return np.eye(len(self.classes), dtype=np.float32)
