"""Loudness and loudness range against the test signals of EBU Tech 3341 and 3342, ffmpeg, and a recursive filter."""

import numpy as np
import pytest
import scipy.signal
import soundfile

from musicrec.audio.decode import decode_track
from musicrec.descriptors.loudness import integrated_loudness
from musicrec.descriptors.loudness_meter import LoudnessMeter, k_weighting
from musicrec.descriptors.loudness_range import loudness_range

RATE = 48_000


def powers(samples: np.ndarray, sample_rate: int = RATE, *, speakers=None, block: int = 1 << 17) -> np.ndarray:
    meter = LoudnessMeter(sample_rate, speakers)
    for first in range(0, len(samples), block):
        meter(samples[first : first + block])
    return meter.powers


def filtered_powers(samples: np.ndarray, sample_rate: int = RATE) -> np.ndarray:
    """Return the powers with recursive filters, as the standard draws them."""
    out = samples.astype(np.float64)
    for b, a in k_weighting(sample_rate):
        out = scipy.signal.lfilter(b, a, out, axis=0)
    step = sample_rate // 10
    return np.square(out[: len(out) // step * step]).reshape(-1, step, out.shape[1]).mean(axis=1).sum(axis=1)


def test_coefficients_of_the_standard():
    """Tables 1 and 2 of ITU-R BS.1770-5, for 48 kHz."""
    (shelf_b, shelf_a), (high_b, high_a) = k_weighting(48_000)
    np.testing.assert_allclose(shelf_a[1:], [-1.69065929318241, 0.73248077421585], atol=1e-8)
    np.testing.assert_allclose(shelf_b, [1.53512485958697, -2.69169618940638, 1.19839281085285], atol=1e-8)
    np.testing.assert_allclose(high_a[1:], [-1.99004745483398, 0.99007225036621], atol=1e-8)
    assert high_b == [1.0, -2.0, 1.0]


# EBU Tech 3341 (2023), table 1: (dBFS, seconds) of a sine of 1 kHz in both channels, and the loudness in LUFS ± 0.1.
TECH_3341 = {
    "1": ([(-23, 20)], -23),
    "2": ([(-33, 20)], -33),
    "3": ([(-36, 10), (-23, 60), (-36, 10)], -23),
    "4": ([(-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10)], -23),
    "5": ([(-26, 20), (-20, 20.1), (-26, 20)], -23),
}


@pytest.mark.parametrize(("levels", "expected"), TECH_3341.values(), ids=TECH_3341)
def test_sequences_of_tech_3341(tone, levels, expected):
    assert integrated_loudness(powers(tone(levels))) == pytest.approx(expected, abs=0.1)


def test_surround_of_tech_3341():
    """Case 6: -28 dBFS in left and right, -24 in the centre, -30 in the surround channels, is -23 LUFS ± 0.1."""
    speakers = ("FL", "FR", "FC", "LFE", "BL", "BR")
    sine = np.sin(2 * np.pi * 1000 * np.arange(20 * RATE) / RATE)
    gains = 10 ** (np.array([-28, -28, -24, 0, -30, -30]) / 20)  # the low frequencies do not count, however loud
    samples = np.outer(sine, gains).astype(np.float32)
    assert integrated_loudness(powers(samples, speakers=speakers)) == pytest.approx(-23, abs=0.1)


# EBU Tech 3342 (2023), table 1: the same for the loudness range in LU ± 1; ours is within 0.1.
TECH_3342 = {
    "1": ([(-20, 20), (-30, 20)], 10),
    "2": ([(-20, 20), (-15, 20)], 5),
    "3": ([(-40, 20), (-20, 20)], 20),
    "4": ([(-50, 20), (-35, 20), (-20, 20), (-35, 20), (-50, 20)], 15),
}


@pytest.mark.parametrize(("levels", "expected"), TECH_3342.values(), ids=TECH_3342)
def test_sequences_of_tech_3342(tone, levels, expected):
    assert loudness_range(powers(tone(levels))) == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("sample_rate", [22_050, 44_100, 48_000, 96_000])
def test_programme_against_ffmpeg(programme, ebur128, sample_rate, channels):
    """The loudness of a file comes from its own sample rate and channels."""
    path = programme(sample_rate, channels)
    measured = np.concatenate([meter.powers for meter in decode_track(path, meter=LoudnessMeter).meters])
    loudness, spread = ebur128(path)
    assert integrated_loudness(measured) == pytest.approx(loudness, abs=0.1)
    assert loudness_range(measured) == pytest.approx(spread, abs=0.3)


@pytest.mark.parametrize("hz", [25.0, 33.3, 43.0, 57.0, 110.7, 997.0, 9000.0])
def test_tones_against_a_recursive_filter(tone, hz):
    """Also where a step of 100 ms does not hold whole periods, so that a repeated step would not be the tone."""
    samples = tone([(-10, 3), (-30, 3)], hz=hz)
    ours, expected = powers(samples), filtered_powers(samples)
    assert integrated_loudness(ours) == pytest.approx(integrated_loudness(expected), abs=0.06)


@pytest.mark.parametrize("offset", [0.5, -0.9])
def test_noise_beside_a_constant_offset(offset):
    noise = 0.01 * np.random.default_rng(0).standard_normal((10 * RATE, 2)) + offset
    ours, expected = powers(noise.astype(np.float32)), filtered_powers(noise)
    np.testing.assert_allclose(ours[1:], expected[1:], rtol=0.02)


def test_blocks_of_any_size_give_the_same(programme):
    samples, _ = soundfile.read(programme(RATE, 2), dtype="float32")
    whole = powers(samples, block=len(samples))
    for block in (1000, 4800, 99_999):
        np.testing.assert_allclose(powers(samples, block=block), whole, rtol=1e-3, atol=1e-9)


def test_one_channel_counts_once(tone):
    """The loudness of a sine of -23 dBFS in one channel is 10 log10 2 LU less than in two."""
    one = integrated_loudness(powers(tone([(-23, 5)], channels=1)))
    assert one == pytest.approx(-23 - 10 * np.log10(2), abs=0.05)


def test_left_and_right_inverted_are_as_loud_as_in_phase(tone):
    samples = tone([(-23, 5)])
    samples[:, 1] *= -1
    assert integrated_loudness(powers(samples)) == pytest.approx(-23, abs=0.05)


def test_silence_and_short_tracks():
    silence = np.zeros((RATE * 4, 2), np.float32)
    assert integrated_loudness(powers(silence)) == -70 and loudness_range(powers(silence)) == 0
    for frames in (1, 100, 4800, 5000, 20_000):
        short = powers(np.full((frames, 2), 0.5, np.float32))
        assert -70 <= integrated_loudness(short) < 0 and loudness_range(short) is None


def test_the_powers_so_far_can_be_read_again():
    meter = LoudnessMeter(RATE)
    meter(np.full((4000, 1), 0.5, np.float32))
    assert meter.powers == meter.powers
    meter(np.full((4000, 1), 0.5, np.float32))
    np.testing.assert_array_equal(meter.powers, powers(np.full((8000, 1), 0.5, np.float32)))


def test_absurd_samples_give_finite_values():
    samples = np.full((RATE, 2), 3e38, np.float32)
    samples[::2] *= -1
    assert np.isfinite(powers(samples)).all() and np.isfinite(integrated_loudness(powers(samples)))


def test_a_span_has_no_meter(programme):
    with pytest.raises(ValueError, match="whole files"):
        decode_track(programme(RATE, 2), offset_s=1, meter=LoudnessMeter)


def test_a_track_with_an_inverted_channel_is_metered_once(tmp_path):
    """The file is decoded twice then, to take one channel alone; both channels are what is heard."""
    noise = 0.1 * np.random.default_rng(0).standard_normal(5 * RATE)
    soundfile.write(tmp_path / "a.wav", np.stack([noise, -noise], axis=1), RATE, subtype="FLOAT")
    decoded = decode_track(tmp_path / "a.wav", meter=LoudnessMeter)
    (meter,) = decoded.meters
    expected = filtered_powers(np.stack([noise, noise], axis=1))
    assert decoded.remarks and len(meter.powers) == 50
    assert integrated_loudness(meter.powers) == pytest.approx(integrated_loudness(expected), abs=0.02)
