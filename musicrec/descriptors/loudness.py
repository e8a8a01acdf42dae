"""Loudness of a whole track: ITU-R BS.1770-5, annex 1."""

import numpy as np

from musicrec.descriptors.descriptor import Descriptor

LOUDNESS = Descriptor(
    name="loudness",
    unit="LUFS",
    digits=1,
    low=-23.5,
    high=-10.0,
    source="ITU-R BS.1770-5 (2023), integrated loudness with both gates",
    meaning="How loud the track is as a whole, without its pauses; 10 units more sound about twice as loud.",
)

STEPS_PER_S = 10
FLOOR_LUFS = -70.0
_CEILING_POWER = 1e6  # +59 LUFS; only float files with absurd samples reach it
_BLOCK_STEPS = 4  # gating blocks of 400 ms that overlap by 75 %
_RELATIVE_GATE_LU = -10.0


def lufs(powers: np.ndarray) -> np.ndarray:
    """Return the loudness of K-weighted powers in LUFS, at least -70."""
    least = 10 ** ((FLOOR_LUFS + 0.691) / 10)
    return np.maximum(-0.691 + 10 * np.log10(np.clip(powers, least, _CEILING_POWER)), FLOOR_LUFS)


def moving_mean(powers: np.ndarray, steps: int) -> np.ndarray:
    """Return the means of `steps` powers in a row; if there are fewer, the mean of all, (1,)."""
    if len(powers) <= steps:
        return powers.mean(keepdims=True)
    sums = np.concatenate([[0.0], np.cumsum(np.minimum(powers, _CEILING_POWER))])
    return np.maximum(sums[steps:] - sums[:-steps], 0.0) / steps


def integrated_loudness(powers: np.ndarray) -> float:
    """Return the integrated loudness in LUFS.

    Blocks of 400 ms below -70 LUFS do not count, nor those more than 10 LU below the mean of the rest. Silence gives
    -70. A track shorter than one block counts as one.

    Args:
        powers: (steps,) K-weighted power per step of 100 ms, from a `LoudnessMeter`.
    """
    blocks = moving_mean(powers, _BLOCK_STEPS)
    loudness = lufs(blocks)
    audible = blocks[loudness > FLOOR_LUFS]
    if not len(audible):
        return FLOOR_LUFS
    gate = max(FLOOR_LUFS, float(lufs(audible.mean())) + _RELATIVE_GATE_LU)
    return float(lufs(blocks[loudness > gate].mean()))
