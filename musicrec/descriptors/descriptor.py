"""What a descriptor is: its name, its unit, and how its values are written and compared."""

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Descriptor:
    """A number that is computed from the audio of a track.

    Attributes:
        name: Its name in libraries, tables and settings.
        unit: Its unit; "" if it has none.
        digits: Number of decimals that are shown.
        low: Lower end of the usual range: the 5th percentile of real music (docs/descriptors.md).
        high: Upper end of the usual range: the 95th percentile.
        source: The standard or paper that defines it.
        meaning: One sentence for the user.
    """

    name: str
    unit: str
    digits: int
    low: float
    high: float
    source: str
    meaning: str

    def text(self, value: float, *, unit: bool = True) -> str:
        """Return a value as it is shown, such as "-14.2 LUFS".

        Args:
            value: The value.
            unit: Whether the unit follows.
        """
        number = f"{value:.{self.digits}f}"
        if float(number) == 0:
            number = number.removeprefix("-")
        return f"{number} {self.unit}" if unit and self.unit else number

    def position(self, values: np.ndarray | float) -> np.ndarray:
        """Return where values lie in the usual range: 0 at its lower end and below, 1 at its upper end and above."""
        return np.clip((np.asarray(values, np.float64) - self.low) / (self.high - self.low), 0.0, 1.0)

    def vectors(self, values: np.ndarray) -> np.ndarray:
        """Return values as vectors whose dot product says how alike two values are.

        A value becomes a point on a quarter of the unit circle. The product of two values at the opposite ends of the
        usual range is 0, that of equal values is 1.

        Args:
            values: (tracks,); NaN where a track has no value.

        Returns:
            (tracks, 2) float32; zeros where a track has no value.
        """
        angle = self.position(values) * (math.pi / 2)
        return np.nan_to_num(np.stack([np.cos(angle), np.sin(angle)], axis=-1)).astype(np.float32)
