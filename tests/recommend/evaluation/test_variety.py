"""Hubs, coverage and diversity, against SciPy and by hand."""

import numpy as np
import pytest
from scipy.spatial.distance import pdist
from scipy.stats import skew

from musicrec.recommend.evaluation.variety import (
    coverage,
    gini,
    hub_skewness,
    intra_list_distance,
    occurrences,
    other_artist,
)


def test_occurrences_are_of_the_tracks_that_can_be_recommended():
    among = np.array([True, False, True, True])
    found = occurrences(np.array([[2, 3], [0, -1]]), among)
    assert found.tolist() == [[False, True, True], [True, False, False]]


def test_skewness_is_that_of_scipy():
    counts = np.random.default_rng(0).poisson(3, (4, 50))
    assert hub_skewness(counts).tolist() == pytest.approx([skew(row) for row in counts])
    assert hub_skewness(np.ones((1, 5))).tolist() == [0.0]


def test_coverage_and_inequality():
    counts = np.array([[1, 1, 1, 1], [4, 0, 0, 0], [0, 0, 0, 0], [3, 1, 0, 0]])
    assert coverage(counts).tolist() == [1.0, 0.25, 0.0, 0.5]
    by_definition = np.abs(counts[3][:, None] - counts[3]).mean() / (2 * counts[3].mean())
    assert gini(counts).tolist() == pytest.approx([0.0, 0.75, 0.0, by_definition])


def test_the_distance_within_a_list_is_the_mean_over_pairs():
    generator = np.random.default_rng(0)
    vectors = generator.normal(size=(8, 5))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[7] = 0  # unknown
    ranked = np.array([[0, 3, 5, 6], [1, 2, 7, -1], [7, 1, -1, -1]])
    found = intra_list_distance(ranked, vectors)
    assert found[:2].tolist() == pytest.approx(
        [pdist(vectors[ranked[0]], "cosine").mean(), pdist(vectors[[1, 2]], "cosine")[0]]
    )
    assert np.isnan(found[2])


def test_novelty_counts_other_artists():
    artists = ["a", "a", "b", "", "b"]
    found = other_artist(np.array([[1, 2, 3], [3, 0, -1], [1, 2, 4]]), np.array([0, 2, 3]), artists)
    assert found[:2].tolist() == [0.5, 1.0] and np.isnan(found[2])
