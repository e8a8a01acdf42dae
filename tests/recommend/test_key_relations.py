"""How keys follow each other."""

import numpy as np
import pytest

from musicrec.errors import ConfigError
from musicrec.heads.keys import camelot_compatibility, key_index, parse_key
from musicrec.recommend.key_relations import KeyTable, relation_text, transpose


def key(code: str) -> int:
    return key_index(*parse_key(code))


def test_without_the_boost_of_a_semitone_it_is_the_usual_table():
    np.testing.assert_allclose(KeyTable(semitone_up=0.1).scores, camelot_compatibility(), rtol=1e-6)


@pytest.mark.parametrize(
    ("after", "name", "text"),
    [
        ("8A", "same", "same key"),
        ("9A", "neighbour", "neighbour on the Camelot wheel"),
        ("7A", "neighbour", "neighbour on the Camelot wheel"),
        ("8B", "relative", "relative major"),
        ("9B", "diagonal", "diagonal on the Camelot wheel"),
        ("6A", "two_steps", "two steps on the Camelot wheel"),
        ("10A", "whole_tone_up", "energy boost of a whole tone"),
        ("3A", "semitone_up", "energy boost of a semitone"),
        ("2B", "other", "keys that do not go together"),
    ],
)
def test_each_setting_is_the_score_of_its_relation(after, name, text):
    scores = KeyTable(**{name: 0.37}, transposed=0).scores
    assert scores[key("8A"), key(after)] == pytest.approx(0.37)
    assert relation_text(key("8A"), key(after)) == text


def test_relations_hold_around_the_end_of_the_wheel():
    scores = KeyTable(neighbour=0.33, whole_tone_up=0.22, two_steps=0.11).scores
    assert scores[key("12B"), key("1B")] == scores[key("1B"), key("12B")] == pytest.approx(0.33)
    assert scores[key("11A"), key("1A")] == pytest.approx(0.22)
    assert scores[key("1A"), key("11A")] == pytest.approx(0.11)


def test_whole_tone_and_semitone_are_what_they_say():
    """A minor is 8A, B minor 10A, and B flat minor 3A."""
    assert transpose(np.array([key("8A")]), 2) == key("10A") and transpose(np.array([key("8A")]), 1) == key("3A")
    assert transpose(np.array([-1, 23]), 1).tolist() == [-1, 12]


def test_transposing_by_a_semitone():
    """8A after 3A: a semitone down, so the same key once it is moved up."""
    table = KeyTable(transposed=0.5)
    pair = key("3A"), key("8A")
    assert (table.scores[pair], table.scores_with_shift[pair], table.shifts[pair]) == (np.float32(0.1), 0.5, 1)
    pair = key("8A"), key("9A")
    assert (table.scores_with_shift[pair], table.shifts[pair]) == (np.float32(0.9), 0)
    assert not KeyTable(transposed=0).shifts.any()


def test_a_score_outside_0_to_1_is_refused():
    with pytest.raises(ConfigError, match=r"keys.relative=1.5: give a number from 0 to 1"):
        KeyTable(relative=1.5)
