"""Faults of recordings on spectrograms: how the levels change, and what stays."""

import pytest
import torch

from musicrec.deformations.spectrogram_faults import SpectrogramFaults
from musicrec.errors import ConfigError


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def decibels() -> torch.Tensor:
    return -60 + 10 * torch.randn(64, 1, 72, 30, generator=generator(5))


def test_probability_zero_changes_nothing(decibels):
    assert torch.equal(SpectrogramFaults(colour=0, noise=0, dynamics=0)(decibels, generator=generator()), decibels)


def test_a_half_is_changed_and_the_same_seed_changes_the_same(decibels):
    augment = SpectrogramFaults(colour=0, noise=0, dynamics=0.5)
    result = augment(decibels, generator=generator())
    changed = (result != decibels).flatten(1).any(dim=1)
    assert 16 < changed.sum() < 48
    assert torch.equal(augment(decibels, generator=generator()), result)
    assert not torch.equal(augment(decibels, generator=generator(1)), result)


def test_colour_changes_bands_and_not_frames(decibels):
    change = SpectrogramFaults(colour=1, noise=0, dynamics=0)(decibels, generator=generator()) - decibels
    torch.testing.assert_close(change, change[..., :1].expand_as(change), atol=1e-4, rtol=0)
    # Variances: 4² · mean of (2 · position)² = 1/3, and 3² / 2 · (1 + 1/2 + 1/3 + 1/4): together 14.7
    assert float(change.var()) == pytest.approx(14.7, rel=0.25)


def test_noise_adds_power(decibels):
    result = SpectrogramFaults(colour=0, noise=1, dynamics=0)(decibels, generator=generator())
    assert (result >= decibels - 1e-3).all()
    loudest = decibels.amax(dim=(1, 2, 3), keepdim=True)
    # The power of the sum of two powers is at most twice the larger one.
    assert (result <= torch.maximum(decibels, loudest + 5) + 3.02).all()
    assert (result - decibels).flatten(1).amax(dim=1).min() > 3, "something is covered in every example"


def test_dynamics_stretch_the_distances_from_the_loudest_place(decibels):
    result = SpectrogramFaults(colour=0, noise=0, dynamics=1)(decibels, generator=generator())
    loudest = decibels.amax(dim=(1, 2, 3), keepdim=True)
    torch.testing.assert_close(result.amax(dim=(1, 2, 3), keepdim=True), loudest)
    below = decibels < loudest - 1
    factors = ((result - loudest) / (decibels - loudest))[below]
    assert 0.599 < factors.min() < 0.65 and 1.15 < factors.max() < 1.201
    per_example = ((result - loudest) / (decibels - loudest).clamp(max=-1e-3)).flatten(1)[:, :50]
    assert per_example.std(dim=1).max() < 0.01, "one factor per example"


@pytest.mark.parametrize("name", ["colour", "noise", "dynamics"])
@pytest.mark.parametrize("value", [-0.1, 1.5, "often"])
def test_a_mistake_is_named(name: str, value: object):
    with pytest.raises(ConfigError, match=f"{name}={value}"):
        SpectrogramFaults(**{name: value})
