"""What a deformation is given and gives back: the audio, and what happened to the labels.

A setting of a deformation is a number, the fixed strength of an evaluation, or a range [lowest, highest], from which
training draws one for each example. Everything that is drawn follows from the seed of its example alone, so that the
result depends neither on the size nor on the order of a batch.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from musicrec.errors import ConfigError


@dataclass(kw_only=True)
class Deformed:
    """waveform: (batch, samples) float32. shift_semitones, tempo_ratio: (batch,) float32; 0 and 1: nothing moved."""

    waveform: Tensor
    shift_semitones: Tensor
    tempo_ratio: Tensor


def unmoved(waveform: Tensor) -> Deformed:
    """The answer of a deformation that leaves pitch and tempo as they are."""
    still = torch.zeros(len(waveform), device=waveform.device)
    return Deformed(waveform=waveform, shift_semitones=still, tempo_ratio=still + 1)


class Deformation(Protocol):
    """A callable on a batch, on whatever device it lies.

    input_ratio: how many times longer than the output its input must be at most: 1 for all that keep the speed, and
    below 1 where the sound is only slowed down. One that takes the examples to the CPU, wherever they lie, and works
    on them one after another there, also says `on_cpu = True`.
    """

    input_ratio: float

    def __call__(self, waveform: Tensor, *, samples: int, sample_rate: int, seeds: Sequence[int]) -> Deformed:
        """waveform: (batch, at least samples × input_ratio) float32 in [-1, 1]; the answer has `samples`.

        sample_rate: in Hz. seeds: one for each example (see `seed_of`), the only source of randomness.
        """
        ...


def seed_of(*parts: int | str) -> int:
    """63 bits that follow from the parts and their order, as in ``seed_of(seed, track_id)``."""
    digest = hashlib.blake2b("/".join(map(str, parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def is_number(value: object, *, whole: bool = False) -> bool:
    """Whether a setting is a number, and a whole one; true and false are none, though Python counts with them."""
    return isinstance(value, int | float) and not isinstance(value, bool) and (not whole or value % 1 == 0)


def limits(
    name: str, setting: float | Sequence[float], *, least: float, most: float, whole: bool = False
) -> tuple[float, float]:
    """(lowest, highest) of a setting: a number, or the two ends of a range. whole: they must be whole numbers.

    Raises ConfigError where it is neither, or lies outside least … most.
    """
    ends = list(setting) if isinstance(setting, Sequence) else [setting, setting]
    numbers = all(is_number(end, whole=whole) for end in ends)
    if len(ends) != 2 or not numbers or not least <= ends[0] <= ends[1] <= most:
        raise ConfigError(
            f"{name}={setting}: give a {'whole ' * whole}number from {least:g} to {most:g}, "
            "or a range [lowest, highest] within"
        )
    return ends[0], ends[1]


def draw(name: str, ends: tuple[float, float], seeds: Sequence[int]) -> list[float]:
    """A value for each example, uniform between the ends. name: of what is drawn; each name is a draw of its own."""
    low, high = ends
    return [low if low == high else np.random.default_rng(seed_of(seed, name)).uniform(low, high) for seed in seeds]


def draw_log(name: str, ends: tuple[float, float], seeds: Sequence[int]) -> list[float]:
    """A value above 0 for each example, uniform in its logarithm: each octave between the ends is as likely."""
    low, high = ends
    if low == high:
        return [low] * len(seeds)
    return [math.exp(value) for value in draw(name, (math.log(low), math.log(high)), seeds)]


def draw_whole(name: str, ends: tuple[float, float], seeds: Sequence[int]) -> list[int]:
    """A whole number for each example, both ends included."""
    return [int(np.random.default_rng(seed_of(seed, name)).integers(ends[0], ends[1] + 1)) for seed in seeds]


def choose(name: str, choices: Sequence[str], seeds: Sequence[int]) -> list[str]:
    """One of the choices for each example, each as likely."""
    return [choices[np.random.default_rng(seed_of(seed, name)).integers(len(choices))] for seed in seeds]


def column(values: Sequence[float], like: Tensor) -> Tensor:
    """(batch, 1) float32 on the device of `like`, to go with (batch, samples)."""
    return torch.tensor(values, dtype=torch.float32, device=like.device)[:, None]


def white_noise(seeds: Sequence[int], samples: int, *, device: torch.device) -> Tensor:
    """(batch, samples) float32, standard normal, drawn on the device (whose kind it thus depends on)."""
    return torch.stack(
        [
            torch.randn(samples, generator=torch.Generator(device).manual_seed(seed_of(seed, "noise")), device=device)
            for seed in seeds
        ]
    )
