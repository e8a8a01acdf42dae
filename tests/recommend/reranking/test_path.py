"""Paths, against all paths of small shortlists."""

import itertools

import numpy as np
import pytest

from musicrec.recommend.reranking.path import path_between, way_points


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def on_circle(degrees):
    return np.stack([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))], axis=-1).astype(np.float32)


def test_even_steps_on_a_circle():
    degrees = np.array([70, 20, 45, 10, 60, 30, 44])
    rows = path_between(on_circle(degrees), on_circle(0), on_circle(90), between=2)
    assert degrees[rows].tolist() == [30, 60]


@pytest.mark.parametrize("seed", range(8))
def test_no_path_of_its_kind_has_a_smaller_largest_step(seed):
    rng = np.random.default_rng(seed)
    points = unit(rng.normal(size=(9, 4)) + 0.5)
    vectors, start, end = points[:7], points[7], points[8]

    def steps(rows):
        path = np.stack([start, *vectors[list(rows)], end])
        return 1 - (path[1:] * path[:-1]).sum(axis=1)

    def measure(rows):
        return round(float(steps(rows).max()), 9), float((steps(rows) ** 2).sum())

    forward = np.argsort(vectors @ (end - start))
    best = min((tuple(forward[list(rows)]) for rows in itertools.combinations(range(7), 3)), key=measure)
    assert tuple(path_between(vectors, start, end, between=3)) == best


def test_no_track_comes_twice():
    vectors = unit(np.random.default_rng(3).normal(size=(40, 6))).astype(np.float32)
    rows = path_between(vectors[2:], vectors[0], vectors[1], between=25)
    assert len(set(rows.tolist())) == 25


def test_fewer_tracks_than_asked_for():
    vectors = on_circle(np.array([60, 30]))
    assert path_between(vectors, on_circle(0), on_circle(90), between=9).tolist() == [1, 0]
    assert not len(path_between(vectors[:0], on_circle(0), on_circle(90), between=9))
    assert not len(path_between(vectors, on_circle(0), on_circle(90), between=0))


def test_equal_tracks():
    vectors = np.repeat(on_circle(45)[None], 5, axis=0)
    assert len(set(path_between(vectors, on_circle(45), on_circle(45), between=3).tolist())) == 3


def test_way_points_are_evenly_spaced():
    found = way_points(np.array([0.0, 1.0]), np.array([1.0, 0.0]), count=3)
    np.testing.assert_allclose(found, [[0, 1], [0.5, 0.5], [1, 0]])
    assert found.dtype == np.float32
