"""Signals of which everything is known, and a short way to deform them."""

import math
from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor

from musicrec.deformations.base import Deformation, Deformed, seed_of

RATE = 16_000


@pytest.fixture(scope="session")
def tone() -> Callable[..., Tensor]:
    """tone(frequency_hz, samples, level=1.0): (samples,), a sine whose amplitude is the level."""

    def make(frequency_hz: float, samples: int, level: float = 1.0) -> Tensor:
        return level * torch.sin(2 * math.pi * frequency_hz * torch.arange(samples, dtype=torch.float64) / RATE).float()

    return make


@pytest.fixture(scope="session")
def clicks() -> Callable[[int, int], Tensor]:
    """clicks(spacing, samples): (samples,), a single sample every `spacing`, the first after half of that."""

    def make(spacing: int, samples: int) -> Tensor:
        waveform = torch.zeros(samples)
        waveform[spacing // 2 :: spacing] = 0.9
        return waveform

    return make


@pytest.fixture(scope="session")
def deform() -> Callable[..., Deformed]:
    """deform(deformation, waveform, samples=as many as go in, seeds=0, 1, 2 …): one example (samples,) or a batch."""

    def apply(
        deformation: Deformation, waveform: Tensor, samples: int | None = None, seeds: Sequence[int] | None = None
    ) -> Deformed:
        batch = torch.atleast_2d(waveform)
        seeds = [seed_of(0, number) for number in range(len(batch))] if seeds is None else seeds
        return deformation(batch, samples=samples or batch.shape[1], sample_rate=RATE, seeds=seeds)

    return apply


@pytest.fixture(scope="session")
def peak_hz() -> Callable[[Tensor], Tensor]:
    """The frequency of the strongest bin of (batch, samples), to a fiftieth of a hertz."""

    def find(waveform: Tensor) -> Tensor:
        window = torch.hann_window(waveform.shape[1])
        return torch.fft.rfft(waveform * window, n=1 << 19).abs().argmax(dim=1) * RATE / (1 << 19)

    return find


@pytest.fixture(scope="session")
def click_places() -> Callable[[Tensor], Tensor]:
    """Where the clicks of (samples,) are: the loudest sample of every stretch that is louder than a third of all."""

    def find(waveform: Tensor) -> Tensor:
        loud = (waveform.abs() > waveform.abs().max() / 3).nonzero().squeeze(1)
        breaks = (loud.diff() > 800).nonzero().squeeze(1) + 1
        groups = torch.tensor_split(loud, breaks)
        return torch.stack([group[waveform[group].abs().argmax()] for group in groups])

    return find
