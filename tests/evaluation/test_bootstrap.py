"""Bootstrap intervals, compared with SciPy, with arithmetic, and with simulated data whose true value is known."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from musicrec.errors import ConfigError
from musicrec.evaluation.bootstrap import Bootstrap
from musicrec.heads.metrics import Scores, roc_and_pr_auc, weighted_mean


def means(points: torch.Tensor, bootstrap: Bootstrap, clusters: np.ndarray | None = None) -> torch.Tensor:
    clusters = np.arange(len(points)) if clusters is None else clusters
    return bootstrap.scores(lambda w: Scores(overall={"mean": weighted_mean(points, w)}), clusters, classes=1).overall[
        "mean"
    ]


def test_interval_of_a_mean_equals_that_of_scipy():
    points = np.random.default_rng(0).exponential(size=80)
    bootstrap = Bootstrap(resamples=20_000)
    found = bootstrap.interval(means(torch.tensor(points), bootstrap), points.mean())
    other = stats.bootstrap((points,), np.mean, n_resamples=20_000, method="percentile", rng=0).confidence_interval
    assert found.tolist() == pytest.approx([other.low, other.high], abs=0.02)
    assert found.tolist() == pytest.approx(points.mean() + np.array([-1.96, 1.96]) * points.std() / 80**0.5, rel=0.06)


def test_bias_is_corrected_as_in_scipy():
    """The standard deviation of a resample is too small on average; SciPy's BCa corrects for it, too."""
    points = torch.tensor(np.random.default_rng(1).normal(size=60))
    bootstrap = Bootstrap(resamples=20_000)

    def spread(weights: torch.Tensor) -> Scores:
        mean = weighted_mean(points, weights)
        return Scores(overall={"sd": (weighted_mean(points**2, weights) - mean**2).sqrt()})

    drawn = bootstrap.scores(spread, np.arange(60), classes=1).overall["sd"]
    found = bootstrap.interval(drawn, float(points.std(correction=0)))
    low, high = stats.bootstrap(
        (points.numpy(),), lambda x, axis: x.std(axis=axis), n_resamples=20_000, method="BCa", rng=0
    ).confidence_interval
    percentile = torch.quantile(drawn, torch.tensor([0.025, 0.975], dtype=torch.float64))
    assert found.tolist() == pytest.approx([low, high], abs=0.035)
    assert found[0] > percentile[0] and found[1] > percentile[1]


def test_intervals_contain_the_true_value_as_often_as_their_confidence():
    """250 simulated sets of 80 tracks: a share of 0.8, and a ROC-AUC of Φ(1/√2) of two normal distributions."""
    generator, truth = torch.Generator().manual_seed(0), {"share": 0.8, "auc": stats.norm.cdf(1 / 2**0.5)}
    contained = dict.fromkeys(truth, 0)
    for simulation in range(250):
        bootstrap = Bootstrap(resamples=300, units=["track"], seed=simulation)
        right = torch.bernoulli(torch.full((80,), 0.8), generator=generator)
        positive = torch.arange(80) % 4 == 0
        scores = torch.randn(80, generator=generator) + positive

        def score(weights: torch.Tensor, right=right, scores=scores, positive=positive) -> Scores:
            return Scores(
                overall={"share": weighted_mean(right, weights), "auc": roc_and_pr_auc(scores, positive, weights)[0]}
            )

        drawn = bootstrap.scores(score, np.arange(80), classes=1)
        estimates = score(torch.ones(1, 80).double()).values()
        for name, value in truth.items():
            low, high = bootstrap.interval(drawn.overall[name], estimates[name])
            contained[name] += bool(low <= value <= high)
    for name, count in contained.items():
        assert 0.90 <= count / 250 <= 0.99, name


def test_all_tracks_of_an_artist_are_drawn_together():
    """Ten artists, each with eight tracks that are all right or all wrong, are ten observations, not eighty."""
    points = torch.arange(10).repeat_interleave(8) % 2
    bootstrap = Bootstrap(resamples=4000)
    clusters = bootstrap.clusters([f"artist {index // 8}" for index in range(80)])
    assert {unit: int(numbers.max()) + 1 for unit, numbers in clusters.items()} == {"track": 80, "artist": 10}
    spread = {unit: float(means(points, bootstrap, numbers).std()) for unit, numbers in clusters.items()}
    assert spread["track"] == pytest.approx((0.25 / 80) ** 0.5, rel=0.05)
    assert spread["artist"] == pytest.approx((0.25 / 10) ** 0.5, rel=0.05)
    (weights,) = Bootstrap(resamples=100).weights(clusters["artist"], rows_at_once=100)
    assert (weights.reshape(100, 10, 8) == weights.reshape(100, 10, 8)[:, :, :1]).all(), "whole artists"
    assert (weights.sum(dim=1) == 80).all()


