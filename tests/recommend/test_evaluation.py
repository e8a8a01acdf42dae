"""How good a ranking is, on a library in which everything can be counted by hand."""

import dataclasses

import numpy as np
import pytest

from musicrec.audio.remark import Remark
from musicrec.evaluation.bootstrap import Bootstrap
from musicrec.recommend.evaluation import candidates, chance, mixable, nearest, same_label, share
from musicrec.recommend.exact_search import ExactSearch
from musicrec.recommend.similarity import Similarity


def search_of(tracks: list) -> ExactSearch:
    values = {name: np.stack([track.probabilities[name] for track in tracks]) for name in tracks[0].probabilities}
    return ExactSearch(tracks, values)


def test_the_nearest_are_neither_the_query_nor_copies_nor_silent(make_track, heads: dict):
    tracks = [make_track(name, bpm=bpm) for name, bpm in zip("abcd", (120, 121, 122, 150), strict=True)]
    copy = dataclasses.replace(tracks[0], path="/music/copy.wav", track_id="copy")
    silent = dataclasses.replace(make_track("s", bpm=120), remarks=(Remark("it is silent", unreliable=True),))
    search = search_of([*tracks, copy, silent])
    assert candidates(search).tolist() == [True, True, True, True, False, False]
    found = nearest(search, Similarity([heads["tempo"]]), k=2)
    assert found.tolist() == [[1, 2], [2, 0], [1, 0], [2, 1]]
    with pytest.raises(ValueError, match="k=4 nearest tracks of 4"):
        nearest(search, Similarity([heads["tempo"]]), k=4)


def test_shares_of_equal_labels_are_counted():
    queries, labels = np.array([0, 1, 2, 3]), ["x", "x", "x", "y"]
    found = same_label(np.array([[1, 2], [0, 3], [3, 0], [0, 1]]), queries, labels)
    assert found.tolist() == [1.0, 0.5, 0.5, 0.0]
    assert chance(queries, labels).tolist() == pytest.approx([2 / 3, 2 / 3, 2 / 3, 0.0])


def test_a_mix_needs_a_near_tempo_and_a_compatible_key(make_track, heads: dict):
    others = [
        ("near, relative", 126.0, "C major"),
        ("too fast, neighbour", 128.0, "E minor"),
        ("half, far", 60.5, "Eb minor"),
        ("double, same", 239.0, "A minor"),
    ]
    search = search_of([make_track("query"), *(make_track(name, bpm=bpm, key=key) for name, bpm, key in others)])
    shares = mixable(np.array([[1, 2, 3, 4]]), np.array([0]), search, heads)
    assert {name: of.tolist() for name, of in shares.items()} == {"tempo": [0.75], "key": [0.75], "both": [0.5]}
    assert mixable(np.array([[1]]), np.array([0]), search, {"key": heads["key"]}) == {}


def test_the_interval_is_that_of_a_mean():
    """Of 400 queries, half with 1 and half with 0, the standard error is 0.025."""
    found = share(np.tile([0.0, 1.0], 200), Bootstrap(resamples=2000))
    assert found.value == 0.5
    assert (found.low, found.high) == pytest.approx((0.5 - 1.96 * 0.025, 0.5 + 1.96 * 0.025), abs=0.006)
