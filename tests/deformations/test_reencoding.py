"""Codecs: bit rate, what is lost, and that nothing is moved in time."""

import math

import pytest
import torch

from musicrec.deformations.base import white_noise
from musicrec.deformations.noise import Noise
from musicrec.deformations.reencoding import Reencoding, encoded
from musicrec.errors import ConfigError

SAMPLES = 48_000


@pytest.fixture(scope="module")
def music(tone, deform) -> torch.Tensor:
    """A chord that swells, and pink noise in bursts 15 dB below: (samples,)."""
    chord = sum(tone(frequency, SAMPLES, 0.08) for frequency in (220, 277.2, 329.6, 440, 1760))
    swell = 0.6 + 0.4 * tone(1.5, SAMPLES)
    noise = deform(Noise(colour="pink", snr_db=15.0), chord).waveform[0] - chord
    return chord * swell + noise * (tone(4, SAMPLES) > 0)


def lag(before: torch.Tensor, after: torch.Tensor) -> int:
    """By how many samples the second comes later."""
    spectra = [torch.fft.rfft(waveform, n=2 * SAMPLES) for waveform in (before, after)]
    place = int(torch.fft.irfft(spectra[1] * spectra[0].conj()).argmax())
    return place if place < SAMPLES else place - 2 * SAMPLES


def snr_db(before: torch.Tensor, after: torch.Tensor) -> float:
    return 10 * math.log10(float(before.square().sum() / (after - before).square().sum()))


@pytest.mark.parametrize(
    ("codec", "bitrates"), [("mp3", (8, 24, 32, 64)), ("vorbis", (24, 40, 60)), ("opus", (12, 24, 64))]
)
def test_more_bits_lose_less_and_nothing_moves_in_time(codec, bitrates, music, deform):
    quality = []
    for bitrate in bitrates:
        result = deform(Reencoding(codec=codec, bitrate_kbps=bitrate), music).waveform[0]
        assert lag(music, result) == 0, f"{bitrate} kbit/s"
        assert result[-800:].square().mean() > 0.3 * music[-800:].square().mean(), "it lasts to the end"
        quality.append(snr_db(music, result))
    assert quality == sorted(quality) and quality[-1] > quality[0] + 5
    assert 1 < quality[0] < 25 and 12 < quality[-1] < 60


@pytest.mark.parametrize(("codec", "bitrate"), [("mp3", 16), ("mp3", 64), ("opus", 12), ("opus", 64), ("vorbis", 48)])
def test_the_files_have_the_bit_rate(codec, bitrate, music):
    size = [len(encoded(music.repeat(times).numpy(), codec, bitrate, 16_000)) for times in (1, 2)]
    kbps = (size[1] - size[0]) * 8 / (SAMPLES / 16_000) / 1000  # without the headers
    # Opus' pages cost 2 kbit/s; what Vorbis takes depends on the music.
    low, high = {"mp3": (0.95, 1.15), "opus": (0.8, 1.35), "vorbis": (0.65, 1.3)}[codec]
    assert low * bitrate < kbps < high * bitrate


def test_low_bit_rates_of_mp3_take_the_treble(deform):
    noise = 0.1 * white_noise([1], SAMPLES, device=torch.device("cpu"))
    band = slice(round(4500 * SAMPLES / 16_000), round(5500 * SAMPLES / 16_000))
    kept = {}
    for bitrate in (8, 64):
        spectrum = torch.fft.rfft(deform(Reencoding(codec="mp3", bitrate_kbps=bitrate), noise).waveform[0]).abs()
        kept[bitrate] = 20 * math.log10(float(spectrum[band].mean() / torch.fft.rfft(noise[0]).abs()[band].mean()))
    assert kept[8] < -40 and kept[64] > -1


def test_mistakes_are_named(music):
    with pytest.raises(ConfigError, match="codec=aac: choose mp3, vorbis or opus"):
        Reencoding(codec="aac")
    with pytest.raises(ConfigError, match="bitrate_kbps=320: give a number from 8 to 160"):
        Reencoding(codec="mp3", bitrate_kbps=320)
    with pytest.raises(ConfigError, match="codec=opus: bit rates are known at 16000 Hz, not at 44100 Hz"):
        Reencoding(codec="opus")(music[None], samples=SAMPLES, sample_rate=44_100, seeds=[0])
