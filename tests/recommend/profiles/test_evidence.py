"""What events say. Expected values are worked out by hand."""

from datetime import datetime, timedelta, timezone

import numpy as np
import pytest

from musicrec.recommend.profiles.evidence import evidence
from musicrec.recommend.profiles.records import Event
from musicrec.recommend.profiles.taste_settings import TasteSettings

NOW = datetime(2026, 3, 1, tzinfo=timezone.utc)
ROWS = {name: row for row, name in enumerate("abcdef")}


def event(kind: str, audio_hash: str = "a", *, days: float = 0, **more) -> Event:
    return Event(kind=kind, audio_hash=audio_hash, at=NOW - timedelta(days=days), **more)


def weigh(*events: Event, **settings) -> dict[int, float]:
    found = evidence(events, ROWS, now=NOW, settings=TasteSettings(half_life_days=100, **settings))
    return dict(zip(found.rows.tolist(), found.weights.tolist(), strict=True))


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
