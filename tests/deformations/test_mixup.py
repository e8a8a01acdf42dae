"""Mixup: who is heard how loud."""

import math

import pytest
import torch

from musicrec.deformations.mixup import Mixup
from musicrec.errors import ConfigError

SAMPLE_RATE = 16000


def tones(*frequencies_hz: float, amplitudes: list[float]) -> torch.Tensor:
    time_s = torch.arange(SAMPLE_RATE) / SAMPLE_RATE
    return torch.stack(
        [a * torch.sin(2 * math.pi * f * time_s) for f, a in zip(frequencies_hz, amplitudes, strict=True)]
    )


def powers(waveform: torch.Tensor, frequency_hz: int) -> torch.Tensor:
    """Power of one bin; a second of audio has bins of 1 Hz."""
    return 2 * (torch.fft.rfft(waveform)[:, frequency_hz].abs() / SAMPLE_RATE).square()


def test_power_is_shared_out_whatever_the_levels():
    waveform = tones(440, 1000, 3000, amplitudes=[0.5, 0.05, 0.2])
    mixed, partner, share = Mixup(alpha=1.0)(waveform, generator=torch.Generator().manual_seed(2))
    assert 0.5 <= share <= 1 and sorted(partner.tolist()) == [0, 1, 2]
    frequencies = [440, 1000, 3000]
    for index, other in enumerate(partner.tolist()):
        own, total = float(powers(mixed, frequencies[index])[index]), float(waveform[index].square().mean())
        assert other != index
        assert own / total == pytest.approx(share, rel=1e-3)
        assert float(powers(mixed, frequencies[other])[index]) / total == pytest.approx(1 - share, rel=1e-3)


def test_share_follows_the_folded_beta_distribution():
    waveform, generator = torch.randn(2, 8), torch.Generator().manual_seed(0)
    shares = torch.tensor([Mixup(alpha=1.0)(waveform, generator=generator)[2] for _ in range(2000)])
    assert float(shares.mean()) == pytest.approx(0.75, abs=0.01)  # uniform on 0.5 … 1
    shares = torch.tensor([Mixup(alpha=0.1)(waveform, generator=generator)[2] for _ in range(500)])
    assert float(shares.mean()) > 0.9


def test_silence_stays_finite():
    waveform = torch.stack([torch.zeros(100), torch.ones(100)])
    for seed in range(4):
        mixed, _, _ = Mixup()(waveform, generator=torch.Generator().manual_seed(seed))
        assert mixed.isfinite().all() and mixed.abs().max() <= 1


def test_same_seed_same_mix():
    waveform = torch.randn(4, 50)
    one, two = (Mixup()(waveform, generator=torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(one[0], two[0]) and torch.equal(one[1], two[1]) and one[2] == two[2]


@pytest.mark.parametrize("alpha", [0, -1, True, "1", None, math.nan])
def test_alpha_must_be_a_number_above_zero(alpha: object):
    with pytest.raises(ConfigError, match=f"alpha={alpha}: give a number above 0"):
        Mixup(alpha=alpha)
