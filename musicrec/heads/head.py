"""The protocol that every head follows: all that the rest of the program asks of a kind of label."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np

if TYPE_CHECKING:
    from dataclasses import Field

    import polars as pl
    from torch import Tensor

    from musicrec.heads.answers import DJFacts
    from musicrec.heads.metrics import Scores
    from musicrec.heads.pictures import Picture


class Head(Protocol):
    """A kind of label. Implementations are frozen dataclasses whose names end in `Head`.

    A head has `size = len(classes)` outputs. Its target, the labels of tracks as numbers, is

    - (tracks,) float32 where `exclusive` is true: a track has one label, such as the number of a class, or a tempo;
    - (tracks, size) float32 of 0 and 1 where it is false: a track may have any number of classes.

    NaN is a missing label everywhere. Logits and probabilities are (tracks, size). During training, a "track" of these
    shapes is a chunk of one. A head that answers for every frame has other shapes and more methods: it is a `FrameWise`
    (`musicrec.heads.frames`).

    Attributes:
        name: Unique among the heads of a model; the name of the network's output and of the metrics.
        weight: The weight of the head's loss in the sum of all losses.
        temperature: Divides the logits of a track's probabilities; see `calibrated`.
        classes: Names of the outputs, in their order.
        exclusive: Whether a track has one label (see above).
        activation: What turns logits into probabilities. "softmax": they sum to 1. "sigmoid": each for itself.
        role: "tag": the recommender filters by it. "feature": the recommender compares it.
        primary: Name of the metric by which a model is selected; more is better, 1 is perfect.
        comparison_metrics: Names of the metrics that a comparison of models under deformations shows.
        calibrates: Whether a temperature is fitted. False where no probability says how often an answer is right.
        tunes_thresholds: Whether a threshold is fitted for each class; such a head has a field `thresholds`.
        open_vocabulary: Whether a class that no track of a dataset has is unknown for the tracks of that dataset in a
            mixture of datasets, rather than absent: nobody there has asked for it.
        unit: Unit of an answer that is a number, such as "BPM"; pictures over time draw it as a line. None where
            the answer is a class.
    """

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    @property
    def name(self) -> str: ...
    @property
    def weight(self) -> float: ...
    @property
    def temperature(self) -> float: ...
    @property
    def classes(self) -> tuple[str, ...]: ...
    @property
    def exclusive(self) -> bool: ...
    @property
    def activation(self) -> str: ...
    @property
    def role(self) -> str: ...
    @property
    def primary(self) -> str: ...
    @property
    def comparison_metrics(self) -> tuple[str, ...]: ...
    @property
    def calibrates(self) -> bool: ...
    @property
    def tunes_thresholds(self) -> bool: ...
    @property
    def open_vocabulary(self) -> bool: ...
    @property
    def unit(self) -> str | None: ...

    # Labels of a manifest.

    def fit(self, frame: pl.DataFrame) -> Head:
        """Return the same head with what the training tracks tell it, such as names of classes or medians.

        Args:
            frame: The training rows of a manifest.

        Raises:
            ManifestError: The rows hold nothing to learn from.
        """
        ...

    def encode(self, frame: pl.DataFrame) -> Tensor:
        """Return the target of the tracks of a manifest; NaN where a label is missing or the head cannot use it."""
        ...

    def one_hot(self, target: Tensor) -> Tensor:
        """Return the probabilities that would be right: (tracks, size) of 0 and 1.

        A track whose label is missing, or cannot be expressed by the outputs, has NaN.
        """
        ...

    def label(self, value: float) -> str:
        """Return one number of a target in words: "jazz", "A minor", "120.0"."""
        ...

    def groups(self, target: Tensor) -> list[tuple[str, Tensor]]:
        """Divide tracks by their labels, for tables of how well each kind is known.

        Args:
            target: What `encode` returned.

        Returns:
            (name, (tracks,) bool) of each group: a class, or a range of numbers. Groups without tracks may be left out.
        """
        ...

    def move(self, target: Tensor, *, shift_semitones: Tensor, tempo_ratio: Tensor) -> Tensor:
        """Return the target after a change of pitch and speed.

        Args:
            target: What `encode` returned.
            shift_semitones: (tracks,), by how much the pitch was raised.
            tempo_ratio: (tracks,), 1.1 for music that is 10 % faster.
        """
        ...

    # Learning and answering, on tensors.

    def loss(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return the mean loss over the labels that are known, a scalar; 0 with a gradient where none is."""
        ...

    def probabilities(self, logits: Tensor) -> Tensor:
        """Return (tracks, size) float32 of the network's logits."""
        ...

    def calibrated(self, probabilities: Tensor) -> Tensor:
        """Return a track's probabilities, or (tracks, size), at the head's temperature."""
        ...

    def answer(self, probabilities: Tensor) -> Tensor:
        """Return what probabilities say, in the terms of the target: number of a class, BPM, or 0 and 1 per class."""
        ...

    def agrees(self, answer: Tensor, expected: Tensor) -> Tensor:
        """Return whether answers count as the expected ones: bool, in the shape of the target; False for NaN."""
        ...

    # Scores and pictures.

    def score(self, probabilities: Tensor, target: Tensor, weights: Tensor | None = None) -> Scores:
        """Return the metrics of tracks, overall and by class.

        Args:
            probabilities: (tracks, size).
            target: What `encode` returned.
            weights: (resamples, tracks), how often each track is in each resample; None: each track counts once.
                See `musicrec.heads.metrics`.

        Returns:
            Scores. For every metric, more is better. `overall` has `primary`, the `comparison_metrics` and the metrics
            of `picture`. Where the head is not exclusive, each class has "roc_auc" and "pr_auc", and counts of
            "tracks" and "positives".
        """
        ...

    def picture(self) -> Picture:
        """Return how the answers to many tracks are to be drawn against their labels."""
        ...

    # What a recommender uses, on NumPy arrays and plain values.

    @property
    def limits(self) -> np.ndarray:
        """(size,) float64: the probability from which on a track has the class, where the head is not exclusive."""
        ...

    def ranked(self, probabilities: np.ndarray) -> list[dict[str, Any]]:
        """Return the classes of a track as [{"tag", "probability", "present"}], most probable first.

        Args:
            probabilities: (size,).
        """
        ...

    def decode(self, probabilities: np.ndarray) -> dict[str, Any]:
        """Return a track's answer in words and numbers, as plain JSON types.

        Args:
            probabilities: (size,).

        Returns:
            Such as {"key": "A minor", "probability": 0.8, "camelot": "8A"} or {"bpm": 120.1, "probability": 0.9}.
        """
        ...

    def text(self, answer: dict[str, Any]) -> str:
        """Return an answer of `decode` in one line for a person: "A minor · 8A (0.80)"."""
        ...

    def dj_facts(self, answer: dict[str, Any]) -> DJFacts:
        """Return what an answer of `decode` says of tempo, tonic and mode; nothing for most heads."""
        ...

    def compatibility(self) -> np.ndarray:
        """Return how well two classes go together: (size, size) float32, symmetric, 1 for a class and itself."""
        ...
