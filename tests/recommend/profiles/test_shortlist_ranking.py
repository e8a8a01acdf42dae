"""A shortlist with feedback, compared with the ranking of a whole library and with what was planted."""

import time
from datetime import datetime, timedelta, timezone

import numpy as np
import pytest

from musicrec.recommend.columns import Columns
from musicrec.recommend.profiles.evidence import evidence
from musicrec.recommend.profiles.records import Event
from musicrec.recommend.profiles.shortlist_ranking import KnownTracks, never_again, rerank_shortlist
from musicrec.recommend.profiles.taste_ranking import rerank
from musicrec.recommend.profiles.taste_settings import TasteSettings

NOW = datetime(2026, 11, 30, tzinfo=timezone.utc)


def columns_of(vectors: np.ndarray) -> Columns:
    count = len(vectors)
    facts = {name: np.full(count, np.nan) for name in ("bpm", "energy", "loudness", "duration_s")}
    texts = {name: np.full(count, "") for name in ("artist", "album", "genre")}
    return Columns(key=np.full(count, -1), year=np.full(count, -1), vectors=vectors, **facts, **texts)


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def library() -> np.ndarray:
    """(400, 16) vectors in four clusters of 100: rows 0 to 99, 100 to 199 …."""
    generator = np.random.default_rng(1)
    centres = generator.normal(size=(4, 16))
    return unit(np.repeat(centres, 100, axis=0) + 0.6 * generator.normal(size=(400, 16)))


def name(row: int) -> str:
    return f"track {row}"


def event(kind: str, row: int, *, after: int | None = None, days: float = 0.0) -> Event:
    before = {} if after is None else {"after_hash": name(after), "after_title": f"T{after}"}
    return Event(kind=kind, audio_hash=name(row), title=f"T{row}", at=NOW - timedelta(days=days), **before)


def known_of(library: np.ndarray, rows: list[int]) -> KnownTracks:
    return KnownTracks(audio_hashes=[name(row) for row in rows], vectors=library[rows], sample=library)


def test_it_is_the_ranking_of_the_whole_library(library):
    """What is known of liked tracks outside of the shortlist counts as if they were in it."""
    events = [event("liked", 3), event("liked", 7, days=90), event("disliked", 205), event("paired", 12, after=350),
              event("skipped", 320, after=350)]  # fmt: skip
    similarity = np.random.default_rng(2).uniform(0, 1, 400)
    shortlist = np.arange(10, 60)
    rows = {name(row): row for row in range(400)}
    eligible = np.isin(np.arange(400), shortlist)
    whole = rerank(similarity, library, evidence(events, rows, now=NOW), query=350, eligible=eligible)
    done = rerank_shortlist(
        columns_of(library[shortlist]),
        [name(row) for row in shortlist],
        similarity[shortlist],
        events=events,
        known=known_of(library, [3, 7, 205, 12, 350, 320]),
        query_hash=name(350),
        now=NOW,
    )
    np.testing.assert_allclose(done.scores, whole.scores[shortlist], atol=1e-6)
    assert done.amount == pytest.approx(whole.amount) and done.strength == pytest.approx(whole.strength)
    assert [shortlist[row] for row in done.order] == list(np.argsort(-whole.scores[shortlist]) + 10)


def test_likes_pull_their_kind_and_say_why(library):
    shortlist = [*range(110, 120), *range(10, 20)]
    done = rerank_shortlist(
        columns_of(library[shortlist]),
        [name(row) for row in shortlist],
        np.linspace(0.60, 0.50, 20),
        events=[event("liked", row) for row in range(5)],
        known=known_of(library, list(range(5))),
        now=NOW,
    )
    assert all(row >= 10 for row in done.order[:8]), "the liked cluster is first"
    up = [move for move in done.moves if move.after is not None and move.after < move.before]
    assert len(up) >= 8 and all(move.reason.startswith("sounds like T") for move in up)
    assert all(move.reason.endswith(", which you like") for move in up)
    assert up[0].audio_hash == name(shortlist[up[0].row]) and up[0].change > 0.05


def test_dislikes_and_pairs(library):
    shortlist = list(range(20, 40))
    events = [event("disliked", 20), event("paired", 39, after=300), event("skipped", 21, after=300)]
    done = rerank_shortlist(
        columns_of(library[shortlist]),
        [name(row) for row in shortlist],
        np.linspace(0.60, 0.55, 20),
        events=events,
        known=known_of(library, [300]),
        query_hash=name(300),
        k=20,
        now=NOW,
    )
    reasons = {move.audio_hash: move for move in done.moves}
    assert reasons[name(20)].after is None and reasons[name(20)].reason == "never again, as you said"
    assert 0 not in done.order and done.scores[0] == -np.inf
    assert done.order[0] == 19 and "works after T300, as you said" in reasons[name(39)].reason
    if name(21) in reasons:
        assert "you skipped it after T300" in reasons[name(21)].reason


