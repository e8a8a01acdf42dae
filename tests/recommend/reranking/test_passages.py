"""How well passages of two tracks fit."""

import numpy as np
import pytest

from musicrec.errors import ConfigError
from musicrec.export.passages import Passages
from musicrec.recommend.passage_statistics import PassageStatistics
from musicrec.recommend.reranking.passages import match_passages

PLAIN = PassageStatistics(mean=np.zeros(3), whitening=np.eye(3))
X, Y, Z = np.eye(3, dtype=np.float32)


def passages(*values: np.ndarray, length_s: float = 15.0) -> Passages:
    starts = np.arange(len(values), dtype=np.float32) * length_s
    return Passages(values=np.array(values, np.float32), start_s=starts, end_s=starts + length_s)


def test_the_last_30_s_meet_the_first_30_s():
    query, track = passages(X, X, Z, X, Y), passages(2 * X, 2 * Y, Z, Z)
    (after,) = match_passages(query, [track], mode="outro_to_intro", statistics=PLAIN)
    assert after.similarity == pytest.approx(1), "the mean of X and Y, both times"
    assert (after.query_s, after.track_s) == ((45.0, 75.0), (0.0, 30.0))
    (before,) = match_passages(query, [track], mode="intro_to_outro", statistics=PLAIN)
    assert before.similarity == pytest.approx(0), "X and Z"
    assert (before.query_s, before.track_s) == ((0.0, 30.0), (30.0, 60.0))


def test_the_best_passages_of_each_track():
    query = passages(X, Y)
    tracks = [passages(Z, Z, Y), passages(-X), passages(Z, X + Y, X + Z)]
    found = match_passages(query, tracks, mode="best", statistics=PLAIN)
    assert [one.similarity for one in found] == pytest.approx([1, 0, 0.5**0.5])
    assert (found[0].query_s, found[0].track_s) == ((15.0, 30.0), (30.0, 45.0))
    assert found[2].track_s[0] == 15.0 and found[2].query_s == (0.0, 15.0), "of equal ones the first"


def test_passages_are_centred_and_whitened():
    statistics = PassageStatistics(mean=np.float32([5, 5, 5]), whitening=np.diag([1, 0.1, 1]))
    query, track = passages(5 + X + 10 * Y), passages(5 + X - 10 * Y)
    (found,) = match_passages(query, [track], mode="best", statistics=statistics)
    assert found.similarity == pytest.approx(0)
    (found,) = match_passages(query, [passages(5 + 0 * X)], mode="best", statistics=statistics)
    assert found.similarity == 0, "a passage without a direction"


def test_a_short_track_is_its_own_beginning_and_end():
    (found,) = match_passages(passages(X, Y), [passages(X)], mode="outro_to_intro", statistics=PLAIN)
    assert (found.query_s, found.track_s) == ((0.0, 30.0), (0.0, 15.0))


def test_unknown_passages_and_those_of_other_models():
    other = passages(np.ones(2))
    assert match_passages(passages(X), [Passages.none(), other], mode="best", statistics=PLAIN) == [None, None]
    assert match_passages(Passages.none(), [passages(X)], mode="best", statistics=PLAIN) == [None]
    assert match_passages(other, [passages(X)], mode="best", statistics=PLAIN) == [None]


def test_an_unknown_mode_is_refused():
    with pytest.raises(ConfigError, match=r"passage=intro: choose outro_to_intro, intro_to_outro or best"):
        match_passages(passages(X), [], mode="intro", statistics=PLAIN)
