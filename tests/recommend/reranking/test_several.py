"""Several queries at once, by arithmetic."""

import math

import numpy as np
import pytest

from musicrec.recommend.reranking.hubs import Spread
from musicrec.recommend.reranking.several import Queries, combined_similarity, recency_weights, soft_maximum


def queries(similarity, *, mean=0.0, deviation=0.1, weights=None):
    similarity = np.array(similarity, dtype=np.float64)
    count = similarity.shape[1]
    of = Spread(mean=np.full(count, mean), deviation=np.full(count, deviation))
    return Queries(similarity=similarity, spread=of, weights=weights)


def test_one_query_is_a_plain_query():
    similarity = np.array([[0.9], [0.1], [-0.3]])
    np.testing.assert_allclose(combined_similarity(queries(similarity, mean=0.2)), similarity[:, 0])


def test_the_mean_prefers_what_is_between_and_the_soft_maximum_what_is_like_one():
    alike = queries([[0.5, 0.5], [0.8, 0.1], [0.1, 0.8]])  # between both, like the first, like the second
    assert combined_similarity(alike, sharpness=0).argmax() == 0
    assert combined_similarity(alike).argmin() == 0


def test_soft_maximum_is_the_logarithm_of_a_mean():
    found = soft_maximum(np.array([[1.0, 3.0]]), np.array([0.25, 0.75]), sharpness=2)
    assert found[0] == pytest.approx(math.log(0.25 * math.exp(2) + 0.75 * math.exp(6)) / 2)
    assert soft_maximum(np.array([[1.0, 3.0]]), np.array([0.25, 0.75]), sharpness=0)[0] == pytest.approx(2.5)
    assert soft_maximum(np.array([[900.0, 1.0]]), np.array([0.5, 0.5]), sharpness=9)[0] == pytest.approx(900, abs=0.1)
    assert np.isfinite(soft_maximum(np.array([[9e3, 1.0]]), np.array([0.0, 1.0]), sharpness=9)).all()


def test_a_query_that_is_similar_to_everything_does_not_drown_another():
    """Both candidates stand two deviations above the mean of one of the queries."""
    of = Spread(mean=np.array([0.6, 0.0]), deviation=np.array([0.1, 0.1]))
    alike = Queries(similarity=np.array([[0.8, 0.0], [0.6, 0.2]]), spread=of)
    first, second = combined_similarity(alike)
    assert first == pytest.approx(second)


def test_weights_choose_between_queries():
    similarity = [[0.5, 0.0], [0.0, 0.5]]
    assert combined_similarity(queries(similarity, weights=np.array([3.0, 1.0]))).argmax() == 0
    assert combined_similarity(queries(similarity, weights=np.array([1.0, 3.0]))).argmax() == 1


def test_what_is_closer_to_an_unlike_track_loses():
    alike, unlike = queries([[0.5], [0.5], [0.5]]), queries([[0.4], [0.5], [0.6]])
    found = combined_similarity(alike, unlike, avoidance=2)
    # The third is closer to the unlike track by .1, and loses twice that.
    np.testing.assert_allclose(found, [0.5, 0.5, 0.3])


def test_each_unlike_track_counts_fully_and_by_its_weight():
    alike = queries([[0.5], [0.5]])
    unlike = queries([[0.6, 0.0], [0.0, 0.6]], weights=np.array([1.0, 0.5]))
    np.testing.assert_allclose(combined_similarity(alike, unlike, avoidance=2), [0.3, 0.4])


def test_no_unlike_tracks_are_none():
    alike = queries([[0.5], [0.2]])
    np.testing.assert_allclose(combined_similarity(alike, queries(np.zeros((2, 0)))), [0.5, 0.2])


def test_recent_tracks_count_more():
    np.testing.assert_allclose(recency_weights(7), [0.25, 0.5 ** (5 / 3), 0.5 ** (4 / 3), 0.5, *(
        0.5 ** (i / 3) for i in (2, 1, 0)
    )])  # fmt: skip
    np.testing.assert_allclose(recency_weights(2, half_life=1), [0.5, 1])
