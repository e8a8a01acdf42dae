"""Playlists with hidden tracks."""

import numpy as np
import pytest
from sklearn.metrics import ndcg_score

from musicrec.recommend.evaluation.playlists import (
    HoldOut,
    continuation_ndcg,
    continuation_scores,
    fused,
    hold_out,
    r_precision,
    recall,
)
from musicrec.recommend.evaluation.rankers import Query


def test_a_share_of_each_playlist_is_hidden():
    lists = {"short": [0, 1, 2], "long": [*range(10), 3, 4], "all": range(4)}
    found = {one.name: one for one in hold_out(lists, least=4, share=0.3)}
    assert list(found) == ["all", "long"]
    assert (len(found["long"].hidden), len(found["all"].hidden)) == (3, 1)
    assert sorted([*found["long"].hidden, *found["long"].seeds]) == list(range(10))
    again = {one.name: one.hidden.tolist() for one in hold_out(lists, least=4, share=0.3)}
    assert again == {name: one.hidden.tolist() for name, one in found.items()}
    assert all(len(one.seeds) for one in hold_out(lists, least=2, share=1.0))


def test_the_scores_of_a_continuation():
    found, hidden = np.array([7, 1, 8, 2, 9]), np.array([1, 2, 3])
    assert recall(found, hidden, k=2) == pytest.approx(1 / 3)
    assert recall(found, hidden, k=5) == pytest.approx(2 / 3)
    assert r_precision(found, hidden) == pytest.approx(1 / 3)
    gains, scores = np.isin(np.arange(10), hidden).astype(int), np.zeros(10)
    scores[found] = np.arange(5, 0, -1)
    assert continuation_ndcg(found, hidden, k=5) == pytest.approx(ndcg_score([gains], [scores], k=5))
    assert continuation_ndcg(np.array([3, 1, 2]), hidden, k=5) == 1.0


def test_a_ranker_continues_by_adding_up_its_lists():
    def rank(query: Query, *, among: np.ndarray, k: int) -> np.ndarray:
        order = {0: [2, 3, 4], 1: [4, 3, 5]}[query.row]
        return np.array([row for row in order if among[row]][:k])

    queries = {row: Query(row=row, values={}) for row in (0, 1)}
    among = np.array([True, True, True, True, True, False])
    others = among & (np.arange(6) > 1)
    found = fused(rank)(list(queries.values()), among=others, k=4)
    # 4 is third and first, 3 twice second, 2 first only: 1/61 + 1/63 > 2/62 > 1/61.
    assert found.tolist() == [4, 3, 2]
    held_out = [HoldOut(name="one", seeds=np.array([0, 1]), hidden=np.array([3, 5]))]
    scores = continuation_scores(fused(rank), held_out, queries, among=among, k=2)
    assert scores[0].tolist() == pytest.approx([1.0, 0.0, 1 / np.log2(3)])  # 5 cannot be recommended
