"""Any number of tags a track."""

import dataclasses
import math
from dataclasses import dataclass

import polars as pl
import torch
from torch import Tensor

from musicrec.evaluation import metrics
from musicrec.heads.base import binary_loss, class_index, ranked, vocabulary


@dataclass(frozen=True, kw_only=True)
class TagHead:
    """Tags of which a track may have any number: sigmoid outputs, binary cross-entropy, macro ROC- and PR-AUC.

    columns: manifest columns whose values are the tags. A track whose columns are all empty counts as unlabelled;
    one that has any has all of them (a tag that is not listed is absent).
    """

    name: str = "tags"
    columns: tuple[str, ...] = ("tags",)
    classes: tuple[str, ...] = ()
    min_tracks: int = 1
    weight: float = 1.0
    exclusive = False
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
        return (probabilities > 0.5).float()

    def metrics(self, probabilities: Tensor, target: Tensor) -> dict[str, float]:
        rows = metrics.per_tag(probabilities, target, self.classes)
        return {"roc_auc": metrics.macro(rows, "roc_auc"), "pr_auc": metrics.macro(rows, "pr_auc")}

    def per_class(self, probabilities: Tensor, target: Tensor) -> list[dict]:
        return metrics.per_tag(probabilities, target, self.classes)

    def ranked(self, probabilities: Tensor) -> list[dict]:
        return ranked(probabilities, self.classes)

    def decode(self, probabilities: Tensor) -> dict:
        return {"tags": self.ranked(probabilities)}

    def move(self, target: Tensor, *, shift_semitones: Tensor, tempo_ratio: Tensor) -> Tensor:
        return target

    def compatibility(self) -> Tensor:
        return torch.eye(len(self.classes))
