"""What feedback does to a ranking. Expected values are worked out by hand, in two or three dimensions."""

from datetime import datetime, timedelta, timezone

import numpy as np
import pytest

from musicrec.errors import ConfigError
from musicrec.recommend.profiles.records import Event
from musicrec.recommend.profiles.taste import Evidence, TasteSettings, evidence, learn_metric, learn_taste, rerank

NOW = datetime(2026, 3, 1, tzinfo=timezone.utc)
ROWS = {name: row for row, name in enumerate("abcdef")}
NONE = np.empty((0, 2), dtype=np.int64)


def event(kind: str, audio_hash: str = "a", *, days: float = 0, **more) -> Event:
    return Event(kind=kind, audio_hash=audio_hash, at=NOW - timedelta(days=days), **more)


def weigh(*events: Event, **settings) -> dict[int, float]:
    found = evidence(events, ROWS, now=NOW, settings=TasteSettings(half_life_days=100, **settings))
    return dict(zip(found.rows.tolist(), found.weights.tolist(), strict=True))


def known(rows: list[int], weights: list[float], *, pairs: list = (), skips: list = ()) -> Evidence:
    weights = np.array(weights, dtype=float)
    return Evidence(
        rows=np.array(rows, dtype=np.int64),
        weights=weights,
        banned=np.array(rows, dtype=np.int64)[weights <= -1],
        pairs=np.array(pairs, dtype=np.int64).reshape(-1, 2),
        skips=np.array(skips, dtype=np.int64).reshape(-1, 2),
    )


# Evidence.


def test_an_event_counts_half_after_each_half_life():
    found = weigh(event("liked", "a"), event("liked", "b", days=100), event("liked", "c", days=200))
    assert found == pytest.approx({0: 1, 1: 0.5, 2: 0.25})
    assert weigh(event("disliked", days=100)) == pytest.approx({0: -0.5})
    endless = evidence([event("liked", days=9999)], ROWS, now=NOW, settings=TasteSettings(half_life_days=np.inf))
    assert endless.weights.tolist() == [1]
    assert weigh(event("liked", days=-3)) == {0: 1}, "a clock that runs ahead does not make a like count more"


@pytest.mark.parametrize(("stars", "weight"), [(1, -1), (2, -0.5), (3, 0), (4, 0.5), (5, 1)])
def test_stars(stars: int, weight: float):
    assert weigh(event("rated", rating=stars)) == {0: weight}
    assert len(evidence([event("rated", rating=stars)], ROWS, now=NOW).banned) == 0, "only a dislike bans"


def test_the_last_opinion_counts_and_plays_and_skips_are_added():
    assert weigh(event("liked", days=1), event("disliked")) == {0: -1}
    assert weigh(event("disliked"), event("liked", days=1)) == {0: -1}, "whatever the order of the events"
    assert weigh(event("liked"), event("skipped"), skipped=0.3) == pytest.approx({0: 0.7})
    assert weigh(event("played", days=100), event("played"), played=0.1) == pytest.approx({0: 0.15})
    assert weigh(*[event("played")] * 100, played=0.1, behaviour_most=0.5) == {0: 0.5}
    assert weigh(*[event("skipped")] * 100, behaviour_most=0.5) == {0: -0.5}


def test_what_does_not_count_and_what_is_not_in_the_library_is_left_out():
    events = [event("liked", "x"), event("liked", "a", undone_at=NOW), event("paired", "b", after_hash="x")]
    found = evidence(events, ROWS, now=NOW)
    assert not len(found.rows) and not len(found.pairs) and found.amount == 0


def test_a_dislike_bans_for_ever_and_a_later_like_lifts_it():
    old = event("disliked", days=10_000)
    assert evidence([old], ROWS, now=NOW).banned.tolist() == [0]
    assert evidence([old, event("liked")], ROWS, now=NOW).banned.tolist() == []
    assert evidence([old, event("played"), event("skipped")], ROWS, now=NOW).banned.tolist() == [0]


def test_pairs_and_skips_have_a_direction_and_the_last_word_counts():
    events = [
        event("paired", "b", after_hash="a", days=3),
        event("paired", "a", after_hash="b", days=2),
        event("skipped", "b", after_hash="a", days=1),
        event("skipped", "c", after_hash="a", days=1),
        event("paired", "c", after_hash="a", days=0),
        event("skipped", "d"),
    ]
    found = evidence(events, ROWS, now=NOW)
    assert found.pairs.tolist() == [[1, 0], [0, 2]] and found.skips.tolist() == [[0, 1]]


# Taste.

CROSS = np.array([[1, 0], [0, 1], [-1, 0], [0, -1]], dtype=np.float32)  # its mean is 0


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


# Ranking.


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
    assert answer.metric == pytest.approx(0.48 / 0.9216 * np.array([0.8, 0.6, 1, 0]))


def test_what_others_like_is_blended_in_by_its_share():
    others = np.array([0.0, 1.0, 0.0, -1.0])
    alone = rerank(np.zeros(4), CROSS, known([0], [1]))
    both = rerank(np.zeros(4), CROSS, known([0], [1]), others=others, others_share=0.25)
    assert both.taste == pytest.approx(0.75 * alone.taste + 0.25 * alone.strength * others)


@pytest.mark.parametrize("wrong", [{"half_life_days": 0}, {"strength": -1}, {"focus": 0}, {"most_recordings": 0}])
def test_settings_out_of_range_are_refused(wrong: dict):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        TasteSettings(**wrong)
