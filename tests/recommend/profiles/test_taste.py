"""A taste, and a metric from pairs. Expected values are worked out by hand, in two or three dimensions."""

import numpy as np
import pytest

from musicrec.recommend.profiles.taste import learn_metric, learn_taste
from musicrec.recommend.profiles.taste_settings import TasteSettings
from tests.recommend.profiles.said import CROSS, known

NONE = np.empty((0, 2), dtype=np.int64)


def test_scores_by_hand():
    """One liked track of four on a cross: closeness 1, 0, 0, 0, so mean 1/4 and deviation √3/4."""
    scores = learn_taste(CROSS, known([0], [1])).scores(CROSS)
    assert scores == pytest.approx(np.tanh(np.array([3, -1, -1, -1]) / np.sqrt(3) / 4))
    assert learn_taste(CROSS, known([0], [0.2])).scores(CROSS) == pytest.approx(scores), (
        "the strength is for the amount"
    )


def test_dislikes_are_subtracted_by_their_share():
    """Per deviation: liked (3, -1, -1, -1)/√3 minus half of disliked (-1, -1, 3, -1)/√3."""
    settings = TasteSettings(dislike_share=0.5)
    scores = learn_taste(CROSS, known([0, 2], [1, -1]), settings).scores(CROSS)
    assert scores == pytest.approx(np.tanh(np.array([3.5, -0.5, -2.5, -0.5]) / np.sqrt(3) / 4))
    alone = learn_taste(CROSS, known([0, 2], [1, -1]), TasteSettings(dislike_share=0)).scores(CROSS)
    assert alone == pytest.approx(learn_taste(CROSS, known([0], [1])).scores(CROSS))


def test_recent_likes_weigh_more():
    """Weights 3 and 1: closeness .75, .25, 0, 0 of mean .25 and deviation √.09375."""
    scores = learn_taste(CROSS, known([0, 1], [1, 1 / 3])).scores(CROSS)
    assert scores == pytest.approx(np.tanh(np.array([0.5, 0, -0.25, -0.25]) / np.sqrt(0.09375) / 4), abs=1e-7)


def test_what_all_tracks_have_in_common_says_nothing():
    """Moved to one side and scaled to unit length, the four tracks keep the order of their scores."""
    moved = np.concatenate([CROSS, np.full((4, 1), 3, dtype=np.float32)], axis=1)
    moved /= np.linalg.norm(moved, axis=1, keepdims=True)
    assert learn_taste(moved, known([0], [1])).scores(moved) == pytest.approx(
        learn_taste(CROSS, known([0], [1])).scores(CROSS), abs=1e-6
    )


def test_a_taste_with_two_centres_does_not_want_what_lies_between():
    angles = np.deg2rad([0, 90, 45, 180, 270, 225])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    scores = learn_taste(vectors, known([0, 1], [1, 1]), TasteSettings(focus=4)).scores(vectors)
    assert scores[0] == pytest.approx(scores[1]) and scores[2] < scores[0]
    between = learn_taste(vectors, known([0, 1], [1, 1]), TasteSettings(focus=1)).scores(vectors)
    assert between[2] > between[0]


def test_a_track_without_a_vector_scores_0_and_says_nothing():
    vectors = np.concatenate([CROSS, np.zeros((1, 2), dtype=np.float32)])
    scores = learn_taste(vectors, known([0, 4], [1, 1])).scores(vectors)
    assert scores[4] == 0 and scores[:4] == pytest.approx(learn_taste(CROSS, known([0], [1])).scores(CROSS))
    for nothing in (known([], []), known([4], [1])):
        assert not learn_taste(vectors, nothing).scores(vectors).any()
    empty = np.zeros((3, 2), dtype=np.float32)
    assert not learn_taste(empty, known([0], [1])).scores(empty).any()
    same = np.ones((3, 2), dtype=np.float32)
    assert not learn_taste(same, known([0], [1])).scores(same).any()


def test_many_tracks_are_compared_in_blocks_with_the_same_result():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(20_001, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    taste = learn_taste(vectors, known([3, 5, 9], [1, 0.5, -1]))
    scores = taste.scores(vectors)
    some = rng.permutation(len(vectors))[:100]
    assert taste.scores(vectors[some]) == pytest.approx(scores[some], abs=1e-6)
    assert abs(scores).max() < 1


def test_only_the_recordings_with_most_weight_are_compared_with():
    settings = TasteSettings(most_recordings=1)
    scores = learn_taste(CROSS, known([0, 1], [0.5, 1]), settings).scores(CROSS)
    assert scores == pytest.approx(learn_taste(CROSS, known([1], [1])).scores(CROSS))


# Metric.


def test_a_metric_from_one_pair_by_hand():
    """a = (.8, .6), b = (.6, -.8): products (.48, -.48), similarity 0, so 1 is missing.

    With ridge 1: w = 1 + x · 1 / (x·x + x·x) = 1 ± .48 / .9216 = (1.5208, .4792), whose mean is 1.
    """
    vectors = np.array([[0.8, 0.6], [0.6, -0.8]], dtype=np.float32)
    weights = learn_metric(vectors, np.array([[0, 1]]), NONE, ridge=1)
    assert weights == pytest.approx([1 + 0.48 / 0.9216, 1 - 0.48 / 0.9216])
    # With a ridge near 0 the pair has a similarity of 1, but for the limit: no weight is negative.
    assert learn_metric(vectors, np.array([[0, 1]]), NONE, ridge=1e-9) == pytest.approx([2, 0], abs=1e-6)
    # With a large one, nothing changes.
    assert learn_metric(vectors, np.array([[0, 1]]), NONE, ridge=1e9) == pytest.approx([1, 1])


def test_a_metric_from_a_skip_is_lower_where_the_tracks_agree():
    """a = b = (.8, .6): products (.64, .36), similarity 1, so -1 is missing; divided by the mean of the weights."""
    vectors = np.array([[0.8, 0.6], [0.8, 0.6]], dtype=np.float32)
    weights = 1 - np.array([0.64, 0.36]) / (2 * (0.64**2 + 0.36**2))
    assert learn_metric(vectors, NONE, np.array([[0, 1]]), ridge=1) == pytest.approx(weights / weights.mean(), rel=1e-5)


def test_the_closed_form_is_the_ridge_regression_of_another_library():
    from sklearn.linear_model import Ridge

    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(30, 5)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    pairs, skips = rng.choice(30, (8, 2)), rng.choice(30, (4, 2))
    both = np.concatenate([pairs, skips])
    products = vectors[both[:, 0]].astype(float) * vectors[both[:, 1]]
    missing = np.repeat([1.0, 0.0], [8, 4]) - products.sum(axis=1)
    penalty = 2.0 * np.square(products).sum(axis=1).mean()
    expected = np.maximum(1 + Ridge(alpha=penalty, fit_intercept=False).fit(products, missing).coef_, 0)
    assert learn_metric(vectors, pairs, skips, ridge=2.0) == pytest.approx(expected / expected.mean())


def test_without_pairs_the_metric_is_the_plain_one():
    assert learn_metric(CROSS, NONE, NONE).tolist() == [1, 1]
    zeros = np.zeros((2, 3), dtype=np.float32)
    assert learn_metric(zeros, np.array([[0, 1]]), NONE).tolist() == [1, 1, 1]
