"""Pitch shift, time stretch and tape speed: pitch in cents, places of clicks, and what the labels are told."""

import math

import pytest
import torch

from musicrec.deformations._speed import speed_of
from musicrec.deformations.pitch_shift import PitchShift
from musicrec.deformations.resample import RandomResample, Resample
from musicrec.deformations.time_stretch import TimeStretch
from musicrec.errors import ConfigError

RATE, SAMPLES = 16_000, 32_000


def cents(frequency_hz: torch.Tensor, reference_hz: float) -> float:
    return 1200 * math.log2(float(frequency_hz) / reference_hz)


def test_speeds_are_within_three_cents():
    for semitones in range(-12, 13):
        assert abs(1200 * math.log2(float(speed_of(semitones))) - 100 * semitones) < 3


@pytest.mark.parametrize("semitones", [-7, -1, 2, 12])
def test_a_shifted_tone_has_the_pitch_that_the_label_says(semitones, tone, deform, peak_hz):
    result = deform(PitchShift(shift_semitones=semitones), tone(440, 2 * SAMPLES, 0.5))
    assert result.waveform.shape == (1, 2 * SAMPLES)
    inside = result.waveform[:, 8000:-8000]
    assert cents(peak_hz(inside)[0], 440.0) == pytest.approx(100 * semitones, abs=3)
    assert float(inside.square().mean().sqrt()) == pytest.approx(0.5 / 2**0.5, rel=0.1)
    assert (float(result.shift_semitones), float(result.tempo_ratio)) == (semitones, 1)


@pytest.mark.parametrize("semitones", [-5, 4])
def test_a_pitch_shift_leaves_clicks_where_they_are(semitones, clicks, deform, click_places):
    before = clicks(8000, 4 * SAMPLES)
    after = deform(PitchShift(shift_semitones=semitones), before).waveform[0]
    assert (click_places(after)[1:-1] - click_places(before)[1:-1]).abs().max() <= 80  # 5 ms


@pytest.mark.parametrize("rate", [0.8, 1.05, 1.5])
def test_clicks_come_at_the_tempo_that_the_label_says(rate, clicks, deform, click_places):
    stretch = TimeStretch(rate=rate)
    source = clicks(8000, math.ceil(4 * SAMPLES * stretch.input_ratio))
    result = deform(stretch, source, 4 * SAMPLES)
    assert result.waveform.shape == (1, 4 * SAMPLES)
    places = click_places(result.waveform[0])[1:-1].float()
    assert float(places.diff().mean()) == pytest.approx(8000 / rate, rel=2e-3)
    expected = (4000 + 8000 * torch.arange(1, len(places) + 1)) / rate
    assert (places - expected).abs().max() <= 80, "each within 5 ms of its place"
    assert float(result.tempo_ratio) == pytest.approx(rate) and not result.shift_semitones.any()


@pytest.mark.parametrize("rate", [0.7, 1.3])
def test_a_stretched_tone_keeps_its_pitch_and_lasts_to_the_end(rate, tone, deform, peak_hz):
    stretch = TimeStretch(rate=rate)
    waveform = deform(stretch, tone(440, math.ceil(2 * SAMPLES * stretch.input_ratio), 0.5), 2 * SAMPLES).waveform
    assert abs(cents(peak_hz(waveform[:, 8000:-8000])[0], 440.0)) < 3
    assert waveform[0, -2000:-500].square().mean().sqrt() > 0.2


def test_a_tone_moves_as_the_labels_of_a_tape_say(tone, deform, peak_hz):
    resample = Resample(shift_semitones=[-6, 6])
    batch = tone(440.0, math.ceil(SAMPLES * resample.input_ratio)).expand(64, -1)
    result = deform(resample, batch, SAMPLES)
    assert result.waveform.shape == (64, SAMPLES)
    for frequency_hz, shift in zip(peak_hz(result.waveform), result.shift_semitones.tolist(), strict=True):
        assert cents(frequency_hz, 440.0) == pytest.approx(100 * shift, abs=3)
    torch.testing.assert_close(result.tempo_ratio, 2 ** (result.shift_semitones / 12), rtol=2e-3, atol=0)
    assert set(result.shift_semitones.tolist()) == set(range(-6, 7)), "64 draws bring all 13 shifts"
    assert result.waveform[:, -100:].abs().amax(dim=1).min() > 0.9, "the tone lasts to the end"


def test_cents_move_a_tone_and_the_tempo_and_leave_the_key(tone, deform, peak_hz):
    resample = Resample(shift_semitones=[-2, 2], shift_cents=[-50, 50])
    batch = tone(440.0, math.ceil(SAMPLES * resample.input_ratio)).expand(64, -1)
    result = deform(resample, batch, SAMPLES)
    pitch = [cents(frequency_hz, 440.0) for frequency_hz in peak_hz(result.waveform)]
    detuning = [in_cents - 100 * shift for in_cents, shift in zip(pitch, result.shift_semitones.tolist(), strict=True)]
    assert set(result.shift_semitones.tolist()) == set(range(-2, 3))
    assert all(abs(value) <= 65 for value in detuning), "half a semitone, and what the nearest simple ratio is off"
    assert min(detuning) < -30 and max(detuning) > 30
    assert any(abs(value - 100 * round(value / 100)) > 20 for value in pitch), "out of tune"
    for in_cents, ratio in zip(pitch, result.tempo_ratio.tolist(), strict=True):
        assert 1200 * math.log2(ratio) == pytest.approx(in_cents, abs=3)


@pytest.mark.parametrize("value", [-1, 51, 0.5, "10"])
def test_a_detuning_that_would_be_another_key_is_refused(value):
    with pytest.raises(ConfigError, match=f"max_cents={value}"):
        RandomResample(max_cents=value)


def test_clicks_of_a_tape_come_faster_by_the_tempo_ratio(clicks, deform, click_places):
    resample = Resample(shift_semitones=[-5, 5])
    result = deform(resample, clicks(4000, math.ceil(SAMPLES * resample.input_ratio)).expand(16, -1), SAMPLES)
    for waveform, ratio in zip(result.waveform, result.tempo_ratio.tolist(), strict=True):
        assert float(click_places(waveform).diff().float().mean()) == pytest.approx(4000 / ratio, rel=1e-3)


def test_a_slower_tape_needs_less(tone, deform, peak_hz):
    resample = Resample(shift_semitones=-12)
    assert resample.input_ratio == pytest.approx(0.5, abs=0.002)
    waveform = deform(resample, tone(440, math.ceil(SAMPLES * resample.input_ratio)), SAMPLES).waveform
    assert float(peak_hz(waveform)[0]) == pytest.approx(220, abs=0.1)
    assert waveform[0, -100:].abs().max() > 0.9


def test_examples_that_are_not_drawn_stay_as_they_were(deform):
    resample = RandomResample(max_semitones=3, probability=0.5)
    batch = torch.randn(32, math.ceil(4000 * resample.input_ratio))
    result = deform(resample, batch, 4000)
    still = result.shift_semitones == 0
    assert 10 < still.sum() < 30
    assert torch.equal(result.waveform[still], batch[still, :4000])


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: RandomResample(max_semitones=40), "max_semitones=40"),
        (lambda: Resample(shift_semitones=13), "shift_semitones=13: give a whole number from -12 to 12"),
        (lambda: PitchShift(shift_semitones=0.5), "shift_semitones=0.5: give a whole number"),
        (lambda: TimeStretch(rate=0), "rate=0: give a number from 0.25 to 4"),
    ],
)
def test_bad_strengths_are_refused(build, message):
    with pytest.raises(ConfigError, match=message):
        build()
