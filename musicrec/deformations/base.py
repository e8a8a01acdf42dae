"""The deformation protocol: audio in, audio and the change of pitch and tempo out.

A setting of a deformation is either a number (the fixed strength of an evaluation) or a range [lowest, highest], from
which training draws one value per example. All random values depend only on the seed of their example. The result
therefore does not depend on the size or the order of a batch.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from musicrec.config.value_check import fits
from musicrec.errors import ConfigError


@dataclass(kw_only=True)
class Deformed:
    """The result of a deformation.

    Attributes:
        waveform: (batch, samples) float32.
        shift_semitones: (batch,) float32, change of pitch; 0 is none.
        tempo_ratio: (batch,) float32, new tempo divided by old tempo; 1 is no change.
    """

    waveform: Tensor
    shift_semitones: Tensor
    tempo_ratio: Tensor


def unmoved(waveform: Tensor) -> Deformed:
    """Return the result of a deformation that changes neither pitch nor tempo."""
    still = torch.zeros(len(waveform), device=waveform.device)
    return Deformed(waveform=waveform, shift_semitones=still, tempo_ratio=still + 1)


class Deformation(Protocol):
    """A callable that deforms a batch of waveforms on the device of the batch.

    A deformation that copies the batch to the CPU and processes one example after another also sets `on_cpu = True`.
    One after which events are not where they were, up to the change of tempo, sets `keeps_time = False`: labels with
    times cannot follow it.

    Attributes:
        input_ratio: The longest input that may be needed, divided by the length of the output. It is 1 for deformations
            that keep the speed, and below 1 for those that only slow the sound down.
    """

    input_ratio: float

    def __call__(self, waveform: Tensor, *, samples: int, sample_rate: int, seeds: Sequence[int]) -> Deformed:
        """Deform a batch.

        Args:
            waveform: (batch, at least samples × input_ratio) float32 in [-1, 1].
            samples: Length of the output.
            sample_rate: In hertz.
            seeds: One per example (see `seed_of`); the only source of randomness.
        """
        ...


def seed_of(*parts: int | str) -> int:
    """Return a seed of 63 bits that depends on the parts and their order, as in ``seed_of(seed, track_id)``."""
    digest = hashlib.blake2b("/".join(map(str, parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def limits(
    name: str, setting: float | Sequence[float], *, least: float, most: float, whole: bool = False
) -> tuple[float, float]:
    """Return (lowest, highest) of a setting that is a number or a range.

    Args:
        name: The name of the setting, for messages.
        setting: A number, or [lowest, highest].
        least: The smallest value allowed.
        most: The largest value allowed.
        whole: Only whole numbers are allowed.

    Raises:
        ConfigError: The setting is neither a number nor a range, or lies outside `least` to `most`.
    """
    ends = list(setting) if isinstance(setting, Sequence) else [setting, setting]
    numbers = all(fits(end, float) and (not whole or end % 1 == 0) for end in ends)
    if len(ends) != 2 or not numbers or not least <= ends[0] <= ends[1] <= most:
        raise ConfigError(
            f"{name}={setting}: give a {'whole ' * whole}number from {least:g} to {most:g}, "
            "or a range [lowest, highest] within"
        )
    return ends[0], ends[1]


def draw(name: str, ends: tuple[float, float], seeds: Sequence[int]) -> list[float]:
    """Draw one value per example, uniform between the ends. Draws with different names are independent."""
    low, high = ends
    return [low if low == high else np.random.default_rng(seed_of(seed, name)).uniform(low, high) for seed in seeds]


def draw_log(name: str, ends: tuple[float, float], seeds: Sequence[int]) -> list[float]:
    """Draw one positive value per example, uniform in its logarithm: every octave is equally likely."""
    low, high = ends
    if low == high:
        return [low] * len(seeds)
    return [math.exp(value) for value in draw(name, (math.log(low), math.log(high)), seeds)]


def draw_whole(name: str, ends: tuple[float, float], seeds: Sequence[int]) -> list[int]:
    """Draw one whole number per example; both ends are included."""
    return [int(np.random.default_rng(seed_of(seed, name)).integers(ends[0], ends[1] + 1)) for seed in seeds]


def choose(name: str, choices: Sequence[str], seeds: Sequence[int]) -> list[str]:
    """Draw one of the choices per example; all are equally likely."""
    return [choices[np.random.default_rng(seed_of(seed, name)).integers(len(choices))] for seed in seeds]


def column(values: Sequence[float], like: Tensor) -> Tensor:
    """Return the values as (batch, 1) float32 on the device of `like`, to broadcast over (batch, samples)."""
    return torch.tensor(values, dtype=torch.float32, device=like.device)[:, None]


def white_noise(seeds: Sequence[int], samples: int, *, device: torch.device) -> Tensor:
    """Draw (batch, samples) float32 of standard normal noise. The values differ between CPU and GPU."""
    return torch.stack(
        [
            torch.randn(samples, generator=torch.Generator(device).manual_seed(seed_of(seed, "noise")), device=device)
            for seed in seeds
        ]
    )
