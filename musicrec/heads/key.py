"""The key: 24 classes, or the 12 tonics."""

from dataclasses import dataclass

import polars as pl
import torch
import torch.nn.functional as F
from torch import Tensor

from musicrec.config.number_types import NotNegative, Positive
from musicrec.errors import ConfigError
from musicrec.heads import metrics
from musicrec.heads.base import activate, at_temperature, class_index, class_loss, numbers, one_hot
from musicrec.heads.keys import KEYS_24, PITCH_CLASSES, camelot, camelot_compatibility, parse_pitch_class


@dataclass(frozen=True, kw_only=True)
class KeyHead:
    """The key: 24 classes (C major … B minor) or, with `modes=False`, the 12 tonics. A shift in pitch moves it.

    A track counts as labelled when it has a key and, for 24 classes, a mode. The target is the key's number in the
    order of `musicrec.heads.keys`, whatever the order of the outputs.

    order: names of the keys in the order of the network's outputs, for weights trained in another one.
    """

    name: str = "key"
    modes: bool = True
    order: tuple[str, ...] = ()
    activation: str = "softmax"
    weight: NotNegative = 1.0
    temperature: Positive = 1.0
    exclusive = True
    calibrates = True
    role = "feature"
    primary = "accuracy"

    @property
    def keys(self) -> tuple[str, ...]:
        """The names in the order of the target."""
        return KEYS_24 if self.modes else PITCH_CLASSES

    @property
    def classes(self) -> tuple[str, ...]:
        """The names in the order of the outputs."""
        return self.order or self.keys

    def _in_key_order(self, outputs: Tensor) -> Tensor:
        """Outputs (…, size) rearranged to the order of the target."""
        if not self.order:
            return outputs
        if self.modes:
            raise ConfigError(f"head {self.name}: `order` is for the 12 tonics; set modes: false")
        tonics = [parse_pitch_class(name) for name in self.order]
        return outputs[..., [tonics.index(tonic) for tonic in range(12)]]

    def fit(self, frame: pl.DataFrame) -> "KeyHead":
        return self

    def encode(self, frame: pl.DataFrame) -> Tensor:
        tonic = numbers(frame, "key")
        return tonic + 12 * class_index(frame["mode"], ("major", "minor")) if self.modes else tonic

    def loss(self, logits: Tensor, target: Tensor) -> Tensor:
        distribution = F.one_hot(target.nan_to_num(0.0).long(), len(self.keys)).float()
        return class_loss(self._in_key_order(logits), distribution, ~target.isnan(), self.activation)

    def probabilities(self, logits: Tensor) -> Tensor:
        return activate(logits, self.activation)

    def answer(self, probabilities: Tensor) -> Tensor:
        return self._in_key_order(probabilities).argmax(dim=1).float()

    def label(self, value: float) -> str:
        return self.keys[int(value)]

    def one_hot(self, target: Tensor) -> Tensor:
        rows = one_hot(target, len(self.keys))
        return rows[:, [parse_pitch_class(name) for name in self.order]] if self.order else rows

    def calibrated(self, probabilities: Tensor) -> Tensor:
        return at_temperature(probabilities, self.temperature, self.activation)

    def score(self, probabilities: Tensor, target: Tensor, weights: Tensor) -> metrics.Scores:
        scores = metrics.exclusive(self._in_key_order(probabilities), target, weights, classes=self.keys)
        if self.modes:
            known = ~target.isnan()
            points, either_way = metrics.mirex_points(self.answer(probabilities[known]), target[known], self.keys)
            scores.overall["mirex"] = metrics.mean(points, weights[:, known])
            scores.overall["mirex_fifth_either_way"] = metrics.mean(either_way, weights[:, known])
        return scores

    def metrics(self, probabilities: Tensor, target: Tensor) -> dict[str, float]:
        return self.score(probabilities, target, metrics.whole(len(target))).values()

    def per_class(self, probabilities: Tensor, target: Tensor) -> list[dict]:
        return self.score(probabilities, target, metrics.whole(len(target))).rows()

    def decode(self, probabilities: Tensor) -> dict:
        probabilities = self._in_key_order(probabilities)
        best = int(probabilities.argmax())
        answer = {"key": self.keys[best], "probability": float(probabilities[best])}
        if self.modes:
            answer["camelot"] = camelot(best % 12, "minor" if best >= 12 else "major")
        return answer

    def move(self, target: Tensor, *, shift_semitones: Tensor, tempo_ratio: Tensor) -> Tensor:
        minor = 12 * (target >= 12)
        return (target - minor + shift_semitones) % 12 + minor

    def compatibility(self) -> Tensor:
        matrix = torch.as_tensor(camelot_compatibility(), dtype=torch.float32)
        if self.modes:
            return matrix
        tonics = [parse_pitch_class(name) for name in self.classes]
        return matrix[tonics][:, tonics]
