"""Zero crossings: how often the waveform changes its sign."""

import numpy as np

from musicrec.descriptors.descriptor import Descriptor

ZERO_CROSSINGS = Descriptor(
    name="zero_crossings",
    unit="/s",
    digits=0,
    low=600.0,
    high=2400.0,
    source="Gouyon, Pachet and Delerue, On the use of zero-crossing rate, DAFx 2000",
    meaning="How often per second the waveform changes its sign; noise and distortion raise it.",
)


def zero_crossings(waveform: np.ndarray, sample_rate: int) -> float:
    """Return the changes of sign per second; a sample of 0 counts as positive.

    Args:
        waveform: (samples,).
        sample_rate: In Hz.
    """
    negative = np.signbit(waveform + np.float32(0))  # -0 is 0
    return float(np.count_nonzero(negative[1:] != negative[:-1]) * sample_rate / len(waveform))
