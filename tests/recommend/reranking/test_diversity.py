"""Maximal marginal relevance, against its definition spelt out."""

import numpy as np
import pytest

from musicrec.recommend.reranking.diversity import diverse_order, mean_distance


@pytest.fixture
def shortlist():
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(80, 12)).astype(np.float32) + 0.5
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors[1:] @ vectors[0], vectors[1:]


def definition(scores, vectors, balance, k):
    chosen, left = [], list(range(len(scores)))
    while left and len(chosen) < k:

        def marginal(i):
            near = max((float(vectors[i] @ vectors[j]) for j in chosen), default=0.0)
            return balance * float(scores[i]) - (1 - balance) * near

        best = max(left, key=marginal)
        chosen.append(best)
        left.remove(best)
    return chosen


@pytest.mark.parametrize("balance", [0.3, 0.5, 0.7, 0.9])
def test_the_order_is_that_of_the_definition(shortlist, balance):
    scores, vectors = shortlist
    assert diverse_order(scores, vectors, balance=balance, k=20).tolist() == definition(scores, vectors, balance, 20)


def test_a_balance_of_1_is_the_order_of_the_scores(shortlist):
    scores, vectors = shortlist
    assert diverse_order(scores, vectors, balance=1, k=79).tolist() == np.argsort(-scores, kind="stable").tolist()


def test_the_first_is_the_best_for_every_balance(shortlist):
    scores, vectors = shortlist
    assert diverse_order(scores, vectors, balance=0, k=3)[0] == np.argmax(scores)


def test_fewer_tracks_than_asked_for(shortlist):
    scores, vectors = shortlist
    assert sorted(diverse_order(scores[:4], vectors[:4], balance=0.5, k=9)) == [0, 1, 2, 3]
    assert not len(diverse_order(scores[:0], vectors[:0], balance=0.5, k=9))


def test_copies_come_late():
    vectors = np.eye(3, dtype=np.float32)[[0, 0, 1, 2]]
    assert diverse_order(np.array([0.9, 0.9, 0.8, 0.1]), vectors, balance=0.5, k=4).tolist() == [0, 2, 3, 1]


def test_mean_distance():
    assert mean_distance(np.eye(3)) == pytest.approx(1)
    assert mean_distance(np.array([[1.0, 0], [1, 0], [0, 1]])) == pytest.approx(2 / 3)
    assert np.isnan(mean_distance(np.eye(1)))
