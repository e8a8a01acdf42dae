"""The front ends."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
import torchaudio
from nnAudio import features

from musicrec.errors import ConfigError
from musicrec.models.frontends.constant_q import ConstantQSpectrogram
from musicrec.models.frontends.linear import LinearSpectrogram
from musicrec.models.frontends.log_frequency import LogFrequencySpectrogram
from musicrec.models.frontends.mel import MelSpectrogram
from musicrec.models.frontends.waveform import Waveform

ALL_FRONTENDS = pytest.mark.parametrize(
    "kind", [MelSpectrogram, LogFrequencySpectrogram, ConstantQSpectrogram, LinearSpectrogram]
)
OF_ONE_WINDOW = pytest.mark.parametrize("kind", [MelSpectrogram, LogFrequencySpectrogram, LinearSpectrogram])


@pytest.fixture(scope="module")
def waveform():
    """Noise, and a tone that is 60 dB quieter and starts after silence, (2, 16000)."""
    noise = torch.randn(1, 16_000, generator=torch.Generator().manual_seed(0)).clamp(-3, 3) / 3
    tone = 1e-3 * torch.sin(2 * math.pi * 440 / 16_000 * torch.arange(16_000))
    tone[:4_000] = 0
    return torch.cat([noise, tone[None]])


@pytest.mark.filterwarnings("ignore:At least one mel filterbank has all zero values")  # n_fft 512 with 128 bands
@pytest.mark.parametrize("n_mels", [96, 128])
def test_equals_torchaudio(waveform, n_mels):
    reference = torchaudio.transforms.MelSpectrogram(16_000, n_fft=512, f_min=0.0, f_max=8000.0, n_mels=n_mels)(
        waveform
    )
    decibels = MelSpectrogram(n_mels=n_mels)(waveform)
    assert decibels.shape == (2, 1, n_mels, 16_000 // 256 + 1)
    for power, expected in zip(10 ** (decibels[:, 0] / 10), reference, strict=True):
        assert (power - expected).abs().max() <= 1e-4 * expected.max()


@pytest.mark.filterwarnings("ignore:At least one mel filterbank has all zero values")
@pytest.mark.parametrize(
    "settings", [{}, {"n_fft": 1024, "hop_length": 512, "n_mels": 128}, {"f_min": 30.0, "f_max": 4000.0}]
)
def test_the_fft_on_a_cpu_equals_the_convolutions_of_nnaudio(waveform, settings):
    frontend = MelSpectrogram(**settings)
    power, expected = frontend.power(waveform), frontend.mel(waveform)
    assert ((power - expected).abs().amax(dim=(1, 2)) <= 1e-4 * expected.amax(dim=(1, 2))).all()
    assert power.shape == expected.shape


def test_decibels_equal_torchaudio(waveform):
    mel = torchaudio.transforms.MelSpectrogram(16_000, n_fft=512, f_min=0.0, f_max=8000.0, n_mels=96)
    expected = torchaudio.transforms.AmplitudeToDB()(mel(waveform[:1]))
    torch.testing.assert_close(MelSpectrogram()(waveform[:1])[:, 0], expected, atol=1e-2, rtol=0)


def test_a_full_scale_tone_lies_in_the_band_of_its_frequency():
    tone = torch.sin(2 * math.pi * 1000 / 16_000 * torch.arange(16_000))[None]
    band = MelSpectrogram()(tone)[0, 0, :, 30].argmax().item()
    top_mel = 2595 * math.log10(1 + 8000 / 700)
    centre_mel = top_mel * (band + 1) / 97
    assert abs(700 * (10 ** (centre_mel / 2595) - 1) - 1000) < 32  # a bin is 31.25 Hz wide


def test_int16_input_gives_the_same_result(waveform):
    integers = (waveform * 32767).round().to(torch.int16)
    frontend = MelSpectrogram()
    torch.testing.assert_close(frontend(integers), frontend(integers.double() / 32768), atol=0, rtol=0)


@ALL_FRONTENDS
@pytest.mark.parametrize("dtype", [torch.float32, torch.int16])
def test_silence_is_minus_100_decibels(kind, dtype):
    frontend = kind()
    decibels = frontend(torch.zeros(1, 4_000, dtype=dtype))
    assert decibels.shape == (1, 1, frontend.n_mels, 4_000 // frontend.hop_length + 1)
    torch.testing.assert_close(decibels, torch.full_like(decibels, -100.0), atol=1e-4, rtol=0)


@OF_ONE_WINDOW
@pytest.mark.parametrize("samples", [0, 1, 100, 255, 256, 257, 511, 512, 513])
def test_short_input(waveform, kind, samples):
    frontend = kind(n_fft=512, hop_length=256)
    decibels = frontend(waveform[:1, :samples])
    assert decibels.shape == (1, 1, frontend.n_mels, samples // 256 + 1)
    assert decibels.isfinite().all()
    assert decibels.max() == pytest.approx(-100) if samples == 0 else decibels.max() > -60


@ALL_FRONTENDS
@pytest.mark.parametrize("cast", ["autocast", "matmul_precision"])
def test_reduced_precision_elsewhere_changes_nothing(waveform, kind, cast):
    frontend = kind()
    expected = frontend(waveform)
    before = torch.get_float32_matmul_precision()
    try:
        if cast == "matmul_precision":
            torch.set_float32_matmul_precision("medium")
        with torch.autocast("cpu", torch.bfloat16, enabled=cast == "autocast"):
            decibels = frontend(waveform)
        assert torch.get_float32_matmul_precision() == ("medium" if cast == "matmul_precision" else before)
    finally:
        torch.set_float32_matmul_precision(before)
    assert decibels.dtype == torch.float32
    assert torch.equal(decibels, expected)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_on_the_gpu_with_tf32_and_autocast(waveform):
    expected = MelSpectrogram()(waveform)
    torch.set_float32_matmul_precision("high")
    try:
        with torch.autocast("cuda", torch.bfloat16):
            decibels = MelSpectrogram().cuda()(waveform.cuda()).cpu()
    finally:
        torch.set_float32_matmul_precision("highest")
    assert (decibels - expected).abs()[expected > -90].max() < 0.05


@ALL_FRONTENDS
def test_there_is_nothing_to_save_or_train(kind):
    frontend = kind()
    assert frontend.state_dict() == {}
    assert list(frontend.parameters()) == []


def test_settings_rebuild_the_front_end(waveform):
    frontend = MelSpectrogram(n_fft=1024, hop_length=200, n_mels=48, f_min=30.0, f_max=7000.0, **MUSICNN)
    assert frontend.settings["sample_rate"] == 16_000
    assert torch.equal(MelSpectrogram(**frontend.settings)(waveform), frontend(waveform))
    assert frontend(waveform).shape == (2, 1, 48, 81)
    other = LogFrequencySpectrogram(n_fft=1024, hop_length=200, n_mels=48, f_min=100.0, bands_per_octave=8)
    assert torch.equal(LogFrequencySpectrogram(**other.settings)(waveform), other(waveform))


@ALL_FRONTENDS
@pytest.mark.parametrize(
    "bad", [torch.zeros(4_000), torch.zeros(1, 1, 4_000), torch.zeros(1, 4_000, dtype=torch.int32)]
)
def test_other_shapes_and_integers_are_rejected(kind, bad):
    with pytest.raises(ValueError, match="waveform must be"):
        kind()(bad)


def test_band_of_is_where_the_filters_of_torchaudio_peak():
    frequencies = torch.linspace(0, 8000, 20_001)  # 0.4 Hz apart
    filters = torchaudio.functional.melscale_fbanks(20_001, 0.0, 8000.0, 96, 16_000)
    frontend = MelSpectrogram(n_mels=96)
    for band in (0, 10, 50, 95):
        assert frontend.band_of(float(frequencies[filters[:, band].argmax()])) == pytest.approx(band, abs=0.02)


@pytest.mark.parametrize("midi", [45, 60, 69, 81, 100])
def test_a_note_is_in_the_middle_of_its_three_bands(midi):
    hertz = 440 * 2 ** ((midi - 69) / 12)
    frontend = LogFrequencySpectrogram()
    tone = torch.sin(2 * math.pi * hertz / 16_000 * torch.arange(32_000))[None]
    band = frontend(tone)[0, 0, :, 4].argmax().item()
    assert band == round(frontend.band_of(hertz)) == 3 * (midi - 36) + 1  # C2 is MIDI note 36


def test_level_of_a_full_scale_tone():
    frontend = LogFrequencySpectrogram(n_fft=8192, f_min=62.5, n_mels=36)  # 62.5 Hz is the 32nd bin of the transform
    tone = torch.sin(2 * math.pi * 62.5 / 16_000 * torch.arange(32_000))[None]
    assert frontend(tone)[0, 0, 0, 4].item() == pytest.approx(0.0, abs=0.01)


def test_bands_above_half_the_sample_rate_are_rejected():
    with pytest.raises(ConfigError, match=r"n_mels=300.*reach up to 20\d\d\d Hz"):
        LogFrequencySpectrogram(n_mels=300)


@OF_ONE_WINDOW
def test_a_hop_longer_than_the_window_is_rejected(kind):
    with pytest.raises(ConfigError, match=r"frontend\.hop_length=513: samples between two windows of .*n_fft=512"):
        kind(n_fft=512, hop_length=513)


@pytest.mark.parametrize("wrong", [{"f_min": 8000.0}, {"f_max": 8001.0}, {"sample_rate": 8000}])
def test_mel_bands_outside_the_frequency_range_are_rejected(wrong):
    with pytest.raises(ConfigError, match=r"give a range of frequencies up to half of frontend\.sample_rate"):
        MelSpectrogram(**wrong)


MUSICNN = {"mel_scale": "slaney", "mel_norm": "slaney", "compression": "log", "padding": "zeros"}


def test_equals_librosa():
    """Its default: Slaney's scale and area normalisation, and zeros at both ends, where frames 0 and 15 are."""
    golden = json.loads(Path(__file__).with_name("librosa_mel.json").read_text())
    time = np.arange(4000) / 16_000  # the signal, as the file describes it
    signal = np.sin(2 * np.pi * (200 * time + 12_000 * time**2)) / 2 + np.sin(2 * np.pi * 3000 * time) / 100
    waveform = torch.from_numpy(signal.astype(np.float32))[None]
    frontend = MelSpectrogram(**MUSICNN)
    power, compressed = frontend.power(waveform)[0], frontend(waveform)[0, 0]
    for frame, values in golden["frames"].items():
        expected = torch.tensor(values)
        tolerance = 1e-4 * expected.max()
        assert (power[:, int(frame)] - expected).abs().max() < tolerance
        torch.testing.assert_close(compressed[:, int(frame)], torch.log10(1e4 * expected + 1), atol=1e-3, rtol=0)
    assert ((power - frontend.mel(waveform)[0]).abs().amax() <= 1e-4 * power.max()).all(), "FFT and nnAudio differ"


