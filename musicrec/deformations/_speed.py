"""Change of speed, with the pitch (as on a tape) or without it."""

import functools
import math
from fractions import Fraction

import numpy as np
import python_stretch
import torch
from torch import Tensor
from torchaudio.transforms import Resample as SincResample

STRETCH_MARGIN_S = 0.25  # twice the window of the stretcher: later input does not change the part that is kept


@functools.cache
def speed_of(semitones: float) -> Fraction:
    """Return the fraction with a denominator up to 64 that is nearest to 2^(semitones/12).

    It is at most 3 cents off for whole semitones, and at most 14 for others.
    """
    return Fraction(2 ** (semitones / 12)).limit_denominator(64)


@functools.lru_cache(maxsize=128)
def _resampler(speed: Fraction, device: torch.device) -> SincResample:
    return SincResample(speed.numerator, speed.denominator).to(device)


def played(waveform: Tensor, speed: Fraction, *, samples: int) -> Tensor:
    """Multiply pitch and tempo by `speed`, by sinc interpolation.

    Args:
        waveform: (batch, any) float32.
        speed: Above 1 is faster and higher.
        samples: Length of the result.

    Returns:
        (batch, samples) float32.
    """
    needed = math.ceil(samples * float(speed)) + 32  # a little more, because the sinc filter has a width
    return _fitted(_resampler(speed, waveform.device)(waveform[:, :needed]), samples)


def stretched(waveform: Tensor, rates: list[float], *, samples: int, sample_rate: int) -> Tensor:
    """Multiply the tempo by a rate per example and keep the pitch.

    The output is padded with silence if the input is too short. Signalsmith Stretch works on one example at a time, on
    the CPU, and holds Python's lock.

    Args:
        waveform: (batch, any) float32.
        rates: One per example; above 1 is faster.
        samples: Length of the result.
        sample_rate: Of the waveform, in Hz.

    Returns:
        (batch, samples) float32.
    """
    results = []
    for example, rate in zip(waveform.cpu(), rates, strict=True):
        needed = math.ceil((samples + STRETCH_MARGIN_S * sample_rate) * rate)
        stretcher = python_stretch.Signalsmith.Stretch()
        stretcher.preset(1, sample_rate)
        stretcher.timeFactor = rate
        result = stretcher.process(np.ascontiguousarray(example[None, :needed].numpy()))
        results.append(_fitted(torch.from_numpy(result), samples))
    return torch.cat(results).to(waveform.device)


def _fitted(waveform: Tensor, samples: int) -> Tensor:
    """Cut to `samples`, or pad with silence."""
    waveform = waveform[:, :samples]
    return torch.nn.functional.pad(waveform, (0, samples - waveform.shape[1]))
