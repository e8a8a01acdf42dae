"""Which keys may sound, by Camelot code."""

import numpy as np
import pytest

from musicrec.errors import ConfigError
from musicrec.heads.keys import key_index, parse_key
from musicrec.recommend.key_filter import KeyFilter, check_keys
from musicrec.recommend.key_relations import CAMELOT_24, KeyTable

AM = key_index(*parse_key("A minor"))  # 8A


def codes(allowed: np.ndarray) -> set[str]:
    return {CAMELOT_24[place] for place in np.flatnonzero(allowed)}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["same"], {"8A"}),
        (["neighbour"], {"7A", "9A"}),
        (["relative"], {"8B"}),
        (["semitone"], {"3A", "1A"}),  # B flat minor and A flat minor
        (["two_steps"], {"6A", "10A"}),
        (["5B", "same"], {"5B", "8A"}),
    ],
)
def test_keys_that_go_with_a_minor(words: list[str], expected: set[str]):
    found = KeyFilter(words=words, least=0.5, table=KeyTable(), shift=False).allowed(AM)
    assert found is not None and codes(found) == expected


def test_without_a_key_only_named_ones_count():
    asked = {"least": 0.5, "table": KeyTable(), "shift": False}
    assert KeyFilter(words=["compatible"], **asked).allowed(None) is None
    named = KeyFilter(words=["5B", "compatible"], **asked).allowed(None)
    assert named is not None and codes(named) == {"5B"}


def test_what_is_no_key():
    check_keys(["8A", "A minor", "1m", "relative"])
    with pytest.raises(ConfigError, match="'8C' is no key"):
        check_keys(["8A", "8C"])