def test_silence_is_zero_after_log_compression():
    assert torch.equal(MelSpectrogram(**MUSICNN)(torch.zeros(1, 4_000)), torch.zeros(1, 1, 96, 16))


@pytest.mark.parametrize("hertz", [300.0, 999.0, 1500.0, 6000.0])
def test_band_of_on_the_scale_of_slaney(hertz):
    frequencies = torch.linspace(0, 8000, 20_001)
    filters = torchaudio.functional.melscale_fbanks(20_001, 0.0, 8000.0, 96, 16_000, mel_scale="slaney")
    band = MelSpectrogram(**MUSICNN).band_of(hertz)
    nearest = filters[(frequencies - hertz).abs().argmin()].topk(2)
    share = nearest.values / nearest.values.sum()
    assert band == pytest.approx(float((share * nearest.indices).sum()), abs=0.02)


@pytest.mark.parametrize("name", MUSICNN)
def test_unknown_words_are_rejected(name):
    with pytest.raises(ConfigError, match=rf"frontend\.{name}=other: choose "):
        MelSpectrogram(**{name: "other"})


def test_exports_without_the_newer_settings_keep_their_front_end(waveform):
    old = {name: value for name, value in MelSpectrogram().settings.items() if name not in MUSICNN}
    assert torch.equal(MelSpectrogram(**old)(waveform), MelSpectrogram()(waveform))


