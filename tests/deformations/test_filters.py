"""Filters: the response, measured on a sweep."""

import math

import pytest
import torch

from musicrec.deformations.high_pass import HighPass
from musicrec.deformations.low_pass import LowPass
from musicrec.deformations.telephone import TelephoneBand
from musicrec.errors import ConfigError

SAMPLES = 65_536


@pytest.fixture(scope="module")
def response_db(deform):
    """response_db(deformation, frequency_hz): gain of an exponential sweep from 20 Hz to 8 kHz around a frequency."""
    ratio = math.log(8000 / 20)
    place = torch.arange(SAMPLES, dtype=torch.float64) / SAMPLES
    chirp = 0.5 * torch.sin(2 * math.pi * 20 * SAMPLES / 16_000 / ratio * ((ratio * place).exp() - 1)).float()
    before = torch.fft.rfft(chirp).abs()

    def measure(deformation, frequency_hz: float) -> float:
        gain = torch.fft.rfft(deform(deformation, chirp).waveform[0]).abs() / before
        centre = round(frequency_hz * SAMPLES / 16_000)
        return 20 * math.log10(float(gain[int(centre * 0.99) : int(centre * 1.01) + 1].median()))

    return measure


@pytest.mark.parametrize(
    ("frequency_hz", "gain_db"), [(100, 0), (500, -0.02), (1000, -3.01), (2000, -24.1), (4000, -48.2)]
)
def test_low_pass(response_db, frequency_hz, gain_db):
    assert response_db(LowPass(cutoff_hz=1000), frequency_hz) == pytest.approx(gain_db, abs=0.5)


@pytest.mark.parametrize(("frequency_hz", "gain_db"), [(250, -24.1), (500, -3.01), (1000, -0.02), (6000, 0)])
def test_high_pass(response_db, frequency_hz, gain_db):
    assert response_db(HighPass(cutoff_hz=500), frequency_hz) == pytest.approx(gain_db, abs=0.5)


@pytest.mark.parametrize(
    ("band", "edges_hz", "inside_hz", "outside_hz"),
    [("narrow", (300, 3400), (600, 1700), (150, 6800)), ("wide", (50, 7000), (200, 5000), (25, 7900))],
)
def test_telephone(response_db, band, edges_hz, inside_hz, outside_hz):
    telephone = TelephoneBand(band=band)
    assert [response_db(telephone, f) for f in edges_hz] == pytest.approx([-3, -3], abs=0.6)
    assert [response_db(telephone, f) for f in inside_hz] == pytest.approx([0, 0], abs=0.3)
    assert response_db(telephone, outside_hz[0]) < -40 and response_db(telephone, outside_hz[1]) < -8


def test_nothing_is_delayed_and_the_end_does_not_reach_the_beginning(deform):
    click = torch.zeros(8000)
    click[4000] = 1.0
    assert int(deform(LowPass(cutoff_hz=500), click).waveform.argmax()) == 4000
    click = torch.zeros(8000)
    click[-1] = 1.0
    assert deform(LowPass(cutoff_hz=500), click).waveform[0, :4000].abs().max() < 1e-4


def test_every_example_has_its_own_cutoff(deform):
    clicks = torch.zeros(40, 8000)
    clicks[:, 4000] = 1.0
    spectrum = torch.fft.rfft(deform(LowPass(cutoff_hz=[500, 4000]), clicks).waveform).abs()
    cutoff_hz = (spectrum > 0.5**0.5).sum(dim=1) * 2
    assert 500 <= cutoff_hz.min() < 900 and 3500 < cutoff_hz.max() <= 4004


def test_mistakes_are_named():
    with pytest.raises(ConfigError, match="cutoff_hz=5: give a number from 20 to 24000"):
        LowPass(cutoff_hz=5)
    with pytest.raises(ConfigError, match="band=\\['am'\\]: choose one or more of narrow, wide"):
        TelephoneBand(band="am")


def test_of_several_bands_each_is_drawn(tone, deform):
    batch = tone(5000, 8000).expand(24, -1)  # within the wide band only
    heard = deform(TelephoneBand(band=["wide", "narrow"]), batch).waveform[:, 2000:-2000].abs().amax(dim=1)
    assert ((heard > 0.9) | (heard < 0.1)).all() and 5 < (heard > 0.9).sum() < 19
