"""Conditions in the SQL that LanceDB understands."""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from musicrec.errors import ConfigError
from musicrec.recommend.tag_bits import unknown_name

if TYPE_CHECKING:
    from musicrec.recommend.conditions import Condition

_AT_ONCE = 1000  # values in a statement


def literal(value: Any) -> str:
    """Return a text or a number as SQL."""
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return repr(value)


def is_one_of(column: str, values: Sequence[Any]) -> str:
    """Return the condition that a column has one of some values."""
    return f"{column} IN ({', '.join(literal(value) for value in values)})" if values else "false"


def in_parts(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Yield so many values at a time that a statement does not become too long."""
    for start in range(0, len(values), _AT_ONCE):
        yield values[start : start + _AT_ONCE]


def condition_sql(condition: "Condition", *, tags: Mapping[str, str], genre: Mapping[str, int]) -> str:
    """Return a condition on the rows of the table `summaries`, "" if it asks for nothing.

    Args:
        condition: What must hold.
        tags: {name: column} of the tags.
        genre: {name: number} of the genres.

    Raises:
        ConfigError: The condition asks for a tag that the library does not know.
    """
    keep, parts = condition.keep_unknown, []
    for name, ranges in condition.ranges.items():
        among = " OR ".join(_in_range(name, low, high) for low, high in ranges) or "false"
        parts.append(f"({among} OR {name} IS NULL)" if name in keep else f"({among})")
    for name, values in condition.among.items():
        parts.append(_among(name, values, genre=genre, keep=name in keep))
    for name, values in condition.not_among.items():
        if values:
            parts.append(f"NOT {_among(name, values, genre=genre, keep=False)}")
    parts += [_any(group, tags) for group in condition.tags_any]
    parts += [f"{_tag(name, tags)} = true" for name in condition.tags_all]
    parts += [f"{_tag(name, tags)} = false" for name in condition.tags_none]
    return " AND ".join(parts)


def _in_range(name: str, low: float, high: float) -> str:
    """Return that a value is in a range. Limits are compared in single precision, as values are kept."""
    limits = [(">=", low, math.ceil), ("<=", high, math.floor)]
    parts = [
        f"{name} {sign} {inwards(limit) if name == 'year' else float(np.float32(limit))!r}"
        for sign, limit, inwards in limits
        if math.isfinite(limit)
    ]
    return f"({' AND '.join(parts)})" if parts else f"{name} IS NOT NULL"


def _among(name: str, values: Collection[Any], *, genre: Mapping[str, int], keep: bool) -> str:
    if name == "genre":
        numbers = sorted(genre[value] for value in values if value in genre)
        found = is_one_of("genre", [*numbers, -1] if keep else numbers)
    elif name in ("key", "recording"):
        numbers = sorted(int(value) for value in values if value >= 0)
        found = is_one_of("version" if name == "recording" else name, [*numbers, -1] if keep else numbers)
    else:
        # A comparison with null is null, also if it is negated.
        texts = sorted(value for value in values if value)
        unknown = "IS NULL OR" if keep else "IS NOT NULL AND"
        return f"({name} {unknown} {is_one_of(name, texts)})"
    return f"({found})"


def _any(names: Sequence[str], tags: Mapping[str, str]) -> str:
    return f"({' OR '.join(f'{_tag(name, tags)} = true' for name in names) or 'false'})"


def _tag(name: str, tags: Mapping[str, str]) -> str:
    if name not in tags:
        raise ConfigError(unknown_name("tag", name, list(tags)))
    return tags[name]
