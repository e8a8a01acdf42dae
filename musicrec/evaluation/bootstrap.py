"""Bias-corrected bootstrap intervals: how far a metric would vary with other test tracks, by track and by artist.

`scipy.stats.bootstrap` cannot be used here. It cannot draw clusters, it gives no interval if one of a thousand
resamples lacks a class, and it would resample again for each of the hundreds of metrics that share the resamples here.
The tests compare the intervals with SciPy's where both apply, and count how often they contain a known true value.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from annotated_types import Ge, Gt, Lt
from rich.progress import Progress
from torch import Tensor

from musicrec.config.value_check import check_choices, check_value
from musicrec.errors import ConfigError
from musicrec.heads.metrics import Scores
from musicrec.system.console import error_console

UNITS = ("track", "artist")
_Resamples = Annotated[int, Ge(100)]
_Confidence = Annotated[float, Gt(0), Lt(1)]
_BLOCK_SIZE = 4_000_000  # entries of one array of a block; about five such arrays are in memory at once
_PROGRESS_DELAY_S = 2.0
_TOLERANCE = 1e-9  # values that differ by less are equal except for rounding


@dataclass(frozen=True, kw_only=True)
class Bootstrap:
    """Settings of a bootstrap, and the statistics of its resamples.

    Attributes:
        resamples: Number of resamples.
        confidence: Confidence level of the intervals, between 0 and 1.
        units: What is drawn: "track" draws single tracks, "artist" draws artists with all their tracks.
        seed: Seed of the draws.

    Raises:
        ConfigError: A value is out of its range.
    """

    resamples: _Resamples = 2000
    confidence: _Confidence = 0.95
    units: Sequence[str] = UNITS
    seed: int = 0

    def __post_init__(self) -> None:
        check_value("bootstrap.resamples", self.resamples, _Resamples)
        check_value("bootstrap.confidence", self.confidence, _Confidence, expected="a number between 0 and 1, as 0.95")
        check_choices("bootstrap.units", self.units, UNITS)

    def clusters(self, artists: Sequence[str | None]) -> dict[str, np.ndarray]:
        """Return the cluster that each track belongs to, for every unit that can be drawn.

        A unit with fewer than two clusters is left out. The unit "artist" is also left out if no artist is known.

        Args:
            artists: The artist of each track; a track with None forms a cluster of its own.

        Returns:
            {unit: (tracks,) integer number of the cluster}.
        """
        tracks = np.arange(len(artists))
        found = {"track": tracks} if "track" in self.units else {}
        if "artist" in self.units and any(artists):
            names = [artist or f"\0{track}" for track, artist in enumerate(artists)]
            found["artist"] = np.unique(names, return_inverse=True)[1]
        return {unit: clusters for unit, clusters in found.items() if len(np.unique(clusters)) > 1}

    def check(self, artists: Sequence[str | None], *, split: str) -> list[str]:
        """Check that the tracks of a split can be drawn by at least one of the units.

        Args:
            artists: The artist of each track, None if unknown.
            split: Name of the split, for the messages.

        Returns:
            Remarks on the units that cannot be drawn.

        Raises:
            ConfigError: No unit can be drawn.
        """
        if "artist" not in self.units or len(artists) < 2 or "artist" in self.clusters(artists):
            return []
        why = f"all tracks of '{split}' are by one artist" if any(artists) else f"no track of '{split}' has an artist"
        if "track" not in self.units:
            raise ConfigError(
                f"bootstrap.units=[artist]: {why}, so there can be no interval; fill the column artist of the "
                "manifest, or draw tracks (bootstrap.units=[track])"
            )
        return [f"intervals by artist: {why}"]

    def weights(self, clusters: np.ndarray, *, rows_at_once: int) -> Iterator[Tensor]:
        """Yield how often each track occurs in each resample, in blocks, until all resamples are drawn.

        A resample draws as many clusters as there are, with replacement; a cluster brings all of its tracks.

        Args:
            clusters: (tracks,) number of the cluster of each track.
            rows_at_once: Resamples per block.

        Yields:
            (≤ rows_at_once, tracks) float64.
        """
        size = int(clusters.max()) + 1
        rng = np.random.default_rng(self.seed)
        for begin in range(0, self.resamples, rows_at_once):
            rows = min(rows_at_once, self.resamples - begin)
            counts = rng.multinomial(size, np.full(size, 1 / size), size=rows)
            yield torch.from_numpy(counts[:, clusters].astype(np.float64))

    def scores(
        self, score: Callable[[Tensor], Scores], clusters: np.ndarray, *, classes: int, progress: bool = True
    ) -> Scores:
        """Score all resamples.

        Args:
            score: Scores a block of resamples, given its weights (resamples, tracks).
            clusters: (tracks,) number of the cluster of each track.
            classes: Number of classes of the head, which determines the memory per resample.
            progress: Show a progress bar if this takes longer than two seconds.

        Returns:
            The scores, with one entry per resample.
        """
        rows_at_once = max(1, _BLOCK_SIZE // max(1, len(clusters) * classes))
        weights = self.weights(clusters, rows_at_once=rows_at_once)
        blocks = [score(block) for block in (self._with_progress_bar(weights) if progress else weights)]
        first = blocks[0]
        return Scores(
            overall={name: torch.cat([block.overall[name] for block in blocks]) for name in first.overall},
            classes=first.classes,
            counts=first.counts,
            by_class={name: torch.cat([block.by_class[name] for block in blocks]) for name in first.by_class},
        )

    def _with_progress_bar(self, blocks: Iterable[Tensor]) -> Iterator[Tensor]:
        """Yield the blocks; show a progress bar as soon as they take longer than two seconds."""
        begin, done, bar = time.monotonic(), 0, None
        try:
            for block in blocks:
                yield block
                done += len(block)
                if bar is None and time.monotonic() - begin > _PROGRESS_DELAY_S:
                    bar = Progress(console=error_console(), transient=True)
                    task = bar.add_task("bootstrap", total=self.resamples)
                    bar.start()
                if bar is not None:
                    bar.update(task, completed=done)
        finally:
            if bar is not None:
                bar.stop()

    def interval(self, values: Tensor, estimate: Tensor | float) -> Tensor:
        """Return the bias-corrected percentile interval of a statistic.

        Args:
            values: (resamples, …) the statistic of each resample; NaN where a resample has none.
            estimate: (…) the statistic of the tracks themselves.

        Returns:
            (2, …) float64: lower and upper limit. NaN if no resample has a value, and if all resamples agree: these
            tracks then do not show how much others would differ.
        """
        estimate = torch.as_tensor(estimate, dtype=torch.float64)
        tail = torch.tensor([(1 - self.confidence) / 2, (1 + self.confidence) / 2], dtype=torch.float64)
        z = torch.special.ndtri(tail).reshape(2, *[1] * estimate.ndim)
        limits = _quantile(values, torch.special.ndtr(2 * _normal_share(values, estimate) + z))
        lowest = values.nan_to_num(nan=torch.inf).amin(dim=0)
        highest = values.nan_to_num(nan=-torch.inf).amax(dim=0)
        return torch.where(highest - lowest > _TOLERANCE, limits, torch.nan)

    def p_value(self, differences: Tensor, estimate: float) -> float:
        """Return the two-sided p-value of a difference between two models.

        It is one minus the confidence of the widest interval that excludes zero.

        Args:
            differences: (resamples,) the difference in each resample.
            estimate: The difference on the tracks themselves.

        Returns:
            The p-value; NaN if all resamples agree.
        """
        if differences.isnan().all() or float(differences.nan_to_num(nan=estimate).std()) < _TOLERANCE:
            return float("nan")
        bias, zero = _normal_share(differences, torch.tensor(estimate, dtype=torch.float64)), torch.zeros(1)
        # Resamples with a difference of zero count on both sides: an interval that ends at zero contains it.
        tails = (
            torch.special.ndtr(_normal_share(sign * differences, zero, equal=1.0) - 2 * sign * bias) for sign in (1, -1)
        )
        return min(1.0, 2 * min(map(float, tails)))


def count_clusters(clusters: Mapping[str, np.ndarray]) -> dict[str, int]:
    """Return {unit: number of its clusters}, given {unit: (tracks,) cluster numbers from 0}."""
    return {unit: int(of_tracks.max()) + 1 for unit, of_tracks in clusters.items()}


def _normal_share(values: Tensor, threshold: Tensor, *, equal: float = 0.5) -> Tensor:
    """Return the normal quantile of the share of values below a threshold.

    If the threshold is the estimate itself, this is the bias to correct (Efron 1981): zero if half of the resamples lie
    below the estimate. An average precision, for instance, is too high on a resample, because a track that occurs twice
    is ranked next to itself.

    Args:
        values: (resamples, …), NaN where a resample has no value.
        threshold: (…).
        equal: Weight of values that equal the threshold.

    Returns:
        (…) float64.
    """
    count = (~values.isnan()).sum(dim=0).double()
    near = (values - threshold).abs() < _TOLERANCE
    share = ((values < threshold) & ~near).sum(dim=0) + equal * near.sum(dim=0)
    least = 1 / (count + 1)
    return torch.special.ndtri((share / count).clamp(least, 1 - least))


def _quantile(values: Tensor, levels: Tensor) -> Tensor:
    """Return quantiles (2, …) of the values (resamples, …) that are not NaN, at levels (2, …) per column."""
    ordered = values.sort(dim=0).values  # NaN last
    position = (levels * (~values.isnan()).sum(dim=0).sub(1).clamp(min=0)).nan_to_num(0.0)
    low = ordered.gather(0, position.floor().long())
    high = ordered.gather(0, position.ceil().long())
    return low + (high - low) * (position - position.floor())
