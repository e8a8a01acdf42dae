"""Seeds, ranges and draws."""

import re
from collections.abc import Callable

import numpy as np
import pytest
import torch

from musicrec.deformations.base import choose, draw, draw_log, draw_whole, limits, seed_of, unmoved, white_noise
from musicrec.deformations.dropped_samples import DroppedSamples
from musicrec.deformations.gain import Gain
from musicrec.deformations.resample import RandomResample
from musicrec.deformations.sometimes import Sometimes
from musicrec.errors import ConfigError


def test_a_seed_follows_from_its_parts_and_their_order():
    assert seed_of(1, "track") == seed_of(np.int64(1), "track")
    assert len({seed_of(0, 1), seed_of(1, 0), seed_of(0, 1, 0), seed_of("0", "01"), seed_of(0)}) == 5
    assert all(0 <= seed_of(number) < 2**63 for number in range(100))


def test_limits_of_a_number_and_of_a_range():
    assert limits("rate", 2, least=1, most=3) == (2, 2)
    assert limits("rate", [1.5, 3], least=1, most=3) == (1.5, 3)


@pytest.mark.parametrize("setting", [4, 0.5, [1, 4], [2, 1], [1], [1, 2, 3], "fast", "ab", None, True, float("nan")])
def test_settings_that_cannot_work_are_named(setting):
    with pytest.raises(ConfigError, match=r"rate=.*give a number from 1 to 3, or a range \[lowest, highest\]"):
        limits("rate", setting, least=1, most=3)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Sometimes(deformation=Gain(), probability=True), "probability=True: give a number from 0 to 1"),
        (lambda: Sometimes(deformation=Gain(), probability=1.5), "probability=1.5: give a number from 0 to 1"),
        (lambda: DroppedSamples(gap_ms=True), "gap_ms=True: give a number from 0"),
        (lambda: DroppedSamples(gap_ms="20"), "gap_ms=20: give a number from 0"),
        (lambda: RandomResample(max_semitones=True), "max_semitones=True: give a whole number from 0 to 12"),
        (lambda: RandomResample(max_semitones=1.5), "max_semitones=1.5: give a whole number from 0 to 12"),
        (lambda: RandomResample(probability=False), "probability=False: give a number from 0 to 1"),
    ],
)
def test_single_numbers_that_cannot_work_are_named(build: Callable[[], object], message: str):
    with pytest.raises(ConfigError, match=re.escape(message)):
        build()


def test_whole_numbers_only():
    assert limits("shift", [-2, 2], least=-12, most=12, whole=True) == (-2, 2)
    with pytest.raises(ConfigError, match=r"shift=0.5: give a whole number"):
        limits("shift", 0.5, least=-12, most=12, whole=True)


def test_draws_are_uniform_and_each_name_draws_for_itself():
    seeds = [seed_of(7, number) for number in range(2000)]
    first, other = np.array(draw("a", (2.0, 6.0), seeds)), np.array(draw("b", (2.0, 6.0), seeds))
    assert 2 <= first.min() < 2.05 and 5.95 < first.max() <= 6
    assert first.mean() == pytest.approx(4, abs=0.1) and first.std() == pytest.approx(4 / 12**0.5, abs=0.05)
    assert abs(np.corrcoef(first, other)[0, 1]) < 0.08
    assert draw("a", (3.0, 3.0), seeds[:2]) == [3.0, 3.0]
    whole = np.bincount(np.array(draw_whole("a", (-1, 2), seeds)) + 1)
    assert len(whole) == 4 and whole.min() > 400


def test_draws_in_the_logarithm_and_of_choices():
    seeds = [seed_of(7, number) for number in range(2000)]
    octaves = np.log2(draw_log("a", (100.0, 1600.0), seeds)) - np.log2(100)
    assert 0 <= octaves.min() < 0.05 and 3.95 < octaves.max() <= 4
    assert (np.bincount(octaves.astype(int)) / 2000).tolist() == pytest.approx([0.25] * 4, abs=0.04)
    assert draw_log("a", (0.0, 0.0), seeds[:2]) == [0.0, 0.0], "a number needs no logarithm"
    chosen = choose("b", ["x", "y", "z"], seeds)
    assert [chosen.count(name) / 2000 for name in "xyz"] == pytest.approx([1 / 3] * 3, abs=0.04)


def test_noise_is_normal_and_that_of_an_example_its_own():
    noise = white_noise([5, 6], 20_000, device=torch.device("cpu"))
    assert noise.mean().abs() < 0.02 and noise.std() == pytest.approx(1, abs=0.02)
    assert torch.corrcoef(noise)[0, 1].abs() < 0.03
    assert torch.equal(white_noise([6], 20_000, device=torch.device("cpu"))[0], noise[1])


def test_unmoved_labels():
    answer = unmoved(torch.zeros(3, 10))
    assert answer.shift_semitones.tolist() == [0, 0, 0] and answer.tempo_ratio.tolist() == [1, 1, 1]
