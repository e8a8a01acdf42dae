"""The key: 24 classes, or the 12 tonics."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from musicrec.config.number_types import NotNegative, Positive
from musicrec.errors import ConfigError
from musicrec.heads.answers import DJFacts, likeliest, ranked
from musicrec.heads.keys import KEYS_24, PITCH_CLASSES, camelot, camelot_compatibility, parse_pitch_class
from musicrec.heads.pictures import ConfusionPicture

if TYPE_CHECKING:
    import polars as pl
    from torch import Tensor

    from musicrec.heads.metrics import Scores

_FIFTHS = tuple(7 * step % 12 for step in range(12))  # C, G, D, …: neighbours differ by one note


@dataclass(frozen=True, kw_only=True)
class KeyHead:
    """The key: 24 classes (C major … B minor) or, with `modes=False`, the 12 tonics. A shift in pitch moves it.

    A track counts as labelled when it has a key and, for 24 classes, a mode. The target is the number of the key in
    the order of `musicrec.heads.keys`, whatever the order of the outputs.

    Attributes:
        modes: 24 classes; False: the 12 tonics.
        order: Names of the tonics in the order of the network's outputs, for weights trained in another order.
        activation: "softmax", or "sigmoid" for one binary output per class.
        minor_weight: Factor on the loss of tracks in minor. Above 1 if minor is rarer in training than in the music to
            come: a network prefers the mode that was more frequent. It takes no part where nothing is trained.
    """

    name: str = "key"
    modes: bool = True
    order: tuple[str, ...] = ()
    activation: str = "softmax"
    weight: NotNegative = 1.0
    minor_weight: Positive = 1.0
    temperature: Positive = 1.0
    exclusive = True
    calibrates = True
    tunes_thresholds = False
    open_vocabulary = False
    unit = None
    role = "feature"
    primary = "accuracy"
    comparison_metrics = ("accuracy",)

    @property
    def keys(self) -> tuple[str, ...]:
        """The names in the order of the target."""
        return KEYS_24 if self.modes else PITCH_CLASSES

    @property
    def classes(self) -> tuple[str, ...]:
        """The names in the order of the outputs."""
        return self.order or self.keys

    def _outputs_in_key_order(self) -> list[int]:
        """Return for each key, in the order of the target, the number of its output."""
        if not self.order:
            return list(range(len(self.keys)))
        if self.modes:
            raise ConfigError(f"head {self.name}: `order` is for the 12 tonics; set modes: false")
        tonics = [parse_pitch_class(name) for name in self.order]
        return [tonics.index(tonic) for tonic in range(12)]

    def fit(self, frame: "pl.DataFrame") -> "KeyHead":
        return self

    def encode(self, frame: "pl.DataFrame") -> "Tensor":
        from musicrec.heads import labels

        tonic = labels.numbers(frame, "key")
        return tonic + 12 * labels.class_index(frame["mode"], ("major", "minor")) if self.modes else tonic

    def one_hot(self, target: "Tensor") -> "Tensor":
        from musicrec.heads import outputs

        rows = outputs.one_hot(target, len(self.keys))
        return rows[:, [parse_pitch_class(name) for name in self.order]] if self.order else rows

    def label(self, value: float) -> str:
        return self.keys[int(value)]

    def groups(self, target: "Tensor") -> list[tuple[str, "Tensor"]]:
        return [(self.label(value), target == value) for value in target[~target.isnan()].unique().tolist()]

    def move(self, target: "Tensor", *, shift_semitones: "Tensor", tempo_ratio: "Tensor") -> "Tensor":
        minor = 12 * (target >= 12)
        return (target - minor + shift_semitones) % 12 + minor

    def loss(self, logits: "Tensor", target: "Tensor") -> "Tensor":
        from musicrec.heads import outputs

        distribution = outputs.one_hot(target.nan_to_num(0.0), len(self.keys))
        in_order = logits[:, self._outputs_in_key_order()]
        importance = (~target.isnan()).float()
        if self.modes and self.minor_weight != 1.0:
            importance = importance.where(target < 12, self.minor_weight * importance)
        return outputs.class_loss(in_order, distribution, importance, self.activation)

    def probabilities(self, logits: "Tensor") -> "Tensor":
        from musicrec.heads import outputs

        return outputs.activate(logits, self.activation)

    def calibrated(self, probabilities: "Tensor") -> "Tensor":
        from musicrec.heads import outputs

        return outputs.at_temperature(probabilities, self.temperature, self.activation)

    def answer(self, probabilities: "Tensor") -> "Tensor":
        return probabilities[:, self._outputs_in_key_order()].argmax(dim=1).float()

    def agrees(self, answer: "Tensor", expected: "Tensor") -> "Tensor":
        return answer == expected

    def score(self, probabilities: "Tensor", target: "Tensor", weights: "Tensor | None" = None) -> "Scores":
        from musicrec.heads import metrics

        weights = metrics.unit_weights(len(target)) if weights is None else weights
        in_order = probabilities[:, self._outputs_in_key_order()]
        scores = metrics.single_label(in_order, target, weights, classes=self.keys)
        if self.modes:
            known = ~target.isnan()
            points, either_way = metrics.mirex_points(self.answer(probabilities[known]), target[known], self.keys)
            scores.overall["mirex"] = metrics.weighted_mean(points, weights[:, known])
            scores.overall["mirex_fifth_either_way"] = metrics.weighted_mean(either_way, weights[:, known])
        return scores

    def picture(self) -> ConfusionPicture:
        along = ", along the circle of fifths"
        if not self.modes:
            return ConfusionPicture(names=PITCH_CLASSES, order=_FIFTHS, axis_note=along)
        # A minor is as far down the minor keys as C major is down the major keys: relatives lie on a diagonal.
        relatives = tuple(12 + (tonic + 9) % 12 for tonic in _FIFTHS)
        names = (*PITCH_CLASSES, *(f"{tonic}m" for tonic in PITCH_CLASSES))
        return ConfusionPicture(names=names, order=(*_FIFTHS, *relatives), axis_note=along, dividers=(12,))

    @property
    def limits(self) -> np.ndarray:
        return np.full(len(self.classes), 0.5)

    def ranked(self, probabilities: np.ndarray) -> list[dict[str, Any]]:
        return ranked(probabilities, self.classes, likeliest(probabilities))

    def decode(self, probabilities: np.ndarray) -> dict[str, Any]:
        probabilities = probabilities[self._outputs_in_key_order()]
        best = int(probabilities.argmax())
        answer = {"key": self.keys[best], "probability": float(probabilities[best])}
        if self.modes:
            answer["camelot"] = camelot(best % 12, "minor" if best >= 12 else "major")
        return answer

    def text(self, answer: dict[str, Any]) -> str:
        return f"{' · '.join(filter(None, (answer['key'], answer.get('camelot'))))} ({answer['probability']:.2f})"

    def dj_facts(self, answer: dict[str, Any]) -> DJFacts:
        tonic, _, mode = answer["key"].partition(" ")
        return DJFacts(tonic=tonic, mode=mode or None)

    def compatibility(self) -> np.ndarray:
        matrix = camelot_compatibility().astype(np.float32)
        if self.modes:
            return matrix
        tonics = [parse_pitch_class(name) for name in self.classes]
        return matrix[np.ix_(tonics, tonics)]
