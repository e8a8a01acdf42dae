"""What feedback does to a ranking. Expected values are worked out by hand, in two dimensions."""

import numpy as np
import pytest

from musicrec.recommend.profiles.taste import learn_taste
from musicrec.recommend.profiles.taste_ranking import rerank
from musicrec.recommend.profiles.taste_settings import TasteSettings
from tests.recommend.profiles.said import CROSS, known


def test_without_feedback_nothing_moves():
    similarity = np.array([0.1, 0.9, 0.5, 0.5])
    answer = rerank(similarity, CROSS, known([], []), query=0)
    assert answer.scores.tolist() == similarity.tolist() and answer.strength == 0
    assert answer.before.tolist() == answer.after.tolist() == [4, 1, 2, 3]
    assert [(move.row, move.change) for move in answer.moves(2)] == [(1, 0), (2, 0)]


def test_strength_grows_with_evidence():
    settings = TasteSettings(strength=0.6, evidence_half=3)
    assert [settings.strength_of(amount) for amount in (0, 3, 9)] == pytest.approx([0, 0.3, 0.45])
    answer = rerank(np.zeros(4), CROSS, known([0], [1]), settings=settings)
    assert answer.strength == pytest.approx(0.15) and answer.amount == 1
    assert answer.taste == pytest.approx(0.15 * learn_taste(CROSS, known([0], [1])).scores(CROSS))


def test_a_like_lifts_what_is_near_and_says_so():
    similarity = np.array([0.0, 0.30, 0.31, 0.2])
    vectors = np.array([[1, 0], [0.8, 0.6], [-1, 0], [0, -1]], dtype=np.float32)
    answer = rerank(similarity, vectors, known([0], [1]), eligible=np.array([False, True, True, True]))
    assert answer.before.tolist() == [0, 2, 1, 3] and answer.after.tolist() == [0, 1, 2, 3]
    first, second = answer.moves(1)
    assert (first.row, first.before, first.after, first.change > 0) == (1, 2, 1, True)
    assert (second.row, second.before, second.after, second.change < 0) == (2, 1, 2, True)
    assert answer.scores[0] == -np.inf


def test_what_is_banned_is_never_recommended_even_if_it_is_most_similar():
    answer = rerank(np.array([1.0, 0.2, 0.1, 0.0]), CROSS, known([0], [-1]))
    assert answer.scores[0] == -np.inf and answer.before[0] == 1 and answer.after[0] == 0
    gone = answer.moves(1)[-1]
    assert (gone.row, gone.before, gone.after, gone.change) == (0, 1, None, None)


def test_a_remembered_pair_comes_up_after_its_track_and_only_there():
    settings = TasteSettings(pair_bonus=0.3, ridge=1e9)
    pair = known([], [], pairs=[[0, 3]])
    assert rerank(np.zeros(4), CROSS, pair, query=0, settings=settings).metric == pytest.approx(
        [0, 0, 0, 0.3], abs=1e-6
    )
    assert rerank(np.zeros(4), CROSS, pair, query=3, settings=settings).metric == pytest.approx([0] * 4, abs=1e-6)
    assert rerank(np.zeros(4), CROSS, pair, settings=settings).metric.tolist() == [0] * 4


def test_the_metric_moves_other_tracks_of_the_query():
    """The weights of `test_a_metric_from_one_pair_by_hand`, minus 1, times the products with the query."""
    vectors = np.array([[0.8, 0.6], [0.6, -0.8], [1, 0], [0, 1]], dtype=np.float32)
    answer = rerank(np.zeros(4), vectors, known([], [], pairs=[[0, 1]]), query=vectors[2])
    learnt = 0.48 / 0.9216 * np.array([0.8, 0.6, 1, 0])
    assert answer.metric == pytest.approx(0.5 / 11 * np.tanh(learnt / 0.5))  # one pair of ten has 1/11 of the strength


def test_what_others_like_is_blended_in_by_its_share():
    others = np.array([0.0, 1.0, 0.0, -1.0])
    alone = rerank(np.zeros(4), CROSS, known([0], [1]))
    both = rerank(np.zeros(4), CROSS, known([0], [1]), others=others, others_share=0.25)
    assert both.taste == pytest.approx(0.75 * alone.taste + 0.25 * alone.strength * others)
