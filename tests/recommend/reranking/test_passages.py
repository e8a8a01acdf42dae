"""The end of one track against the beginning of another, by arithmetic."""

import numpy as np
import pytest

from musicrec.errors import ConfigError
from musicrec.recommend.reranking.passages import passage_similarity
from musicrec.recommend.reranking.weighting import with_block

PLAIN = {"mean": np.zeros(2), "deviation": np.ones(2)}
NORTH, EAST, SOUTH = [0.0, 2.0], [3.0, 0.0], [0.0, -1.0]


def found(direction, candidates, **statistics):
    query = np.array([SOUTH, NORTH])  # begins south, ends north
    return passage_similarity(query, np.array(candidates), direction=direction, **(statistics or PLAIN))


def test_directions():
    candidates = [[NORTH, EAST], [EAST, SOUTH], [SOUTH, NORTH]]
    np.testing.assert_allclose(found("after", candidates), [1, 0, -1])
    np.testing.assert_allclose(found("before", candidates), [0, 1, -1])
    np.testing.assert_allclose(found("either", candidates), [1, 1, -1])


def test_passages_are_centred_and_scaled():
    mean, deviation = np.array([1.0, 2.0]), np.array([2.0, 0.5])
    query, candidates = np.array([[9.0, 9.0], [3.0, 2.5]]), np.array([[[3.0, 1.5], [0.0, 0.0]]])
    # The query's end becomes (1, 1), the candidate's beginning (1, -1).
    assert passage_similarity(query, candidates, mean=mean, deviation=deviation) == pytest.approx(0)


def test_a_dimension_without_deviation_is_not_blown_up():
    statistics = {"mean": np.zeros(2), "deviation": np.array([1.0, 0.0])}
    assert np.isfinite(found("after", [[NORTH, EAST]], **statistics)).all()


def test_unknown_passages():
    unknown = [np.nan, np.nan]
    np.testing.assert_array_equal(found("after", [[unknown, SOUTH], [[0.0, 0.0], EAST]]), [np.nan, 0])
    np.testing.assert_array_equal(found("either", [[unknown, SOUTH]]), [1])
    total, _ = with_block(np.array([0.4]), np.array([2.0]), found("after", [[unknown, SOUTH]]), 1.0)
    assert total == pytest.approx(0.4)


def test_directions_are_checked():
    with pytest.raises(ConfigError, match="direction=up: choose after, before or either"):
        found("up", [[NORTH, EAST]])
