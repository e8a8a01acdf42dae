"""Any number of tags a track."""

import dataclasses
import math
from dataclasses import dataclass

import polars as pl
import torch
from torch import Tensor

from musicrec.config.number_types import Count, NotNegative, Positive
from musicrec.heads import metrics
from musicrec.heads.base import at_temperature, binary_loss, class_index, ranked, vocabulary


@dataclass(frozen=True, kw_only=True)
class TagHead:
    """Tags of which a track may have any number: sigmoid outputs, binary cross-entropy, macro ROC- and PR-AUC.

    columns: manifest columns whose values are the tags. A track whose columns are all empty counts as unlabelled;
    one that has any has all of them (a tag that is not listed is absent).
    thresholds: one a class; a track has the tag from this calibrated probability on. None given: 0.5.
    """

    name: str = "tags"
    columns: tuple[str, ...] = ("tags",)
    classes: tuple[str, ...] = ()
    min_tracks: Count = 1
    weight: NotNegative = 1.0
    temperature: Positive = 1.0
    thresholds: tuple[float, ...] = ()
    exclusive = False
    calibrates = True
    activation = "sigmoid"
    role = "tag"
    primary = "roc_auc"

    def fit(self, frame: pl.DataFrame) -> "TagHead":
        if self.classes:
            return self
        found = vocabulary(frame, self.columns, head=self.name, min_tracks=self.min_tracks)
        return dataclasses.replace(self, classes=found)

    def encode(self, frame: pl.DataFrame) -> Tensor:
        present, labelled = torch.zeros(len(frame), len(self.classes)), torch.zeros(len(frame), dtype=torch.bool)
        for column in self.columns:
            values = frame[column]
            lists = values if values.dtype == pl.List else values.reshape((-1, 1)).arr.to_list()
            labelled |= torch.tensor(values.is_not_null().to_list())
            rows = pl.DataFrame({"row": range(len(frame)), "v": lists}).explode("v").drop_nulls()
            index = class_index(rows["v"].cast(pl.String), self.classes)
            known = ~index.isnan()
            present[torch.from_numpy(rows["row"].to_numpy().copy())[known], index[known].long()] = 1.0
        present[~labelled] = math.nan
        return present

    def loss(self, logits: Tensor, target: Tensor) -> Tensor:
        return binary_loss(logits, target)

    def probabilities(self, logits: Tensor) -> Tensor:
        return logits.float().sigmoid()

    def answer(self, probabilities: Tensor) -> Tensor:
        return (probabilities >= self.limits).float()

    @property
    def limits(self) -> Tensor:
        """(classes,) float64: a track has a tag from this probability on."""
        return torch.tensor(self.thresholds or (0.5,) * len(self.classes), dtype=torch.float64)

    def one_hot(self, target: Tensor) -> Tensor:
        return target

    def calibrated(self, probabilities: Tensor) -> Tensor:
        return at_temperature(probabilities, self.temperature, self.activation)

    def score(self, probabilities: Tensor, target: Tensor, weights: Tensor) -> metrics.Scores:
        return metrics.multi_label(probabilities, target, weights, classes=self.classes, thresholds=self.limits)

    def metrics(self, probabilities: Tensor, target: Tensor) -> dict[str, float]:
        return self.score(probabilities, target, metrics.whole(len(target))).values()

    def per_class(self, probabilities: Tensor, target: Tensor) -> list[dict]:
        return self.score(probabilities, target, metrics.whole(len(target))).rows()

    def ranked(self, probabilities: Tensor) -> list[dict]:
        return ranked(probabilities, self.classes, probabilities >= self.limits)

    def decode(self, probabilities: Tensor) -> dict:
        return {"tags": self.ranked(probabilities)}

    def move(self, target: Tensor, *, shift_semitones: Tensor, tempo_ratio: Tensor) -> Tensor:
        return target

    def compatibility(self) -> Tensor:
        return torch.eye(len(self.classes))