def test_constant_q_equals_nnaudio(waveform):
    """Noise, tones, and a tone that begins; nnAudio halves the rate once per octave, and rounds windows there."""
    rate = 22_050
    time_s = torch.arange(rate * 2) / rate
    tones = sum(torch.sin(2 * math.pi * hertz * time_s + hertz) for hertz in (55.0, 220.0, 311.1, 1318.5)) / 8
    generator = torch.Generator().manual_seed(1)
    noise = torch.randn(rate * 2, generator=generator) / 5
    later = torch.where(time_s < 1, 0, torch.sin(2 * math.pi * 440 * time_s))
    waveforms = torch.stack([tones, noise, later])
    nnaudio = features.VQT(sr=rate, hop_length=512, fmin=27.5, n_bins=84, gamma=0, verbose=False)
    band = torch.arange(84)[:, None]
    # nnAudio: half the amplitude, times the root of the length of the window
    expected = 20 * torch.log10(2 * nnaudio(waveforms).clamp(min=1e-9))
    expected -= 10 * torch.log10(nnaudio.lenghts[0]) - 10 * math.log10(2) / 12 * band
    decibels = ConstantQSpectrogram(sample_rate=rate)(waveforms)[:, 0]
    assert decibels.shape == expected.shape
    decibels, expected = decibels[..., 30:-30], expected[..., 30:-30]  # windows that do not see what is reflected
    loud = expected > expected.amax(dim=(1, 2), keepdim=True) - 20
    difference = (decibels - expected).abs()
    print([difference[row][loud[row]].quantile(torch.tensor([0.5, 0.9, 0.95, 0.99, 1.0])) for row in range(3)])
    for row, most in enumerate((0.3, 1.0, 0.3)):
        assert difference[row][loud[row]].mean() < most / 3, row
        assert difference[row][loud[row]].quantile(0.95) < most, row


