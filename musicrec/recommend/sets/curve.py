"""Energy curves: how hard the music should be at each place of a set."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, Le

from musicrec.config.number_types import Count, PositiveShare
from musicrec.config.value_check import check_choice, check_fields
from musicrec.errors import ConfigError

SHAPES = ("flat", "rise", "peak", "wave", "points")
_Energy = Annotated[float, Ge(1), Le(10)]
_USUAL = 5.0  # where a set begins if the energy of its first track is unknown
_SPAN = 3.0  # how much higher the top is than the beginning, if nothing is said


@dataclass(frozen=True, kw_only=True)
class EnergyCurve:
    """The wanted energy over a set.

    Attributes:
        shape: "flat" stays at `low`; "rise" goes straight from `low` to `high`; "peak" rises to `high` at `peak_at` and
            returns to `low`; "wave" goes up and down `waves` times; "points" follows `points`.
        low: Energy from 1 to 10 at the beginning. None takes that of the first track.
        high: Energy at the top. None is 3 above `low`, at most 10.
        peak_at: Where the peak is, as a share of the set.
        waves: How often "wave" goes up and comes back.
        points: For "points": (place from 0 to 1, energy from 1 to 10), in order; straight lines lie between them.
    """

    shape: str = "flat"
    low: _Energy | None = None
    high: _Energy | None = None
    peak_at: PositiveShare = 0.7
    waves: Count = 2
    points: Sequence[Sequence[float]] = ()

    def __post_init__(self) -> None:
        check_choice("curve.shape", self.shape, SHAPES)
        check_fields("curve", self)
        if bool(len(self.points)) != (self.shape == "points"):
            raise ConfigError(
                "curve.points: give a list of [place, energy] together with curve.shape=points, and only with it"
            )
        places = [point[0] for point in self.points]
        fits = all(len(point) == 2 and 0 <= point[0] <= 1 and 1 <= point[1] <= 10 for point in self.points)
        if not fits or any(later <= place for place, later in itertools.pairwise(places)):
            raise ConfigError(
                f"curve.points={[list(point) for point in self.points]}: give [place, energy] with places that rise "
                "from 0 to 1 and energies from 1 to 10"
            )

    def targets(self, tracks: int, first: float) -> np.ndarray:
        """Return the wanted energy of each track of a set, (tracks,) float32.

        Args:
            tracks: Number of tracks.
            first: Energy of the first track, NaN if unknown.
        """
        low = self.low if self.low is not None else (_USUAL if math.isnan(first) else float(first))
        high = self.high if self.high is not None else min(10.0, low + _SPAN)
        place = np.linspace(0.0, 1.0, tracks) if tracks > 1 else np.zeros(1)
        if self.shape == "points":
            energy = np.interp(place, *np.array(self.points, dtype=float).T)
        elif self.shape == "rise":
            energy = low + (high - low) * place
        elif self.shape == "peak":
            energy = np.interp(place, [0.0, self.peak_at, 1.0], [low, high, low if self.peak_at < 1 else high])
        elif self.shape == "wave":
            energy = low + (high - low) * (0.5 - 0.5 * np.cos(2 * np.pi * self.waves * place))
        else:
            energy = np.full(tracks, low)
        return energy.astype(np.float32)
