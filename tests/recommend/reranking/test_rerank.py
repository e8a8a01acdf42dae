"""The last order: hubs and diversity together."""

import numpy as np
import pytest

from musicrec.errors import ConfigError
from musicrec.recommend.reranking.diversity import diverse_order
from musicrec.recommend.reranking.hubs import spread, without_hubs
from musicrec.recommend.reranking.rerank import Reranking
from musicrec.recommend.reranking.weighting import compared_vectors


@pytest.fixture
def shortlist(tracks):
    exact = tracks.vectors.astype(np.float64)
    return {
        "similarity": np.array([tracks.similarity(0, other) for other in range(1, 60)]),
        "query": tracks.vectors[0],
        "query_weight": 4.0,
        "vectors": tracks.vectors[1:],
        "weights": tracks.weights,
        "known_weight": tracks.known_weight[1:],
        "mean": exact.mean(axis=0),
        "second": exact.T @ exact / 60,
    }


def test_nothing_to_change_is_the_order_of_the_similarity(shortlist):
    rows, scores = Reranking(hubs=0, balance=1).order(**shortlist, k=9)
    assert rows.tolist() == np.argsort(-shortlist["similarity"], kind="stable")[:9].tolist()
    assert scores.tolist() == shortlist["similarity"].tolist()


def test_hubs_first_then_diversity(shortlist):
    library = {"mean": shortlist["mean"], "second": shortlist["second"]}
    weights, known = shortlist["weights"], shortlist["known_weight"]
    expected = without_hubs(
        shortlist["similarity"],
        query=spread(shortlist["query"][None], weights, np.array([4.0]), **library),
        candidates=spread(shortlist["vectors"], weights, known, **library),
        strength=0.5,
    )
    compared = compared_vectors(shortlist["vectors"], weights, known)
    rows, scores = Reranking(hubs=0.5, balance=0.5).order(**shortlist, k=9)
    np.testing.assert_allclose(scores, expected)
    assert rows.tolist() == diverse_order(expected, compared, balance=0.5, k=9).tolist()
    assert rows.tolist() != np.argsort(-expected)[:9].tolist()


def test_settings_are_checked():
    with pytest.raises(ConfigError, match=r"reranking\.hubs=2"):
        Reranking(hubs=2)
