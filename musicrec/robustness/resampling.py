"""Numbers of a set of tracks with bootstrap intervals, all from the same resamples of the tracks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from musicrec.evaluation.bootstrap import Bootstrap
from musicrec.heads import Head
from musicrec.heads.metrics import Scores, unit_weights

Interval = tuple[float, float]
NO_INTERVAL = (float("nan"), float("nan"))


@dataclass(frozen=True, kw_only=True)
class IntervalEstimate:
    """A number and its bootstrap interval.

    Attributes:
        value: The score of the tracks themselves.
        interval: (lower, upper) limit; NaN where there is no interval.
    """

    value: float
    interval: Interval = NO_INTERVAL

    @property
    def excludes_zero(self) -> bool:
        """Whether there is an interval, and zero lies outside."""
        return self.interval[0] > 0 or self.interval[1] < 0


class ResampledScores:
    """Computes scores of the tracks of a split and of resamples of them.

    All scores use the same resamples, so that differences between them are paired.

    Args:
        bootstrap: Draws the resamples; None for none.
        artists: The artist of each track; None where unknown.

    Attributes:
        unit: What is drawn, "track" or "artist": the coarser one if the bootstrap has both. None if nothing is drawn:
            without a bootstrap, or if there is only one unit to draw from.
    """

    def __init__(self, bootstrap: Bootstrap | None, artists: Sequence[str | None]) -> None:
        self.bootstrap = bootstrap
        found = {} if bootstrap is None else bootstrap.clusters(artists)
        self.unit, self.clusters = list(found.items())[-1] if found else (None, None)
        self._clean: dict[tuple, dict[str, Tensor]] = {}

    def values(self, score: Callable[[Tensor], Scores], tracks: int, *, classes: int = 1) -> dict[str, Tensor]:
        """Compute scores of the tracks and of every resample.

        Args:
            score: Takes weights (resamples, tracks), and returns the scores of all resamples.
            tracks: Number of tracks.
            classes: Number of classes that are scored; limits how many resamples are scored at once.

        Returns:
            {name: (1 + resamples,)} of every overall score; the first value is that of the tracks themselves.
        """
        of_tracks = score(unit_weights(tracks)).overall
        if self.clusters is None:
            return of_tracks
        # The caller shows a progress bar over all conditions; a second one would nest in it.
        resampled = self.bootstrap.scores(score, self.clusters, classes=classes, progress=False).overall
        return {name: torch.cat([value, resampled[name]]) for name, value in of_tracks.items()}

    def metrics(self, head: Head, probabilities: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Compute the metrics of a head.

        Args:
            head: Scores the tracks.
            probabilities: (tracks, classes).
            target: Labels of the tracks; NaN where one is missing.

        Returns:
            {metric: (1 + resamples,)}; the first value is that of the tracks themselves.
        """
        return self.values(
            lambda weights: head.score(probabilities, target, weights), len(target), classes=len(head.classes)
        )

    def clean_metrics(self, model: int, head: Head, probabilities: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Compute the metrics of a head on the clean audio, once for all conditions that score the same tracks.

        Args:
            model: Index of the model.
            head: Scores the tracks.
            probabilities: (tracks, classes), the same in every call for a model and head.
            target: Labels of the tracks; NaN where one is missing.

        Returns:
            As `metrics` does.
        """
        key = model, head.name, target.isnan().numpy().tobytes()
        if key not in self._clean:
            self._clean[key] = self.metrics(head, probabilities, target)
        return self._clean[key]

    def estimate(self, values: Tensor) -> IntervalEstimate:
        """Return a number with its interval.

        Args:
            values: (1 + resamples,); the first value is that of the tracks themselves.
        """
        value = float(values[0])
        if len(values) == 1:
            return IntervalEstimate(value=value)
        return IntervalEstimate(value=value, interval=tuple(self.bootstrap.interval(values[1:], value).tolist()))
