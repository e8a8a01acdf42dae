"""Compression: levels after it, and how fast it follows."""

import math

import numpy as np
import pytest
import torch

from musicrec.deformations.compression import PRESETS, CompressionPreset, DynamicRangeCompression, curve, peak_level
from musicrec.errors import ConfigError


@pytest.mark.parametrize("name", PRESETS)
def test_tones_come_out_at_the_level_of_the_static_curve(name, tone, deform):
    preset = PRESETS[name]
    levels_db = np.array([-80.0, -66.0, -58.0, -50.0, -36.0, -25.0, -12.0, -3.0])
    inputs, outputs = zip(*preset.curve_db, strict=True)
    expected = np.interp(levels_db, inputs, outputs) + preset.gain_db
    batch = torch.stack([tone(1000, 24_000, 10 ** (level / 20)) for level in levels_db])
    result = deform(DynamicRangeCompression(preset=name), batch).waveform[:, 8000:]
    measured = 20 * (result.square().mean(dim=1).sqrt() * 2**0.5).log10()
    assert measured.tolist() == pytest.approx(expected.tolist(), abs=0.3)


def test_beyond_the_curve_the_gain_stays():
    preset = CompressionPreset(curve_db=((-60, -50), (-20, -20), (0, -10)))
    level = torch.tensor([-100.0, -60.0, -40.0, -10.0, 6.0])
    assert curve(level, preset).tolist() == pytest.approx([-90, -50, -35, -15, -4])


def test_the_level_rises_with_the_attack_time_and_falls_with_the_decay_time():
    preset = CompressionPreset(curve_db=((-90, -90), (0, 0)), attack_s=0.02, decay_s=0.5)
    step = torch.cat([torch.full((500,), 0.1), torch.ones(1000), torch.zeros(2000)])[None]
    level = peak_level(step, preset, 0.001)[0]
    assert level[:500].tolist() == pytest.approx([0.1] * 500, rel=1e-4), "begins at the level of the first block"
    assert float(level[500 + 20 - 1]) == pytest.approx(1 - 0.9 / math.e, abs=0.01)
    assert float(level[1499]) == pytest.approx(1, abs=1e-3)
    # The attack smooths the decay, too: by 0.02 s, or 4 %.
    assert float(level[1500 + 500]) == pytest.approx(1 / math.e, rel=0.06)


def test_looking_ahead_lowers_the_gain_before_the_blow(tone, deform):
    waveform = torch.cat([tone(1000, 16_000, 0.01), tone(1000, 16_000, 1.0)])
    ahead = deform(DynamicRangeCompression(preset="film_standard"), waveform).waveform[0]
    late = deform(DynamicRangeCompression(preset="radio"), waveform).waveform[0]
    assert ahead[16_000:18_000].abs().max() < 0.5
    assert late[16_000:16_100].abs().max() == 1.0, "what is too loud is clipped"


def test_of_several_presets_each_is_drawn(tone, deform):
    batch = tone(1000, 16_000, 10 ** (-58 / 20)).expand(30, -1)
    result = deform(DynamicRangeCompression(preset=["radio", "music_light"]), batch).waveform[:, 8000:]
    level_db = 20 * (result.square().mean(dim=1).sqrt() * 2**0.5).log10()
    expected = torch.where(level_db > -40, -58 / 3 - 5, -49.5)  # what the curves of the two make of -58 dB
    assert (level_db - expected).abs().max() < 0.3 and 5 < (level_db > -40).sum() < 25


def test_an_unknown_preset_is_named():
    with pytest.raises(ConfigError, match="preset=\\['loud'\\]: choose one or more of film_light, film_standard"):
        DynamicRangeCompression(preset="loud")