def test_constant_q_has_the_same_values_at_another_sample_rate():
    """Frames are at the same times, although they are not a whole number of samples apart."""

    def decibels(rate: int) -> torch.Tensor:
        time_s = torch.arange(rate * 3) / rate
        vibrato = 2 * math.pi * (440 * time_s + 2 * torch.sin(2 * math.pi * 5 * time_s))
        return ConstantQSpectrogram(sample_rate=rate)((torch.sin(vibrato) * (time_s % 1))[None])[0, 0]

    at_16000, at_22050 = decibels(16_000), decibels(22_050)
    assert at_16000.shape == at_22050.shape == (84, 130)
    loud = at_22050 > -40
    assert (at_16000 - at_22050)[loud].abs().max() < 1.0


def test_level_of_a_full_scale_tone_in_every_octave():
    frontend = ConstantQSpectrogram()
    for band in range(3, 84, 8):
        hertz = 27.5 * 2 ** (band / 12)
        tone = torch.sin(2 * math.pi * hertz / 16_000 * torch.arange(32_000))[None]
        levels = frontend(tone)[0, 0, :, 40]
        assert levels.argmax() == band == round(frontend.band_of(hertz))
        assert levels[band].item() == pytest.approx(0.0, abs=0.05)


@pytest.mark.parametrize("samples", [0, 1, 371, 372, 4_000, 10_000])
def test_constant_q_of_short_input(waveform, samples):
    decibels = ConstantQSpectrogram()(waveform[:1, :samples])
    assert decibels.shape == (1, 1, 84, int(samples / 16_000 * 22_050 / 512) + 1)
    assert decibels.isfinite().all()


def test_settings_rebuild_the_constant_q_front_end(waveform):
    frontend = ConstantQSpectrogram(frame_rate=20.0, n_mels=48, f_min=100.0, bands_per_octave=10)
    assert frontend.hop_length == 800
    assert torch.equal(ConstantQSpectrogram(**frontend.settings)(waveform), frontend(waveform))


def test_constant_q_rejects_impossible_settings():
    with pytest.raises(ConfigError, match=r"n_mels=99.*reach up to 8\d\d\d Hz, which is above half of"):
        ConstantQSpectrogram(n_mels=99)
    with pytest.raises(ConfigError, match=r"frontend\.frame_rate=20000: is above frontend\.sample_rate=16000"):
        ConstantQSpectrogram(frame_rate=20_000)


def test_linear_equals_torchaudio(waveform):
    spectrum = torchaudio.transforms.Spectrogram(n_fft=512)(waveform[:1])
    expected = torchaudio.transforms.AmplitudeToDB()(spectrum)
    torch.testing.assert_close(LinearSpectrogram()(waveform[:1])[:, 0], expected, atol=1e-2, rtol=0)


def test_linear_has_a_tone_in_its_bin():
    frontend = LinearSpectrogram(sample_rate=8000, n_fft=800, hop_length=400, n_mels=401)
    tone = torch.sin(2 * math.pi * 1230 / 8000 * torch.arange(8000))[None]
    assert frontend(tone)[0, 0, :, 10].argmax() == frontend.band_of(1230) == 123


def test_linear_rejects_other_numbers_of_bins():
    with pytest.raises(ConfigError, match=r"frontend\.n_mels=256: a transform of frontend\.n_fft=512 samples has 257"):
        LinearSpectrogram(n_mels=256)


def test_the_waveform_is_one_row_of_its_samples(waveform):
    frontend = Waveform()
    assert torch.equal(frontend(waveform), waveform[:, None, None])
    integers = torch.tensor([[-32768, 0, 16384]], dtype=torch.int16)
    assert frontend(integers).tolist() == [[[[-1.0, 0.0, 0.5]]]]
    assert frontend.power(integers).tolist() == [[[1.0, 0.0, 0.25]]]
    assert math.isnan(frontend.band_of(440.0))
    assert frontend.state_dict() == {} and Waveform(**frontend.settings).settings == frontend.settings
    with pytest.raises(ValueError, match="waveform must be"):
        frontend(waveform[None])


def test_the_waveform_has_no_bands():
    with pytest.raises(ConfigError, match=r"frontend\.n_mels=96: frontend=waveform gives one row; choose a network"):
        Waveform(n_mels=96)
