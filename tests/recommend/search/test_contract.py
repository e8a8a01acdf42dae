"""Every search returns the answer of arithmetic in float64."""

import numpy as np
import pytest

from musicrec.errors import ConfigError
from musicrec.recommend.search import SEARCHES, exact, make_search
from musicrec.recommend.search.exact import FullScan
from musicrec.recommend.search.trees import TreeSearch

WAYS = [*SEARCHES, "numpy"]


@pytest.fixture(params=WAYS)
def way(request, monkeypatch):
    """A function that makes a search; "numpy" is the exact one without simsimd."""
    if request.param == "numpy":
        monkeypatch.setattr(exact, "load_simsimd", lambda: None)
        return FullScan
    return lambda vectors: make_search(request.param, vectors)


@pytest.fixture(params=[np.float16, np.float32], ids=["float16", "float32"])
def vectors(request):
    """1,500 vectors in 40 dimensions: of several lengths, some very near each other, some equal, one of them 0."""
    rng = np.random.default_rng(1)
    found = rng.normal(size=(1500, 40)) * rng.uniform(0.2, 2, size=(1500, 1))
    found[300:600] = found[0] + 1e-3 * rng.normal(size=(300, 40))
    found[600:640] = found[1]
    found[640] = 0
    return found.astype(request.param)


def oracle(vectors, query, *, n, allowed=None, weights=None):
    weights = np.ones(len(query)) if weights is None else weights
    scores = [sum(map(float, row.astype(np.float64) * weights * query)) for row in vectors]
    rows = range(len(vectors)) if allowed is None else np.flatnonzero(allowed)
    best = sorted(rows, key=lambda row: (-np.float32(scores[row]), row))[:n]
    return best, [scores[row] for row in best]


def same(found, expected):
    rows, scores = found
    assert rows.dtype == np.int64 and scores.dtype == np.float32
    assert rows.tolist() == list(expected[0])
    np.testing.assert_allclose(scores, expected[1], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("n", [0, 1, 50, 330, 1500, 9999])
def test_the_best_of_all(way, vectors, n):
    query = np.random.default_rng(2).normal(size=40)
    same(way(vectors).shortlist(query, n=n), oracle(vectors, query, n=n))


def test_near_and_equal_vectors(way, vectors):
    search = way(vectors)
    for query in vectors[[0, 1, 640]].astype(np.float64):
        same(search.shortlist(query, n=100), oracle(vectors, query, n=100))


@pytest.mark.parametrize("share", [0.0, 0.004, 0.05, 0.5, 1.0])
def test_the_best_of_some(way, vectors, share):
    rng = np.random.default_rng(3)
    query, allowed = rng.normal(size=40), rng.random(1500) < share
    same(way(vectors).shortlist(query, n=20, allowed=allowed), oracle(vectors, query, n=20, allowed=allowed))


def test_the_best_are_not_allowed(way, vectors):
    query = np.random.default_rng(4).normal(size=40)
    allowed = np.ones(1500, bool)
    allowed[oracle(vectors, query, n=700)[0]] = False
    same(way(vectors).shortlist(query, n=20, allowed=allowed), oracle(vectors, query, n=20, allowed=allowed))


def test_weights_are_those_of_the_query(way, vectors):
    rng = np.random.default_rng(5)
    search, query = way(vectors), rng.normal(size=40)
    for seed in range(6):  # more weightings than a tree search keeps
        weights = np.random.default_rng(seed).uniform(0, 3, size=40)
        weights[::3] = 0
        expected = oracle(vectors, query, n=30, weights=weights)
        same(search.shortlist(query, n=30, weights=weights), expected)
        same(search.shortlist(weights * query, n=30), expected)


@pytest.mark.parametrize("factor", [1e-9, 1.0, 1e9])
def test_queries_of_any_length(way, vectors, factor):
    query = factor * np.random.default_rng(6).normal(size=40)
    rows, scores = way(vectors).shortlist(query, n=30)
    best, expected = oracle(vectors, query, n=30)
    assert rows.tolist() == best
    np.testing.assert_allclose(scores, expected, rtol=1e-5)


def test_a_query_of_zeros(way, vectors):
    rows, scores = way(vectors).shortlist(np.zeros(40), n=3)
    assert rows.tolist() == [0, 1, 2] and not scores.any()


def test_no_tracks(way):
    rows, scores = way(np.zeros((0, 5), np.float16)).shortlist(np.ones(5), n=3)
    assert not len(rows) and not len(scores)


def test_a_slice_of_a_matrix(way, vectors):
    query = np.random.default_rng(7).normal(size=20)
    same(way(vectors[:, 10:30]).shortlist(query, n=9), oracle(vectors[:, 10:30], query, n=9))


def test_values_that_are_unknown_are_refused(way, vectors):
    vectors[7, 7] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        way(vectors).shortlist(np.ones(40), n=3)


def test_other_numbers_are_refused(way):
    with pytest.raises(ValueError, match="float64"):
        way(np.zeros((3, 2)))


def test_names_are_checked():
    with pytest.raises(ConfigError, match="search=hnsw: choose exact, kdtree or balltree"):
        make_search("hnsw", np.zeros((1, 1), np.float16))


@pytest.mark.parametrize("size", [1, 100, 289])
def test_many_near_ties_in_float16(size):
    """Scores so close that a query in float16 confuses them: the second step puts them right."""
    rng = np.random.default_rng(8)
    vectors = (rng.normal(size=(3000, size)) * 0.02 + 1).astype(np.float16)
    query = rng.normal(size=size) + 3
    stored = vectors.astype(np.float32) @ query.astype(np.float16).astype(np.float32)
    expected = oracle(vectors, query, n=200)
    if size > 1:
        assert np.argsort(-stored, kind="stable")[:200].tolist() != expected[0]
    same(FullScan(vectors).shortlist(query, n=200), expected)


def test_the_last_weightings_are_kept(vectors):
    search = TreeSearch(vectors, kind="kdtree")
    weightings = [np.full(40, 1.0 + i) for i in range(6)]
    trees = [search._tree(weights) for weights in weightings]
    assert search._tree(weightings[5]) is trees[5]
    assert search._tree(weightings[0]) is not trees[0]


def test_negative_weights_are_refused_by_a_tree(vectors):
    with pytest.raises(ValueError, match="0 or more"):
        TreeSearch(vectors, kind="balltree").shortlist(np.ones(40), n=3, weights=-np.ones(40))


def test_a_full_scan_answers_one_query_after_another_and_under_other_conditions():
    """It keeps the scores of its last query, which must be those of no other."""
    generator = np.random.default_rng(0)
    vectors = generator.normal(size=(500, 8)).astype(np.float16)
    first, second = generator.normal(size=(2, 8)).astype(np.float32)
    allowed = generator.random(500) < 0.7
    search = FullScan(vectors)
    for query, among in ((first, None), (first, allowed), (second, allowed), (first, None)):
        rows, scores = search.shortlist(query, n=9, allowed=among)
        exact = vectors.astype(np.float64) @ query.astype(np.float64)
        exact[~(allowed if among is not None else np.ones(500, dtype=bool))] = -np.inf
        assert rows.tolist() == np.argsort(-exact, kind="stable")[:9].tolist()
        np.testing.assert_allclose(scores, np.sort(exact)[::-1][:9])
