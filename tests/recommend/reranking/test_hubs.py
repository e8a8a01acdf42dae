"""Mutual proximity in closed form, against the similarities of a small library one by one."""

import numpy as np
import pytest
from scipy import stats

from musicrec.recommend.evaluation.variety import hub_skewness
from musicrec.recommend.reranking.hubs import Spread, mutual_proximity, spread, without_hubs


def moments(vectors):
    exact = vectors.astype(np.float64)
    return {"mean": exact.mean(axis=0), "second": exact.T @ exact / len(exact)}


def spread_of(tracks):
    return spread(tracks.vectors, tracks.weights, tracks.known_weight, **moments(tracks.vectors))


def one(of, row):
    return Spread(mean=of.mean[row : row + 1], deviation=of.deviation[row : row + 1])


def similarities(tracks):
    count = len(tracks.vectors)
    return np.array([[tracks.similarity(i, j) for j in range(count)] for i in range(count)])


def corrected(similarity, of):
    return np.stack([mutual_proximity(row, query=one(of, i), candidates=of) for i, row in enumerate(similarity)])


def test_the_spread_is_that_of_all_similarities(tracks):
    expected, found = similarities(tracks), spread_of(tracks)
    np.testing.assert_allclose(found.mean, expected.mean(axis=1), atol=1e-6)
    np.testing.assert_allclose(found.deviation, expected.std(axis=1), atol=1e-5)


def test_blocks_that_a_track_lacks_are_weighted_anew(tracks):
    library = moments(tracks.vectors)
    tracks.vectors[7, :3] = 0
    tracks.known_weight[7] = 3
    of_others = [tracks.similarity(7, other) for other in range(60) if other != 7]
    found = spread(tracks.vectors[7:8], tracks.weights, tracks.known_weight[7:8], **library)
    # The library of the moments holds the track, too, whose similarity to itself is 1.
    assert found.mean[0] == pytest.approx(np.mean([*of_others, 1.0]), abs=1e-6)
    assert found.deviation[0] == pytest.approx(np.std([*of_others, 1.0]), abs=1e-5)


def test_the_order_is_that_of_the_definition(tracks):
    """Schnitzer et al. 2012, equation 4: the product of two normal probabilities, here of similarities."""
    similarity, of = similarities(tracks), spread_of(tracks)
    below = stats.norm.cdf(similarity, of.mean[:, None], of.deviation[:, None])
    for found, expected in zip(corrected(similarity, of), below * below.T, strict=True):
        assert np.argsort(-found).tolist() == np.argsort(-expected).tolist()


def test_the_value_is_the_similarity_of_a_track_that_is_no_hub(tracks):
    similarity, of = similarities(tracks), spread_of(tracks)
    same = Spread(mean=np.repeat(of.mean[3], 60), deviation=np.repeat(of.deviation[3], 60))
    found = mutual_proximity(similarity[3], query=one(of, 3), candidates=same)
    np.testing.assert_allclose(found, similarity[3], atol=1e-6)


def test_hubs_lose_and_orphans_gain():
    query = Spread(mean=np.array([0.2]), deviation=np.array([0.1]))
    candidates = Spread(mean=np.array([0.4, 0.2, 0.0]), deviation=np.array([0.1, 0.1, 0.1]))
    hub, usual, orphan = mutual_proximity(np.array([0.5, 0.5, 0.5]), query=query, candidates=candidates)
    assert usual == pytest.approx(0.5)
    assert hub < usual < orphan


def test_hubs_are_fewer_afterwards(tracks):
    similarity, of = similarities(tracks), spread_of(tracks)

    def skewness(values):
        values = values - 9 * np.eye(60)
        nearest = np.argsort(-values, axis=1)[:, :5]
        return hub_skewness(np.bincount(nearest.ravel(), minlength=60)[None])[0]

    assert skewness(similarity) > 1
    assert skewness(corrected(similarity, of)) < 0.7 * skewness(similarity)


def test_very_similar_tracks_keep_their_order():
    """Thirty deviations above the mean, a probability is 1 to the last digit; the order must not be lost."""
    of = Spread(mean=np.zeros(1), deviation=np.full(1, 0.03))
    candidates = Spread(mean=np.zeros(5), deviation=np.full(5, 0.03))
    similarity = np.array([0.9, 0.91, 0.92, 0.95, 1.0])
    found = mutual_proximity(similarity, query=of, candidates=candidates)
    np.testing.assert_allclose(found, similarity, atol=1e-6)
    far = mutual_proximity(-similarity, query=of, candidates=candidates)
    assert np.isfinite(far).all()


def test_strength(tracks):
    similarity, of = similarities(tracks), spread_of(tracks)
    query = one(of, 0)
    none = without_hubs(similarity[0], query=query, candidates=of, strength=0)
    half = without_hubs(similarity[0], query=query, candidates=of, strength=0.5)
    full = without_hubs(similarity[0], query=query, candidates=of, strength=1)
    assert none.tolist() == similarity[0].tolist()
    np.testing.assert_allclose(half, (none + full) / 2)


def test_tracks_whose_similarities_are_all_the_same_are_left_alone():
    still = Spread(mean=np.array([0.5]), deviation=np.array([0.0]))
    usual = Spread(mean=np.array([0.4, 0.5]), deviation=np.array([0.1, 0.0]))
    values = np.array([0.7, 0.5])
    assert mutual_proximity(values, query=still, candidates=usual).tolist() == values.tolist()
    assert np.isfinite(mutual_proximity(values, query=one(usual, 0), candidates=usual)).all()
