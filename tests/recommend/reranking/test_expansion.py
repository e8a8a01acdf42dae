"""A query that sounds a little like its neighbours."""

import numpy as np
import pytest

from musicrec.recommend.reranking.expansion import expanded_query


def unit(degrees: list[float]) -> np.ndarray:
    radians = np.radians(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


def test_two_steps_by_hand():
    """The query at 0°, and tracks at 60°, 120° and 180°: with one neighbour each, only query and first are mutual."""
    vectors = unit([0, 60, 121, 181.5])
    # The nearest of 121° is 181.5° (60.5°; 61° to the other side) and the other way round: mutual, far from the query.
    weights = np.array([[1, 0.5], [0.5, 1]]) / 1.5
    expected = (weights @ weights)[0] @ vectors[:2]  # 5/9 of the query, 4/9 of its neighbour
    np.testing.assert_allclose(weights @ weights, [[5 / 9, 4 / 9], [4 / 9, 5 / 9]])
    np.testing.assert_allclose(expanded_query(vectors, neighbours=1), expected, rtol=1e-5)


def test_neighbours_of_neighbours_count():
    """A chain whose ends are not neighbours, with two neighbours each: one step reaches the next, two the one after."""
    vectors = unit([0, 40, 80, 120])
    similarity = vectors.astype(float) @ vectors.T.astype(float)
    mutual = np.array([[0, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 1], [0, 0, 1, 0]])
    step = np.eye(4) + mutual * similarity
    step /= step.sum(axis=1, keepdims=True)
    # 0° has 40° and 80° as its nearest two, 80° has 40° and 120°: not mutual.
    np.testing.assert_allclose(expanded_query(vectors, neighbours=2), (step @ step)[0] @ vectors, rtol=1e-5)
    assert (step @ step)[0, 2] > 0 == step[0, 2]


def test_a_hub_does_not_draw_the_query_to_itself():
    """The nearest track of the query has nearer ones of its own, so nothing is mutual and the query stays."""
    vectors = unit([0, 50, 60, 70])
    np.testing.assert_array_equal(expanded_query(vectors, neighbours=1), vectors[0])


@pytest.mark.parametrize("neighbours", [1, 5])
def test_alone_or_opposite_tracks_change_nothing(neighbours: int):
    assert expanded_query(unit([30]), neighbours=neighbours).tolist() == unit([30])[0].tolist()
    np.testing.assert_allclose(expanded_query(unit([30, 170]), neighbours=neighbours), unit([30])[0], rtol=1e-6)


def test_of_equal_vectors_nothing_changes_but_weights():
    vectors = np.repeat(unit([10]), 4, axis=0)
    np.testing.assert_allclose(expanded_query(vectors, neighbours=2), vectors[0], rtol=1e-6)
