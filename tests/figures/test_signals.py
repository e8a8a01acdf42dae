"""Roll-off and zero-crossing rate, compared with librosa 0.11.0 and with arithmetic."""

import numpy as np
import pytest

from musicrec.figures.signals import spectral_rolloff, zero_crossing_rate

SAMPLE_RATE = 16_000
RISING = np.concatenate([np.zeros(3000), np.sin(np.arange(5000) ** 2 * 1e-4)]).astype(np.float32)


def test_zero_crossing_rate_equals_that_of_librosa():
    """The values are those of librosa.feature.zero_crossing_rate(RISING)."""
    assert (2048 * zero_crossing_rate(RISING)).tolist() == [
        0, 0, 0, 0, 0, 10, 38, 82, 142, 210, 276, 343, 409, 476, 481, 370,
    ]  # fmt: skip


def test_spectral_rolloff_equals_that_of_librosa():
    """The values are those of librosa.feature.spectral_rolloff(y=RISING, sr=16000)."""
    assert spectral_rolloff(RISING, sample_rate=SAMPLE_RATE).tolist() == [
        0.0, 0.0, 0.0, 0.0, 250.0, 156.25, 304.6875, 515.625, 765.625, 1023.4375, 1289.0625, 1546.875, 1812.5,
        2070.3125, 2335.9375, 2554.6875,
    ]  # fmt: skip


@pytest.mark.parametrize("hertz", [100, 1000, 5000])
def test_a_sine_crosses_zero_twice_per_period(hertz: int):
    sine = np.sin(2 * np.pi * hertz * np.arange(SAMPLE_RATE) / SAMPLE_RATE + 0.1)
    inside = zero_crossing_rate(sine)[2:-2]
    assert inside == pytest.approx(2 * hertz / SAMPLE_RATE, abs=1 / 2048)


@pytest.mark.parametrize("share", [0.5, 0.85])
def test_rolloff_of_a_click_is_at_the_share_of_the_spectrum(share: float):
    """A single sample has a flat spectrum, so the roll-off is the bin below which `share` of the 1025 bins lie."""
    click = np.zeros(8192, dtype=np.float32)
    click[4096] = 1.0
    bins = np.ceil(share * 1025) - 1
    assert spectral_rolloff(click, sample_rate=SAMPLE_RATE, share=share)[8] == bins * SAMPLE_RATE / 2048


def test_silence_shorter_than_a_frame_gives_zero():
    assert zero_crossing_rate(np.zeros(100)).tolist() == [0.0]
    assert spectral_rolloff(np.zeros(100), sample_rate=SAMPLE_RATE).tolist() == [0.0]