@pytest.mark.parametrize(
    ("kinds", "said"),
    [
        ({"paired"}, {"fits the pairs that you remembered", "does not fit the pairs that you remembered"}),
        ({"skipped"}, {"like what you skipped", "unlike what you skipped"}),
        ({"paired", "skipped"}, {"fits your pairs and skips", "does not fit your pairs and skips"}),
    ],
)
def test_a_reason_names_what_the_metric_was_learnt_from(library, kinds, said):
    shortlist = list(range(20, 60))
    events = [
        event(kind, row, after=300) for kind, rows in (("paired", [110, 120]), ("skipped", [210, 220]))
        for row in rows if kind in kinds
    ]  # fmt: skip
    done = rerank_shortlist(
        columns_of(library[shortlist]),
        [name(row) for row in shortlist],
        np.linspace(0.60, 0.59, 40),
        events=events,
        known=known_of(library, [110, 120, 210, 220, 300]),
        query_hash=name(300),
        k=40,
        now=NOW,
    )
    learnt = {part for move in done.moves for part in move.reason.split("; ")
              if "pairs" in part or part.endswith("what you skipped")}  # fmt: skip
    assert learnt and learnt <= said


def test_a_skip_is_not_called_an_opinion(library):
    shortlist = [*range(110, 120), *range(10, 20)]
    done = rerank_shortlist(
        columns_of(library[shortlist]),
        [name(row) for row in shortlist],
        np.linspace(0.60, 0.59, 20),
        events=[event("skipped", 5, after=300), event("skipped", 110, after=300), event("played", 12)],
        known=known_of(library, [5, 300]),
        k=20,
        now=NOW,
    )
    reasons = " / ".join(move.reason for move in done.moves)
    assert "which you skipped" in reasons and "like it" not in reasons and "which you do not like" not in reasons


def test_three_clicks_do_not_turn_an_answer_over(library):
    """Two likes and a skip, of other sound than the query: the first five hardly change."""
    shortlist = list(range(10, 60))
    scores = np.linspace(0.85, 0.60, 50)  # as far apart as the answers of a real library

    def kept(events: list) -> int:
        done = rerank_shortlist(
            columns_of(library[shortlist]),
            [name(row) for row in shortlist],
            scores,
            events=events,
            known=known_of(library, [90, *range(100, 400, 10)]),
            query_hash=name(12),
            now=NOW,
        )
        return len(set(done.order[:5].tolist()) & set(range(5)))

    few = [event("liked", 110), event("liked", 210), event("skipped", 90, after=12)]
    assert kept(few) >= 4


def test_a_remembered_pair_is_said_also_where_it_does_not_move(library):
    shortlist = list(range(20, 30))
    done = rerank_shortlist(
        columns_of(library[shortlist]),
        [name(row) for row in shortlist],
        np.linspace(0.9, 0.1, 10),
        events=[event("paired", 20, after=300)],
        known=known_of(library, [300]),
        query_hash=name(300),
        now=NOW,
    )
    assert (done.moves[0].row, done.moves[0].before, done.moves[0].after) == (0, 1, 1)
    assert done.moves[0].reason.startswith("works after T300, as you said")


def test_without_feedback_nothing_moves(library):
    scores = np.linspace(0.5, 0.9, 30)
    done = rerank_shortlist(
        columns_of(library[:30]),
        [name(row) for row in range(30)],
        scores,
        events=[],
        known=known_of(library, []),
        now=NOW,
    )
    np.testing.assert_array_equal(done.scores, scores)
    assert done.moves == () and done.amount == 0 and list(done.order) == list(range(29, -1, -1))


def test_a_query_that_is_in_no_library(library):
    done = rerank_shortlist(
        columns_of(library[:30]),
        [name(row) for row in range(30)],
        np.zeros(30),
        events=[event("paired", 5, after=6)],
        known=known_of(library, [5, 6]),
        query_vector=library[50],
        now=NOW,
    )
    assert np.isfinite(done.scores).all()


def test_others(library):
    liking = np.zeros(10)
    liking[9] = 1.0
    done = rerank_shortlist(
        columns_of(library[:10]),
        [name(row) for row in range(10)],
        np.zeros(10),
        events=[event("liked", 399)],
        known=known_of(library, [399]),
        others=liking,
        others_share=1.0,
        now=NOW,
    )
    assert done.order[0] == 9 and done.others


def test_never_again():
    events = [event("disliked", 1, days=900), event("disliked", 2, days=3), event("liked", 2, days=2)]
    assert never_again(events) == {name(1)} and never_again([]) == frozenset()


@pytest.mark.slow
def test_ten_likes_in_a_large_library_are_quick():
    """Beside 100,000 tracks; the limit is generous, for a busy machine."""
    generator = np.random.default_rng(3)
    library = unit(generator.normal(size=(100_000, 64)))
    shortlist = generator.choice(100_000, 400, replace=False)
    columns, hashes = columns_of(library[shortlist]), [name(row) for row in shortlist]
    events = [event("liked", row) for row in range(10)]
    times = []
    for _ in range(5):
        begin = time.perf_counter()
        rerank_shortlist(
            columns, hashes, np.zeros(400), events=events, known=known_of(library, list(range(10))), now=NOW,
            settings=TasteSettings(),
        )  # fmt: skip
        times.append(time.perf_counter() - begin)
    assert min(times) < 0.1
