"""The similarity within a shortlist, and blocks added to a similarity, against sums over blocks."""

import numpy as np
import pytest

from musicrec.recommend.reranking.weighting import compared_vectors, with_block


def test_products_are_similarities(tracks):
    compared = compared_vectors(tracks.vectors, tracks.weights, tracks.known_weight)
    assert compared.dtype == np.float32
    found = compared @ compared.T
    expected = [[tracks.similarity(i, j) for j in range(60)] for i in range(60)]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_tracks_that_lack_the_same_block_are_compared_by_the_others(tracks):
    tracks.vectors[[4, 9], :3] = 0
    tracks.known_weight[[4, 9]] = 3
    compared = compared_vectors(tracks.vectors, tracks.weights, tracks.known_weight)
    assert compared[4] @ compared[9] == pytest.approx(tracks.similarity(4, 9), abs=1e-6)
    assert compared[4] @ compared[4] == pytest.approx(1, abs=1e-6)


def test_a_track_without_blocks_is_similar_to_nothing(tracks):
    tracks.vectors[4] = 0
    tracks.known_weight[4] = 0
    assert not compared_vectors(tracks.vectors, tracks.weights, tracks.known_weight)[4].any()


def test_a_block_is_added_where_it_is_known():
    similarity, total = with_block(
        np.array([0.5, 0.5, 0.0]), np.array([4.0, 4.0, 0.0]), np.array([1.0, np.nan, np.nan]), 1.0
    )
    np.testing.assert_allclose(similarity, [(0.5 * 4 + 1) / 5, 0.5, 0.0])
    np.testing.assert_allclose(total, [5, 4, 0])
