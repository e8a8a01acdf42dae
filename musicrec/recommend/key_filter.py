"""Which keys may sound after that of a query: keys by name, relations to its key, and what a table calls compatible."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from musicrec.errors import ConfigError
from musicrec.heads.keys import KEYS_24, RELATIONS, camelot_relations
from musicrec.interchange.key_notation import parse_key_class
from musicrec.recommend.key_relations import KeyTable, transpose

KEY_RELATIONS = {
    "same": ("same",),
    "neighbour": ("neighbour",),
    "relative": ("relative",),
    "diagonal": ("diagonal",),
    "two_steps": ("two_steps", "whole_tone_up"),
    "whole_tone_up": ("whole_tone_up",),
    "semitone_up": ("semitone_up",),
}
"""{relation that a filter can ask for: the `RELATIONS` that it takes in}."""
KEY_WORDS = ("compatible", *KEY_RELATIONS, "semitone")
"""What a filter by key takes besides keys."""


def check_keys(words: Sequence[str]) -> None:
    """Check that words name keys, or relations to a key.

    Raises:
        ConfigError: One does not.
    """
    for word in words:
        if word not in KEY_WORDS and parse_key_class(word) is None:
            raise ConfigError(
                f"filters.key: {word!r} is no key; give a key such as A minor, 8A or 1m, or one of: "
                f"{', '.join(KEY_WORDS)}"
            )


@dataclass(frozen=True, kw_only=True)
class KeyFilter:
    """Which keys may sound.

    Attributes:
        words: Keys and relations to the query's key, as for `MusicalFilters.key`; so are the others.
        least: From this score on, a key is compatible.
        table: The score of each relation of two keys.
        shift: Whether "compatible" counts on a key shift: then the query's key, a semitone away, always is.
    """

    words: Sequence[str]
    least: float
    table: KeyTable
    shift: bool

    def allowed(self, key: int | None) -> np.ndarray | None:
        """Return which keys may sound, (24,) bool in the order of `KEYS_24`; None if any may.

        Args:
            key: The query's key, a place in `KEYS_24`. If it is None, only keys that are named count, and if none is,
                any key may sound.
        """
        allowed, asked = np.zeros(len(KEYS_24), dtype=bool), False
        for word in self.words:
            if word not in KEY_WORDS:
                asked = True
                allowed[parse_key_class(word) or 0] = True  # `check_keys` has seen that it is a key
            elif key is not None:
                asked = True
                allowed |= self._related(word)[key]
        return allowed if asked else None

    def _related(self, word: str) -> np.ndarray:
        """Return which keys go with which by a word, (24, 24) bool, rows the query's key."""
        if word == "compatible":
            scores = self.table.scores_with_shift if self.shift else self.table.scores
            compatible: np.ndarray = scores >= np.float32(self.least)
            return compatible | self._related("semitone") if self.shift else compatible
        if word == "semitone":
            keys = np.arange(len(KEYS_24))
            return (keys == transpose(keys, 1)[:, None]) | (keys == transpose(keys, -1)[:, None])
        return np.isin(camelot_relations(), [RELATIONS.index(name) for name in KEY_RELATIONS[word]])
