"""Loudness range: how far the loud passages of a track are above the soft ones. EBU Tech 3342."""

import numpy as np

from musicrec.descriptors.descriptor import Descriptor
from musicrec.descriptors.loudness import FLOOR_LUFS, STEPS_PER_S, lufs, moving_mean

LOUDNESS_RANGE = Descriptor(
    name="loudness_range",
    unit="LU",
    digits=1,
    low=1.3,
    high=11.5,
    source="EBU Tech 3342 (2023)",
    meaning="How far the loud passages are above the soft ones; a dance track has little, an orchestra much.",
)

_WINDOW_STEPS = 3 * STEPS_PER_S
_RELATIVE_GATE_LU = -20.0


def loudness_range(powers: np.ndarray) -> float | None:
    """Return the range from the 10th to the 95th percentile of the loudness of windows of 3 s, in LU.

    Windows below -70 LUFS do not count, nor those more than 20 LU below the mean of the rest. Silence gives 0.

    Args:
        powers: (steps,) K-weighted power per step of 100 ms, from a `LoudnessMeter`.

    Returns:
        The range in LU; None for a track that is shorter than one window.
    """
    if len(powers) < _WINDOW_STEPS:
        return None
    windows = moving_mean(powers, _WINDOW_STEPS)
    loudness = lufs(windows)
    audible = loudness > FLOOR_LUFS
    if not audible.any():
        return 0.0
    gate = float(lufs(windows[audible].mean())) + _RELATIVE_GATE_LU
    low, high = np.percentile(loudness[audible & (loudness >= gate)], [10, 95], method="nearest")
    return float(high - low)
