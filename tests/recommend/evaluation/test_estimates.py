"""Intervals: how often they hold what they should."""

import numpy as np
import pytest

from musicrec.evaluation.bootstrap import Bootstrap
from musicrec.recommend.evaluation.estimates import jackknife, mean, means
from musicrec.recommend.evaluation.variety import coverage, hub_skewness


def test_the_interval_is_that_of_a_mean():
    """Of 400 queries, half with 1 and half with 0, the standard error is 0.025."""
    found = mean(np.tile([0.0, 1.0], 200), Bootstrap(resamples=2000))
    assert found.value == 0.5
    assert (found.low, found.high) == pytest.approx((0.5 - 1.96 * 0.025, 0.5 + 1.96 * 0.025), abs=0.006)


def test_several_measures_are_those_of_each_alone_and_nan_does_not_count():
    generator = np.random.default_rng(0)
    values = generator.random((50, 3))
    values[::5, 1] = np.nan
    values[:, 2] = np.nan
    together = means(values, Bootstrap(resamples=500))
    assert together[0] == mean(values[:, 0], Bootstrap(resamples=500))
    assert together[1].value == pytest.approx(np.nanmean(values[:, 1]))
    assert np.isnan(together[2].value)


def test_queries_of_an_artist_are_drawn_together():
    """Ten copies of each query say no more than one of them: the interval must not shrink."""
    values = np.random.default_rng(0).random(40)
    alone = mean(values, Bootstrap(resamples=2000))
    copies = means(np.repeat(values, 10)[:, None], Bootstrap(resamples=2000), np.repeat(np.arange(40), 10))[0]
    assert (copies.low, copies.high) == pytest.approx((alone.low, alone.high), abs=1e-9)


def test_the_jackknife_of_a_mean_is_its_standard_error():
    counts = np.random.default_rng(0).random((30, 4)) < 0.5
    found = jackknife(lambda rows: rows[:, 0] / rows.sum(axis=1), counts, confidence=0.95)
    share = counts[:, 0].sum() / counts.sum()
    assert found.value == pytest.approx(share) and found.low < share < found.high
    single = np.zeros((20, 2), dtype=bool)
    single[np.arange(20), (np.arange(20) % 4 > 0).astype(int)] = (
        True  # each query recommends one track: the share is a mean
    )
    simple = jackknife(lambda rows: rows[:, 1] / rows.sum(axis=1), single, confidence=0.95)
    error = np.std(np.arange(20) % 4 > 0, ddof=1) / np.sqrt(20)
    assert (simple.value, simple.high) == pytest.approx((0.75, 0.75 + 1.959964 * error))


def test_one_query_shows_no_interval():
    counts = np.array([[True, False]])
    assert np.isnan(jackknife(coverage, counts, confidence=0.95).low)
    assert jackknife(hub_skewness, counts, confidence=0.95).value == 0.0
