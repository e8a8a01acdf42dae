"""The values of musical filters as users write them: ranges, and names of genres, artists and albums."""

import math
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from musicrec.config.number_types import BPM_RANGE
from musicrec.errors import ConfigError
from musicrec.recommend.conditions import Range
from musicrec.recommend.tag_bits import unknown_name
from musicrec.recommend.track import folded

SAME = "same"
"""Stands for the query's own genre, artist or album."""

_LIMITS = {"bpm": BPM_RANGE, "energy": (1.0, 10.0), "year": (0.0, math.inf), "duration_s": (0.0, math.inf)}


def checked_range(name: str, given: Any) -> Range | None:
    """Return the range of a filter with numbers as its ends; None for none.

    Args:
        name: The filter.
        given: Two numbers, or None for an open end; None for no filter.

    Raises:
        ConfigError: It is no range, or out of the limits of the filter.
    """
    if given is None:
        return None
    ends = [given] if isinstance(given, str | int | float) else list(given)
    fits = len(ends) == 2 and all(
        end is None or (isinstance(end, int | float) and not isinstance(end, bool) and not math.isnan(end))
        for end in ends
    )
    low, high = (ends[0], ends[1]) if fits else (None, None)
    low, high = -math.inf if low is None else float(low), math.inf if high is None else float(high)
    lowest, highest = _LIMITS.get(name, (-math.inf, math.inf))
    if not fits or low > high or high < lowest or low > highest or (low, high) == (-math.inf, math.inf):
        limits = f" between {lowest:g} and {highest:g}" if name in _LIMITS and math.isfinite(highest) else ""
        raise ConfigError(
            f"filters.{name}={given}: give a range [low, high]{limits}; null instead of a number leaves that end open"
        )
    return low, high


def check_words(name: str, words: Iterable[str], choices: Sequence[str]) -> None:
    """Check that a filter names only what it can.

    Args:
        name: The filter.
        words: What it names.
        choices: What it can name.

    Raises:
        ConfigError: A word is none of the choices.
    """
    for word in words:
        if word not in choices:
            raise ConfigError(f"filters.{name}: {word!r} is none of them; choose from: {', '.join(choices)}")


def resolved(words: Sequence[str], own: str) -> set[str]:
    """Return the names that words stand for.

    Args:
        words: Names; "same" is the query's own, if that is known.
        own: The query's own name; "" if it is unknown.
    """
    return {own if word == SAME else word for word in words} - {""}


def in_any_case(names: Collection[str], known: Collection[str]) -> set[str]:
    """Return the names of a library that are those that were given, in capital or small letters.

    Args:
        names: The names.
        known: Those of the library.
    """
    wanted = {folded(name) for name in names}
    return {name for name in known if folded(name) in wanted}


def spelled(names: Iterable[str], known: Collection[str]) -> set[str]:
    """Return genres as the library spells them.

    Args:
        names: The genres, in any case.
        known: The genres of the library.

    Raises:
        ConfigError: The library does not have one of them.
    """
    by_lower = {name.lower(): name for name in known}
    for name in names:
        if name.lower() not in by_lower:
            raise ConfigError(
                f"{unknown_name('genre', name, sorted(known))}. This is the strongest genre of a track; --tags takes "
                "any of its tags"
            )
    return {by_lower[name.lower()] for name in names}
