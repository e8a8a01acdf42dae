"""How far a number would move with other tracks: bias-corrected bootstrap intervals, by track and by artist.

`scipy.stats.bootstrap` is not used: it draws no clusters, gives no interval where one resample in a thousand lacks a
class, and calls a metric for each of the hundreds of numbers that share the resamples here. The tests hold this one to
it where both apply, and count how often intervals hold a known truth.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
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
_BLOCK = 4_000_000  # numbers in memory at once, of each of a handful of arrays
_PATIENCE_S = 2.0
_EQUAL = 1e-9  # what rounding may part


@dataclass(frozen=True, kw_only=True)
class Bootstrap:
    """resamples: how many. confidence: of the intervals. units: what is drawn, tracks or all tracks of an artist.

    Raises ConfigError for values that cannot work.
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
        """{unit: (tracks,) number of the cluster each track is in}. A track of no known artist is one by itself. Units
        of which there are not two, or as many artists as tracks because none is known, are left out."""
        tracks = np.arange(len(artists))
        found = {"track": tracks} if "track" in self.units else {}
        if "artist" in self.units and any(artists):
            names = [artist or f"\0{track}" for track, artist in enumerate(artists)]
            found["artist"] = np.unique(names, return_inverse=True)[1]
        return {unit: clusters for unit, clusters in found.items() if len(np.unique(clusters)) > 1}

    def check(self, artists: Sequence[str | None], *, split: str) -> list[str]:
        """Remarks on units by which the tracks of a split cannot be drawn. Raises ConfigError where none is left."""
        if "artist" not in self.units or len(artists) < 2 or "artist" in self.clusters(artists):
            return []
        why = f"all tracks of '{split}' are of one artist" if any(artists) else f"no track of '{split}' names an artist"
        if "track" not in self.units:
            raise ConfigError(
                f"bootstrap.units=[artist]: {why}, so that there would be no interval; fill the column artist of the "
                "manifest, or draw tracks (bootstrap.units=[track])"
            )
        return [f"intervals by artist: {why}"]

    def weights(self, clusters: np.ndarray, *, rows_at_once: int) -> Iterator[Tensor]:
        """(≤ rows_at_once, tracks) float64: how often each track is in each resample, until all were given. A resample
        is as many clusters as there are, drawn with replacement; a cluster brings all of its tracks."""
        size = int(clusters.max()) + 1
        rng = np.random.default_rng(self.seed)
        for begin in range(0, self.resamples, rows_at_once):
            rows = min(rows_at_once, self.resamples - begin)
            counts = rng.multinomial(size, np.full(size, 1 / size), size=rows)
            yield torch.from_numpy(counts[:, clusters].astype(np.float64))

    def scores(
        self, score: Callable[[Tensor], Scores], clusters: np.ndarray, *, classes: int, progress: bool = True
    ) -> Scores:
        """The scores of all resamples. score: of weights (resamples, tracks). classes: of the head. progress: show a
        bar where it takes its time."""
        rows_at_once = max(1, _BLOCK // max(1, len(clusters) * classes))
        weights = self.weights(clusters, rows_at_once=rows_at_once)
        blocks = [score(block) for block in (self._shown(weights) if progress else weights)]
        first = blocks[0]
        return Scores(
            overall={name: torch.cat([block.overall[name] for block in blocks]) for name in first.overall},
            classes=first.classes,
            counts=first.counts,
            by_class={name: torch.cat([block.by_class[name] for block in blocks]) for name in first.by_class},
        )

    def _shown(self, blocks: Iterable[Tensor]) -> Iterator[Tensor]:
        """The blocks, with a progress bar as soon as they take longer than two seconds."""
        begin, done, bar = time.monotonic(), 0, None
        try:
            for block in blocks:
                yield block
                done += len(block)
                if bar is None and time.monotonic() - begin > _PATIENCE_S:
                    bar = Progress(console=error_console(), transient=True)
                    task = bar.add_task("bootstrap", total=self.resamples)
                    bar.start()
                if bar is not None:
                    bar.update(task, completed=done)
        finally:
            if bar is not None:
                bar.stop()

    def interval(self, values: Tensor, at: Tensor | float) -> Tensor:
        """(2, …): the bias-corrected percentile interval of (resamples, …) values, for a number that is `at` (…) on the
        tracks themselves. NaN where there is no value, and where all resamples agree: then the tracks at hand cannot
        tell how others would differ."""
        at = torch.as_tensor(at, dtype=torch.float64)
        tail = torch.tensor([(1 - self.confidence) / 2, (1 + self.confidence) / 2], dtype=torch.float64)
        z = torch.special.ndtri(tail).reshape(2, *[1] * at.ndim)
        limits = _quantile(values, torch.special.ndtr(2 * _normal_share(values, at) + z))
        lowest = values.nan_to_num(nan=torch.inf).amin(dim=0)
        highest = values.nan_to_num(nan=-torch.inf).amax(dim=0)
        return torch.where(highest - lowest > _EQUAL, limits, torch.nan)

    def p_value(self, differences: Tensor, at: float) -> float:
        """Two-sided, of (resamples,) differences of two models that differ by `at`: one minus the confidence of the
        widest interval that leaves zero out. NaN where all resamples agree."""
        if differences.isnan().all() or float(differences.nan_to_num(nan=at).std()) < _EQUAL:
            return float("nan")
        bias, zero = _normal_share(differences, torch.tensor(at, dtype=torch.float64)), torch.zeros(1)
        # Resamples without a difference count on either side: an interval that ends at zero holds it.
        tails = (
            torch.special.ndtr(_normal_share(sign * differences, zero, equal=1.0) - 2 * sign * bias) for sign in (1, -1)
        )
        return min(1.0, 2 * min(map(float, tails)))


def _normal_share(values: Tensor, at: Tensor, *, equal: float = 0.5) -> Tensor:
    """(…): the normal quantile of the share of (resamples, …) values below `at` (…); a share `equal` of ties counts.

    Of the number itself it is zero where half of the resamples lie below, as they should; else it is the bias to
    correct (Efron 1981). An average precision comes out too high on a resample: what is in it twice supports itself.
    """
    count = (~values.isnan()).sum(dim=0).double()
    near = (values - at).abs() < _EQUAL
    share = ((values < at) & ~near).sum(dim=0) + equal * near.sum(dim=0)
    least = 1 / (count + 1)
    return torch.special.ndtri((share / count).clamp(least, 1 - least))


def _quantile(values: Tensor, levels: Tensor) -> Tensor:
    """Quantiles of (resamples, …) without NaN, at levels (2, …) that differ from column to column."""
    ordered = values.sort(dim=0).values  # NaN last
    position = (levels * (~values.isnan()).sum(dim=0).sub(1).clamp(min=0)).nan_to_num(0.0)
    low = ordered.gather(0, position.floor().long())
    high = ordered.gather(0, position.ceil().long())
    return low + (high - low) * (position - position.floor())
