"""The shape that all heads share, and what more than one of them uses."""

import dataclasses
import math
from typing import Protocol

import polars as pl
import torch
import torch.nn.functional as F
from torch import Tensor

from musicrec.config.class_lookup import find_class
from musicrec.errors import ConfigError, ManifestError
from musicrec.heads.metrics import Scores


class Head(Protocol):
    """See the module's docstring."""

    name: str
    weight: float
    classes: tuple[str, ...]
    exclusive: bool
    activation: str
    role: str
    primary: str
    temperature: float
    calibrates: bool

    def fit(self, frame: pl.DataFrame) -> "Head": ...
    def encode(self, frame: pl.DataFrame) -> Tensor: ...
    def loss(self, logits: Tensor, target: Tensor) -> Tensor: ...
    def probabilities(self, logits: Tensor) -> Tensor: ...
    def answer(self, probabilities: Tensor) -> Tensor: ...
    def one_hot(self, target: Tensor) -> Tensor: ...
    def calibrated(self, probabilities: Tensor) -> Tensor: ...
    def score(self, probabilities: Tensor, target: Tensor, weights: Tensor) -> Scores: ...
    def metrics(self, probabilities: Tensor, target: Tensor) -> dict[str, float]: ...
    def per_class(self, probabilities: Tensor, target: Tensor) -> list[dict]: ...
    def decode(self, probabilities: Tensor) -> dict: ...
    def move(self, target: Tensor, *, shift_semitones: Tensor, tempo_ratio: Tensor) -> Tensor: ...
    def compatibility(self) -> Tensor: ...


def to_dict(head: Head) -> dict:
    """Plain JSON types from which `from_dict` builds an equal head."""
    return {"class": type(head).__name__, **dataclasses.asdict(head)}


def from_dict(description: dict) -> Head:
    """The head that `to_dict` described. Raises ConfigError for a class or setting that does not exist."""
    settings = {key: tuple(value) if isinstance(value, list) else value for key, value in description.items()}
    cls = find_class("musicrec.heads", settings.pop("class"))
    try:
        return cls(**settings)
    except TypeError as error:
        raise ConfigError(f"head {description.get('name')}: {error}") from None


def binary_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Mean binary cross-entropy over the entries that are labelled. target: same shape, NaN = missing."""
    known = ~target.isnan()
    loss = F.binary_cross_entropy_with_logits(logits, target.nan_to_num(0.0), reduction="none")
    return (loss * known).sum() / known.sum().clamp(min=1)


def class_loss(logits: Tensor, distribution: Tensor, known: Tensor, activation: str) -> Tensor:
    """Cross-entropy with a target distribution (batch, size) over the rows where known (batch,) is true.

    activation "softmax" takes the classes as exclusive; "sigmoid" is one binary output a class.
    """
    if activation == "sigmoid":
        loss = F.binary_cross_entropy_with_logits(logits, distribution, reduction="none").mean(dim=1)
    else:
        loss = -(distribution * logits.log_softmax(dim=1)).sum(dim=1)
    return (loss * known).sum() / known.sum().clamp(min=1)


def one_hot(index: Tensor, size: int) -> Tensor:
    """(tracks, size) of 0 and 1; NaN rows where the (tracks,) class index is NaN."""
    rows = F.one_hot(index.nan_to_num(0.0).long(), size).float()
    return torch.where(index.isnan()[:, None], math.nan, rows)


def at_temperature(probabilities: Tensor, temperature: float, activation: str) -> Tensor:
    """What probabilities become when their logits are divided by a temperature; above 1 is less sure.

    The order of the classes of a track, and of the tracks by a class of a sigmoid head, stay as they are.
    """
    if temperature == 1.0:
        return probabilities
    values = probabilities.double().clamp(1e-12, 1 - 1e-12)
    scaled = (
        torch.special.logit(values).div(temperature).sigmoid()
        if activation == "sigmoid"
        else values.log().div(temperature).softmax(dim=-1)
    )
    return scaled.to(probabilities.dtype)


def activate(logits: Tensor, activation: str) -> Tensor:
    return logits.float().sigmoid() if activation == "sigmoid" else logits.float().softmax(dim=1)


def class_index(values: pl.Series, classes: tuple[str, ...]) -> Tensor:
    """(tracks,) float32 index into classes; NaN for a null and for a value that is not among them."""
    index = values.replace_strict(
        {name: float(i) for i, name in enumerate(classes)}, default=None, return_dtype=pl.Float64
    )
    return torch.from_numpy(index.fill_null(math.nan).to_numpy().astype("float32"))


def ranked(probabilities: Tensor, classes: tuple[str, ...], present: Tensor) -> list[dict]:
    """[{"tag", "probability", "present"}] of a track, most probable first. present: (classes,) bool, has it the tag?"""
    order = probabilities.argsort(descending=True).tolist()
    return [
        {"tag": classes[index], "probability": float(probabilities[index]), "present": bool(present[index])}
        for index in order
    ]


def numbers(frame: pl.DataFrame, column: str) -> Tensor:
    """(tracks,) float32 of a numeric column, NaN for a null."""
    return torch.from_numpy(frame[column].cast(pl.Float64).fill_null(math.nan).to_numpy().astype("float32"))


def vocabulary(frame: pl.DataFrame, columns: tuple[str, ...], *, head: str, min_tracks: int = 1) -> tuple[str, ...]:
    """The distinct values of text or list columns, most frequent first, then by name."""
    series = [frame[c].explode() if frame[c].dtype == pl.List else frame[c] for c in columns]
    counts = pl.concat([s.cast(pl.String).alias("v") for s in series]).drop_nulls().value_counts()
    kept = counts.filter(pl.col("count") >= min_tracks).sort(["count", "v"], descending=[True, False])["v"]
    if kept.is_empty():
        raise ManifestError(
            f"head {head}: no training track has a value in {' or '.join(columns)}; "
            f"fill the column, name the classes (task.heads.{head}.classes), or drop the head (~task.heads.{head})"
        )
    return tuple(kept.to_list())
