"""Reverberation: the decay time by Schroeder's backward integration, and the ratio to the direct sound."""

import numpy as np
import pytest
import torch

from musicrec.deformations.reverberation import Reverberation


@pytest.mark.parametrize("decay_s", [0.4, 1.5])
def test_the_sound_falls_by_60_db_in_the_decay_time(decay_s, deform):
    click = torch.zeros(4, 48_000)
    click[:, 100] = 1.0
    for response in deform(Reverberation(decay_s=decay_s), click).waveform[:, 101:].numpy():
        energy_db = 10 * np.log10(np.cumsum(response[::-1] ** 2)[::-1] / np.sum(response**2) + 1e-12)
        part = (energy_db < -5) & (energy_db > -25)  # ISO 3382: T20
        slope, _ = np.polyfit(np.flatnonzero(part) / 16_000, energy_db[part], 1)
        assert -60 / slope == pytest.approx(decay_s, rel=0.1)


def test_direct_and_reverberant_sound(deform):
    click = torch.zeros(2, 32_000)
    click[:, 500] = 1.0
    response = deform(Reverberation(decay_s=0.5, direct_to_reverberant_db=6.0), click).waveform
    ratio = response[:, 500].square() / response[:, 501:].square().sum(dim=1)
    assert (10 * ratio.log10() - 6).abs().max() < 0.1
    assert response[:, :499].abs().max() < 1e-4, "nothing sounds before the click"
    torch.testing.assert_close(response.square().sum(dim=1), torch.ones(2), rtol=1e-3, atol=0)


def test_every_example_stands_in_a_room_of_its_own(deform):
    click = torch.zeros(2, 8000)
    click[:, 0] = 1.0
    first, second = deform(Reverberation(decay_s=0.3), click).waveform[:, 1:]
    assert torch.corrcoef(torch.stack([first, second]))[0, 1].abs() < 0.1
