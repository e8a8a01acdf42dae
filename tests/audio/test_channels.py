"""The mix of channels to mono. Every channel holds a tone of its own, so its share of the mix can be measured."""

import numpy as np
import pytest
import soundfile

from musicrec.audio.channels import MonoMix, speakers_of_mask
from musicrec.audio.decode import decode, decode_track

pytestmark = pytest.mark.slow

RATE = 48_000
TONES_HZ = (300, 500, 700, 900, 1100, 1300, 1500, 1700)
# ITU-R BS.775: front 1, centre and surround 3 dB lower, no low frequencies; half of the sum of left and right, and all
# divided by the sum, 1 + 2 / sqrt(2).
FRONT, CENTRE, SURROUND = np.array([0.5, 0.5**0.5, 0.5 * 0.5**0.5]) / (1 + 2**0.5)
OF_5_1 = (FRONT, FRONT, CENTRE, 0.0, SURROUND, SURROUND)


def tones(channels: int) -> np.ndarray:
    """Return two seconds of a tone of amplitude 0.4 per channel, (frames, channels)."""
    time_s = np.arange(2 * RATE) / RATE
    return np.stack([0.4 * np.sin(2 * np.pi * hz * time_s) for hz in TONES_HZ[:channels]], axis=1)


def shares(waveform: np.ndarray, channels: int) -> list[float]:
    """Return the amplitude of each tone in the second half of a waveform at 16 kHz, relative to 0.4."""
    spectrum = np.abs(np.fft.rfft(waveform[16_000 - 4_000 : 32_000 - 4_000])) / 8_000
    return [float(spectrum[hz]) / 0.4 for hz in TONES_HZ[:channels]]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.wav", ()),
        ("a.flac", ()),
        ("a.ogg", ("-q:a", "8")),
        ("a.opus", ("-b:a", "512k", "-mapping_family", "1")),
        ("a.m4a", ("-b:a", "512k")),
        ("alac.m4a", ("-c:a", "alac")),
        ("a.ac3", ("-b:a", "640k")),
        ("a.wv", ()),
        ("a.aiff", ()),
    ],
)
def test_5_1_is_mixed_as_in_stereo_whatever_the_order_of_the_format(tmp_path, encode, name, options):
    """The tone of low frequencies is above the range that lossy codecs keep in that channel."""
    path = encode(tmp_path / name, tones(6), "-channel_layout", "5.1", *options, sample_rate=RATE)
    assert shares(decode(path), 6) == pytest.approx(OF_5_1, abs=0.012)


def test_a_wav_without_speakers_of_6_channels_is_5_1_and_of_5_is_averaged(tmp_path):
    soundfile.write(tmp_path / "six.wav", tones(6), RATE)
    assert shares(decode(tmp_path / "six.wav"), 6) == pytest.approx(OF_5_1, abs=1e-3)
    soundfile.write(tmp_path / "five.wav", tones(5), RATE)
    assert shares(decode(tmp_path / "five.wav"), 5) == pytest.approx([0.2] * 5, abs=1e-3)


def test_7_1(tmp_path):
    soundfile.write(tmp_path / "a.flac", tones(8), RATE)
    expected = np.array([0.5, 0.5, 0.5**0.5, 0, 0.5**1.5, 0.5**1.5, 0.5**1.5, 0.5**1.5])
    assert shares(decode(tmp_path / "a.flac"), 8) == pytest.approx(expected / expected.sum(), abs=1e-3)


def test_speakers_of_a_mask():
    assert speakers_of_mask(0x3F, 6) == ("FL", "FR", "FC", "LFE", "BL", "BR")
    assert speakers_of_mask(0x60F, 6) == ("FL", "FR", "FC", "LFE", "SL", "SR")
    assert speakers_of_mask(0x3F, 5) is None and speakers_of_mask(0, 2) is None and speakers_of_mask(1 << 15, 1) is None


def music(seconds: float = 10.0) -> np.ndarray:
    """Return quiet noise for a third, and then loud tones, (frames,)."""
    time_s = np.arange(round(seconds * RATE)) / RATE
    noise = 0.001 * np.random.default_rng(0).standard_normal(len(time_s))
    return np.where(time_s < seconds / 3, noise, 0.3 * np.sin(2 * np.pi * 440 * time_s) + noise)


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3", "a.m4a"])
@pytest.mark.parametrize(("gains", "side"), [((1, -1), None), ((0.5, -0.8), 1), ((-1, 0.9), 0)])
def test_of_a_track_with_an_inverted_channel_one_channel_is_taken(tmp_path, encode, name, gains, side):
    path = encode(tmp_path / name, np.outer(music(), gains), sample_rate=RATE)
    track = decode_track(path)
    inner = slice(80_000, 150_000)
    expected = 0.3 * abs(gains[side or 0])
    assert np.abs(track.waveform[inner]).max() == pytest.approx(expected, rel=0.08)
    (remark,) = track.remarks
    assert "one channel is the inverse of the other" in remark.text
    assert side is None or ("left", "right")[side] in remark.text
    assert not remark.unreliable
    np.testing.assert_array_equal(decode(path), track.waveform)


@pytest.mark.parametrize(
    "gains", [(1, 1), (1, 0), (0, -1), (1, 0.3), (0.2, 1)], ids=["mono", "left", "right", "left louder", "right louder"]
)
def test_other_tracks_are_averaged(tmp_path, gains):
    soundfile.write(tmp_path / "a.wav", np.outer(music(), gains), RATE, subtype="FLOAT")
    track = decode_track(tmp_path / "a.wav")
    assert not track.remarks
    expected = 0.3 * abs(sum(gains)) / 2
    assert np.abs(track.waveform[80_000:150_000]).max() == pytest.approx(expected, rel=0.05)


def test_a_passage_with_an_inverted_channel_does_not_make_the_track_inverted(tmp_path):
    """The correlation is that of the whole track: here a third is inverted, with the energy of the rest in phase."""
    samples = np.stack([music(), music()], axis=1)
    samples[-3 * RATE :, 1] *= -1
    soundfile.write(tmp_path / "a.wav", samples, RATE)
    assert not decode_track(tmp_path / "a.wav").remarks


def test_wide_stereo_and_silence_are_averaged(tmp_path):
    noise = np.random.default_rng(0).standard_normal((2, 10 * RATE)) * 0.05
    wide = np.stack([noise[0] + noise[1], noise[1] * 0.4 - noise[0]], axis=1)  # correlation -0.4
    for name, samples in {"wide.wav": wide, "silent.wav": np.zeros((RATE, 2))}.items():
        soundfile.write(tmp_path / name, samples, RATE)
        assert not decode_track(tmp_path / name).remarks


def test_correlation():
    rng = np.random.default_rng(0)
    block = rng.standard_normal((1000, 2)).astype(np.float32)
    mix = MonoMix(None)
    for part in np.split(block, 10):
        np.testing.assert_allclose(mix(part), part.mean(axis=1), atol=1e-6)
    left, right = block.astype(np.float64).T
    expected = (left @ right) / np.sqrt((left @ left) * (right @ right))
    assert mix.correlation == pytest.approx(expected, abs=1e-5) and mix.audible is None
