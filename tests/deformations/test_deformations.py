"""Deformations: what they do to the sound, measured, and what they say of the labels."""

import math

import pytest
import torch

from musicrec.deformations.resample import RandomResample, speed_of
from musicrec.deformations.spec_augment import SpecAugment
from musicrec.errors import ConfigError

RATE, SAMPLES = 16000, 32000


def tone(frequency_hz: float, samples: int) -> torch.Tensor:
    return torch.sin(2 * math.pi * frequency_hz * torch.arange(samples) / RATE)


def peak_hz(waveform: torch.Tensor) -> torch.Tensor:
    window = torch.hann_window(waveform.shape[1])
    return torch.fft.rfft(waveform * window).abs().argmax(dim=1) * RATE / waveform.shape[1]


def test_speeds_are_within_three_cents():
    for semitones in range(-12, 13):
        assert abs(1200 * math.log2(float(speed_of(semitones))) - 100 * semitones) < 3


def test_a_tone_moves_as_the_labels_say():
    deform = RandomResample(max_semitones=6)
    batch = tone(440.0, math.ceil(SAMPLES * deform.input_ratio)).expand(64, -1)
    result = deform(batch, samples=SAMPLES, generator=torch.Generator().manual_seed(0))
    assert result.waveform.shape == (64, SAMPLES)
    expected = 440.0 * 2 ** (result.shift_semitones / 12)
    assert (peak_hz(result.waveform) - expected).abs().max() < 1.5
    torch.testing.assert_close(result.tempo_ratio, 2 ** (result.shift_semitones / 12), rtol=2e-3, atol=0)
    assert set(result.shift_semitones.tolist()) == set(range(-6, 7)), "64 draws bring all 13 shifts"
    assert result.waveform[:, -100:].abs().amax(dim=1).min() > 0.9, "the tone lasts to the end"


def test_clicks_come_faster_by_the_tempo_ratio():
    deform = RandomResample(max_semitones=5)
    clicks = torch.zeros(1, math.ceil(SAMPLES * deform.input_ratio))
    clicks[:, ::4000] = 1.0
    result = deform(clicks.expand(16, -1), samples=SAMPLES, generator=torch.Generator().manual_seed(1))
    for waveform, ratio in zip(result.waveform, result.tempo_ratio, strict=True):
        peaks = (waveform[1:-1] > 0.3) & (waveform[1:-1] >= waveform[:-2]) & (waveform[1:-1] > waveform[2:])
        spacing = peaks.nonzero().squeeze(1).diff().float().mean()
        assert float(spacing) == pytest.approx(4000 / float(ratio), rel=1e-3)


def test_same_generator_same_result_and_no_shift_is_identity():
    deform = RandomResample(max_semitones=3, probability=0.5)
    batch = torch.randn(8, math.ceil(SAMPLES * deform.input_ratio))
    a, b = (deform(batch, samples=SAMPLES, generator=torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(a.waveform, b.waveform)
    still = a.shift_semitones == 0
    assert 0 < still.sum() < 8
    assert torch.equal(a.waveform[still], batch[still, :SAMPLES])


def test_bad_range_is_refused():
    with pytest.raises(ConfigError, match="max_semitones=40"):
        RandomResample(max_semitones=40)


def test_spec_augment_hides_bands_at_the_mean_level():
    mel = torch.randn(8, 1, 40, 60)
    augment = SpecAugment(frequency_masks=1, max_channels=10, time_masks=1, max_frames=20)
    result = augment(mel, generator=torch.Generator().manual_seed(0))
    changed = result != mel
    assert changed.any(dim=(1, 2, 3)).sum() >= 7
    for index in range(8):
        rows, columns = changed[index, 0].all(dim=1).sum(), changed[index, 0].all(dim=0).sum()
        assert rows <= 10 and columns <= 20
        hidden = result[index][changed[index]]
        torch.testing.assert_close(hidden, mel[index].mean().expand_as(hidden))
