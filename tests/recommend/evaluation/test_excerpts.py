"""Excerpts for a listening test."""

import base64
import dataclasses
import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from musicrec.descriptors.loudness import integrated_loudness
from musicrec.descriptors.loudness_meter import LoudnessMeter
from musicrec.recommend.evaluation.excerpts import (
    LOUDNESS_LUFS,
    SAMPLE_RATE,
    Excerpt,
    as_data_address,
    as_mp3,
    equally_loud,
    read_excerpt,
)


def loudness(waveform: np.ndarray) -> float:
    meter = LoudnessMeter(SAMPLE_RATE)
    meter(waveform.astype(np.float32)[:, None])
    return integrated_loudness(meter.powers)


def noise(seconds: float, level: float, seed: int = 0) -> np.ndarray:
    count = int(seconds * SAMPLE_RATE)
    return (level * np.random.default_rng(seed).uniform(-1, 1, count)).astype(np.float32)


def excerpt_of(waveform: np.ndarray) -> Excerpt:
    return Excerpt(waveform=waveform, loudness=loudness(waveform), start_s=0.0)


def test_the_middle_is_read_and_fades(make_track, tmp_path: Path):
    path, samples = tmp_path / "a.flac", noise(6, 0.3)
    soundfile.write(path, samples, SAMPLE_RATE)
    track = dataclasses.replace(make_track("a"), path=str(path), duration_s=6.0)
    found = read_excerpt(track, length_s=2)
    assert found.start_s == 2.0 and len(found.waveform) == 2 * SAMPLE_RATE
    assert found.waveform[0] == 0 and found.waveform[-1] == 0
    middle = slice(SAMPLE_RATE // 2, SAMPLE_RATE)
    assert found.waveform[middle] == pytest.approx(samples[2 * SAMPLE_RATE :][middle], abs=1e-4)
    assert found.loudness == pytest.approx(loudness(found.waveform))
    assert len(read_excerpt(track, length_s=15).waveform) == 6 * SAMPLE_RATE


def test_excerpts_become_equally_loud():
    levels = [0.03, 0.2, 0.9]
    excerpts = [excerpt_of(noise(2, level, seed)) for seed, level in enumerate(levels)]
    assert [loudness(one) for one in equally_loud(excerpts)] == pytest.approx([LOUDNESS_LUFS] * 3, abs=0.05)


def test_nothing_is_clipped_where_one_has_high_peaks():
    peaky = noise(2, 0.01)
    peaky[::4000] = 0.9  # to be at -18 LUFS it would have to be clipped
    matched = equally_loud([excerpt_of(peaky), excerpt_of(noise(2, 0.5))])
    assert max(np.abs(one).max() for one in matched) <= 10 ** (-1 / 20) + 1e-6
    assert loudness(matched[0]) == pytest.approx(loudness(matched[1]), abs=0.05)
    assert loudness(matched[0]) < LOUDNESS_LUFS - 1
    silent = equally_loud([excerpt_of(np.zeros(SAMPLE_RATE, np.float32)), excerpt_of(noise(1, 0.5))])
    assert not silent[0].any()


def test_the_address_holds_an_mp3_without_tags():
    waveform = noise(3, 0.3)
    kind, _, content = as_data_address(waveform).partition(",")
    assert kind == "data:audio/mpeg;base64"
    data = base64.b64decode(content)
    assert data == as_mp3(waveform) and not data.startswith(b"ID3")
    assert len(data) == pytest.approx(3 * 96_000 / 8, rel=0.1)
    decoded, rate = soundfile.read(io.BytesIO(data))
    assert rate == SAMPLE_RATE and len(decoded) == pytest.approx(len(waveform), abs=2400)
