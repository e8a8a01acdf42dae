"""How well lists fit their queries, counted by hand and against scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import ndcg_score

from musicrec.heads.keys import KEYS_24
from musicrec.recommend.evaluation.accuracy import (
    chance_precision,
    energy_error,
    key_compatible,
    label_precision,
    mean_of_known,
    mixable,
    overlap,
    tag_ndcg,
    tempo_compatible,
)

ALL = np.ones(5, dtype=bool)


def keys(*names: str) -> np.ndarray:
    return np.array([KEYS_24.index(name) for name in names])


def test_shares_of_equal_labels_are_counted():
    ranked = np.array([[1, 2], [0, 3], [3, 0], [0, 1]])
    assert label_precision(ranked, np.arange(4), ["x", "x", "x", "y"]).tolist() == [1.0, 0.5, 0.5, 0.0]


def test_unknown_labels_and_empty_places_are_left_out():
    ranked = np.array([[1, 2], [2, -1], [0, 1]])
    found = label_precision(ranked, np.array([0, 1, 3]), ["x", "x", "", ""])
    assert found[0] == 1.0 and np.isnan(found[1:]).all()


def test_chance_is_the_share_of_the_label_among_the_others():
    found = chance_precision(np.arange(4), ["x", "x", "x", "y"], among=ALL[:4])
    assert found.tolist() == pytest.approx([2 / 3, 2 / 3, 2 / 3, 0.0])
    artists = np.array(["a", "a", "b", "c"], dtype=object)
    assert chance_precision(np.array([0]), ["x", "x", "x", "y"], among=ALL[:4], apart=artists).tolist() == [0.5]


def test_chance_is_what_random_lists_reach():
    generator = np.random.default_rng(0)
    labels = [("x", "y", "")[value] for value in generator.integers(0, 3, 30)]
    among = generator.random(30) < 0.8
    rows = np.flatnonzero(among)
    lists = [[generator.permutation(rows[rows != row])[:5] for row in rows] for _ in range(3000)]
    drawn = [label_precision(np.array(one), rows, labels) for one in lists]
    expected = chance_precision(rows, labels, among=among)
    labelled = ~np.isnan(expected)
    assert np.nanmean(np.array(drawn)[:, labelled], axis=0) == pytest.approx(expected[labelled], abs=0.02)


@pytest.mark.parametrize("filtered", [False, True])
def test_ndcg_is_that_of_scikit_learn(filtered: bool):
    generator = np.random.default_rng(1)
    tags, among = generator.random((40, 6)) < 0.4, generator.random(40) < 0.9
    artists = np.array([("a", "b", "")[value] for value in generator.integers(0, 3, 40)], dtype=object)
    queries = np.flatnonzero(among & tags.any(axis=1))[:20]
    ranked, expected = [], []
    for row in queries:
        others = among & (np.arange(40) != row)
        if filtered and artists[row]:
            others &= artists != artists[row]
        rows = np.flatnonzero(others)
        order = generator.permutation(rows)[:7]
        gains = [(tags[row] & tags[one]).sum() / (tags[row] | tags[one]).sum() for one in rows]
        scores = np.zeros(40)
        scores[order] = np.arange(7, 0, -1)
        ranked.append(order)
        expected.append(ndcg_score([gains], [scores[rows]], k=7))
    found = tag_ndcg(np.array(ranked), queries, tags, among=among, apart=artists if filtered else None)
    assert found.tolist() == pytest.approx(expected, abs=1e-6)


def test_a_short_list_gains_less_and_a_query_without_tags_nothing():
    tags = np.array([[1, 0], [1, 0], [1, 0], [0, 0]], dtype=bool)
    found = tag_ndcg(np.array([[1, 2], [0, -1], [0, 1]]), np.array([0, 1, 3]), tags, among=ALL[:4])
    assert found[:2].tolist() == pytest.approx([1.0, 1 / (1 + 1 / np.log2(3))]) and np.isnan(found[2])


def test_a_mix_needs_a_near_tempo_and_a_compatible_key():
    bpm = np.array([120.0, 126.0, 128.0, 60.5, 239.0])
    tonality = keys("A minor", "C major", "E minor", "Eb minor", "A minor")  # -, relative, neighbour, far, same
    ranked, query = np.array([[1, 2, 3, 4]]), np.array([0])
    assert tempo_compatible(ranked, query, bpm).tolist() == [0.75]
    assert key_compatible(ranked, query, tonality).tolist() == [0.75]
    assert mixable(ranked, query, bpm, tonality).tolist() == [0.5]
    bpm[1], tonality[4] = np.nan, -1
    assert tempo_compatible(ranked, query, bpm).tolist() == [pytest.approx(2 / 3)]
    assert key_compatible(ranked, query, tonality).tolist() == [pytest.approx(2 / 3)]
    assert mixable(ranked, query, bpm, tonality).tolist() == [0.0]  # rows 2 and 3, of which both are known
    assert key_compatible(np.array([[0]]), np.array([4]), tonality) == pytest.approx([np.nan], nan_ok=True)


def test_the_energy_error_is_a_mean_of_levels():
    energy = np.array([5.0, 7.0, 4.0, np.nan])
    found = energy_error(np.array([[1, 2, 3], [0, -1, 3]]), np.array([0, 1]), energy)
    assert found.tolist() == [1.5, 2.0]


def test_what_stays_is_counted_in_any_order():
    found = overlap(np.array([[1, 2, 3], [1, 2, -1], [-1, -1, -1]]), np.array([[3, 9, 1], [5, 6, -1], [1, 2, 3]]))
    assert found[:2].tolist() == [pytest.approx(2 / 3), 0.0] and np.isnan(found[2])


def test_the_mean_leaves_out_what_is_unknown():
    assert mean_of_known(np.array([[1, np.nan], [np.nan, np.nan]])).tolist() == pytest.approx([1, np.nan], nan_ok=True)