def test_a_track_without_an_artist_is_its_own_cluster_and_without_any_artist_the_unit_is_left_out():
    clusters = Bootstrap().clusters(["a", None, "a", None])
    assert clusters["artist"][0] == clusters["artist"][2] and len(set(clusters["artist"])) == 3
    assert list(Bootstrap().clusters([None, None])) == ["track"]
    assert list(Bootstrap().clusters(["a", "a"])) == ["track"], "one artist has no spread"
    assert Bootstrap().clusters(["a"]) == {}


def test_a_seed_gives_the_same_draws_in_blocks_of_any_size():
    bootstrap = Bootstrap(resamples=100, seed=3)
    whole = torch.cat(list(bootstrap.weights(np.arange(7), rows_at_once=100)))
    assert torch.equal(whole, torch.cat(list(bootstrap.weights(np.arange(7), rows_at_once=9))))
    assert not torch.equal(whole, next(Bootstrap(resamples=100, seed=4).weights(np.arange(7), rows_at_once=100)))


def test_no_interval_if_all_resamples_agree():
    bootstrap = Bootstrap(resamples=100)
    values = torch.stack([torch.ones(100), torch.full((100,), math.nan), torch.linspace(0, 1, 100)], dim=1).double()
    values[:50, 2] = math.nan
    low, high = bootstrap.interval(values, torch.tensor([1.0, math.nan, 0.75]))
    assert low[:2].isnan().all() and high[:2].isnan().all()
    assert 0.5 <= low[2] < 0.53 and 0.97 < high[2] <= 1
    assert math.isnan(bootstrap.p_value(values[:, 0], 1.0))


@pytest.mark.parametrize("shift", [0.0, 0.15, 0.3, 0.45])
def test_p_value_equals_that_of_a_paired_test(shift: float):
    points = np.random.default_rng(2).normal(loc=shift, size=100)
    bootstrap = Bootstrap(resamples=20_000)
    drawn = means(torch.tensor(points), bootstrap)
    expected = stats.ttest_1samp(points, 0).pvalue
    p = bootstrap.p_value(drawn, points.mean())
    assert p == pytest.approx(expected, abs=0.02)
    low, high = bootstrap.interval(drawn, points.mean())
    assert (p < 0.05) == bool(low > 0 or high < 0)


@pytest.mark.parametrize("gap", [0.0, 0.1, 0.14, 0.18, 0.22, 0.3])
def test_p_value_agrees_with_the_interval_even_if_resamples_are_biased(gap: float):
    """A standard deviation is too small on a resample: without the correction, p would belong to another interval."""
    points = torch.tensor(np.random.default_rng(1).normal(size=60))
    estimate = float(points.std(correction=0))
    bootstrap = Bootstrap(resamples=4000)

    def spread(weights: torch.Tensor) -> Scores:
        return Scores(overall={"sd": (weighted_mean(points**2, weights) - weighted_mean(points, weights) ** 2).sqrt()})

    drawn = bootstrap.scores(spread, np.arange(60), classes=1).overall["sd"] - (estimate - gap)
    p = bootstrap.p_value(drawn, gap)
    for confidence in (0.5, 0.8, 0.9, 0.95, 0.99):
        low, high = Bootstrap(resamples=4000, confidence=confidence).interval(drawn, gap).tolist()
        assert abs(p - (1 - confidence)) < 0.004 or (p < 1 - confidence) == (low > 0 or high < 0), confidence


@pytest.mark.parametrize(
    "settings", [{"resamples": 10}, {"confidence": 95}, {"units": ["album"]}, {"units": []}, {"resamples": 1000.5}]
)
def test_an_invalid_setting_is_named(settings: dict):
    with pytest.raises(ConfigError, match=rf"bootstrap\.{next(iter(settings))}="):
        Bootstrap(**settings)


def test_missing_artists_are_reported():
    both, tracks, artists = Bootstrap(), Bootstrap(units=["track"]), Bootstrap(units=["artist"])
    assert both.check(["a", "b", None], split="test") == artists.check(["a", "b", None], split="test") == []
    assert tracks.check([None, None], split="test") == []
    assert both.check([None, None], split="test") == ["intervals by artist: no track of 'test' has an artist"]
    assert both.check(["a", "a"], split="test") == ["intervals by artist: all tracks of 'test' are by one artist"]
    with pytest.raises(ConfigError, match=r"bootstrap\.units=\[artist\]: no track of 'test' has .*\[track\]"):
        artists.check([None, None], split="test")
