"""Conditions on the facts and tags of a track, as data: each store compiles them to what it searches with.

A condition says nothing about how it is evaluated. `Condition.mask` evaluates it on arrays; a store with a query
language writes the same parts in that language. What needs the order of the results, or arithmetic on several facts of
one track, is no condition: see `musical_filters`.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from musicrec.errors import ConfigError
from musicrec.heads.keys import KEYS_24
from musicrec.recommend.columns import Columns
from musicrec.recommend.tag_bits import TagBits

RANGE_COLUMNS = ("bpm", "energy", "loudness", "year", "duration_s")
"""The columns of numbers; unknown is NaN, and -1 for a year."""

TEXT_COLUMNS = ("genre", "artist", "album")
"""The columns of text, compared letter by letter; unknown is ""."""

AMONG_COLUMNS = ("key", *TEXT_COLUMNS, "recording")
"""The columns that are compared with a set. Keys are places in `KEYS_24`; an unknown key or recording is -1."""

_FEW_TEXTS = 3
_FEW = 16  # so many comparisons of a column are faster than a look-up in a table

Range = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Condition:
    """What must hold for a track; all parts must.

    **Unknown values.** A track of which a limited column (`ranges`, `among`) is unknown fails, unless `keep_unknown`
    names the column. An exclusion (`not_among`) never excludes what is unknown: a track without an artist is not known
    to be by the artist that is not wanted.

    Attributes:
        ranges: {column of `RANGE_COLUMNS`: ranges (low, high)}: the value lies in one of the ranges, limits included.
            Infinity leaves an end open. Limits are compared in single precision, as values are kept. Without a range,
            no known value passes.
        among: {column of `AMONG_COLUMNS`: values}: the value is one of these.
        not_among: {column of `AMONG_COLUMNS`: values}: the value is none of these.
        tags_any: Groups of tags: the track has at least one tag of each group. A list of names is one group.
        tags_all: Tags that the track has.
        tags_none: Tags that the track does not have.
        keep_unknown: Columns whose unknown values pass.

    Raises:
        ConfigError: There is no such column, or a range is none.
    """

    ranges: Mapping[str, Sequence[Range]] = field(default_factory=dict)
    among: Mapping[str, Collection] = field(default_factory=dict)
    not_among: Mapping[str, Collection] = field(default_factory=dict)
    tags_any: Sequence[str] | Sequence[Sequence[str]] = ()
    tags_all: Sequence[str] = ()
    tags_none: Sequence[str] = ()
    keep_unknown: Collection[str] = frozenset()

    def __post_init__(self) -> None:
        names = {
            "ranges": (self.ranges, RANGE_COLUMNS),
            "among": (self.among, AMONG_COLUMNS),
            "not_among": (self.not_among, AMONG_COLUMNS),
            "keep_unknown": (self.keep_unknown, (*RANGE_COLUMNS, *AMONG_COLUMNS)),
        }
        for part, (given, known) in names.items():
            for name in given:
                if name not in known:
                    raise ConfigError(f"condition.{part}: no column {name!r}; choose from: {', '.join(known)}")
        ranges = {name: tuple(_checked(name, one) for one in some) for name, some in self.ranges.items()}
        groups: tuple[Any, ...] = tuple(self.tags_any)
        if groups and isinstance(groups[0], str):
            groups = (groups,)
        normal = {
            "ranges": ranges,
            "among": {name: frozenset(values) for name, values in self.among.items()},
            "not_among": {name: frozenset(values) for name, values in self.not_among.items() if values},
            "tags_any": tuple(tuple(group) for group in groups),
            "tags_all": tuple(self.tags_all),
            "tags_none": tuple(self.tags_none),
            "keep_unknown": frozenset(self.keep_unknown),
        }
        for name, value in normal.items():
            object.__setattr__(self, name, value)

    @property
    def limited(self) -> frozenset[str]:
        """The columns that the condition limits, so that it matters whether their values are known."""
        return frozenset(self.ranges) | frozenset(self.among)

    def __bool__(self) -> bool:
        """Return whether the condition asks for anything."""
        return bool(self.limited or self.not_among or self.tags_any or self.tags_all or self.tags_none)

    def __and__(self, other: "Condition") -> "Condition":
        """Return the condition that both hold. What one of them does not let pass as unknown fails."""
        ranges = {**self.ranges, **other.ranges}
        for name in self.ranges.keys() & other.ranges.keys():
            ranges[name] = _overlaps(self.ranges[name], other.ranges[name])
        among = {**self.among, **other.among}
        for name in self.among.keys() & other.among.keys():
            among[name] = frozenset(self.among[name]) & frozenset(other.among[name])
        excluded = {
            name: frozenset(self.not_among.get(name, ())) | frozenset(other.not_among.get(name, ()))
            for name in {**self.not_among, **other.not_among}
        }
        return Condition(
            ranges=ranges,
            among=among,
            not_among=excluded,
            tags_any=_once([*self.tags_any, *other.tags_any]),
            tags_all=_once([*self.tags_all, *other.tags_all]),
            tags_none=_once([*self.tags_none, *other.tags_none]),
            keep_unknown={
                name
                for name in self.limited | other.limited
                if all(name in part.keep_unknown for part in (self, other) if name in part.limited)
            },
        )

    def mask(self, columns: Columns, tags: TagBits | None = None) -> np.ndarray:
        """Return which tracks the condition holds for, (tracks,) bool.

        Args:
            columns: The facts of the tracks.
            tags: Their tags, in the same order; None if the library has no tags.

        Raises:
            ConfigError: The condition asks for a tag that the library does not know.
        """
        passed = np.ones(len(columns), dtype=bool)
        for name, ranges in self.ranges.items():
            passed &= self._in_ranges(columns, name, ranges)
        if self.tags_any or self.tags_all or self.tags_none:
            known = tags if tags is not None else TagBits((), np.zeros((len(columns), 0), np.uint8))
            for group in self.tags_any:
                passed &= known.any(group)
            if self.tags_all:
                passed &= known.all(self.tags_all)
            if self.tags_none:
                passed &= ~known.any(self.tags_none)
        sets = [(name, values, True) for name, values in self.among.items()]
        sets += [(name, values, False) for name, values in self.not_among.items()]
        # Texts last: without codes they are slow to compare, so only those of the tracks that are left are.
        for name, values, wanted in sorted(sets, key=lambda one: one[0] in TEXT_COLUMNS):
            keep = wanted and name in self.keep_unknown
            if name in TEXT_COLUMNS and not columns.has_codes(name):
                rows = np.flatnonzero(passed)
                accepted = {*values, ""} if keep else set(values) - {""}
                texts = getattr(columns, name)
                passed[rows] = _is_text(texts if len(rows) == len(texts) else texts[rows], accepted) == wanted
            else:
                passed &= _is_among(columns, name, values, unknown=keep) == wanted
        return passed

    def to_dict(self) -> dict[str, Any]:
        """Return the condition in plain JSON types; parts that ask for nothing are left out. An open end is None."""
        parts = {
            "ranges": {
                name: [[_finite(low), _finite(high)] for low, high in some] for name, some in self.ranges.items()
            },
            "among": {name: sorted(values) for name, values in self.among.items()},
            "not_among": {name: sorted(values) for name, values in self.not_among.items()},
            "tags_any": [list(group) for group in self.tags_any],
            "tags_all": list(self.tags_all),
            "tags_none": list(self.tags_none),
            "keep_unknown": sorted(self.keep_unknown),
        }
        return {name: value for name, value in parts.items() if value}

    @classmethod
    def from_dict(cls, parts: Mapping[str, Any]) -> "Condition":
        """Return the condition that `to_dict` wrote.

        Raises:
            ConfigError: A part or a column does not exist, or a range is none.
        """
        known = tuple(cls.__dataclass_fields__)
        for name in parts:
            if name not in known:
                raise ConfigError(f"condition.{name}: no such part; choose from: {', '.join(known)}")
        return cls(**parts)

    def _in_ranges(self, columns: Columns, name: str, ranges: Sequence[Range]) -> np.ndarray:
        values = getattr(columns, name)
        unknown = values < 0 if name == "year" else np.isnan(values)
        found = unknown.copy() if name in self.keep_unknown else np.zeros(len(values), dtype=bool)
        if name == "year":  # -1, unknown, lies in no range
            values = np.where(unknown, np.float32(np.nan), values)
        for low, high in ranges:
            if low == -math.inf and high == math.inf:
                found |= ~unknown
            elif low == -math.inf:
                found |= values <= np.float32(high)
            elif high == math.inf:
                found |= values >= np.float32(low)
            else:
                found |= (values >= np.float32(low)) & (values <= np.float32(high))
        return found


def _is_text(texts: np.ndarray, accepted: Collection[str]) -> np.ndarray:
    if len(accepted) > _FEW_TEXTS:
        return np.array([text in accepted for text in texts.tolist()], dtype=bool)
    found = np.zeros(len(texts), dtype=bool)
    for text in accepted:
        found |= texts == text
    return found


def _is_among(columns: Columns, name: str, wanted: Collection, *, unknown: bool) -> np.ndarray:
    """Return which tracks have one of some values; `unknown` for those whose value is unknown."""
    values: np.ndarray
    if name in TEXT_COLUMNS:
        coded = columns.text_codes(name)
        values, size = coded.codes, len(coded.numbers)
        numbers = [coded.numbers[text] for text in wanted if text in coded.numbers]
    elif name == "key":
        values, size = columns.key, len(KEYS_24)
        numbers = [key for key in wanted if 0 <= key < size]
    else:
        values, size = columns.recording, 0
        numbers = [number for number in wanted if number >= 0]
        if len(numbers) > _FEW:
            found = np.isin(values, numbers)
            return found | (values < 0) if unknown else found
    if len(numbers) > _FEW:
        table = np.zeros(size + 1, dtype=bool)  # the last one is for -1, unknown
        table[numbers], table[-1] = True, unknown
        return table[values]
    found = values < 0 if unknown else np.zeros(len(values), dtype=bool)
    for number in numbers:
        found |= values == number
    return found


def _checked(name: str, limits: Any) -> Range:
    try:
        low, high = (
            default if end is None else float(end) for end, default in zip(limits, (-math.inf, math.inf), strict=True)
        )
    except (TypeError, ValueError):
        raise ConfigError(f"condition.ranges.{name}: {limits!r} is no range; give (low, high)") from None
    if not low <= high:
        raise ConfigError(f"condition.ranges.{name}: ({low:g}, {high:g}): give the lower limit first")
    return low, high


def _overlaps(some: Iterable[Range], others: Iterable[Range]) -> tuple[Range, ...]:
    others = tuple(others)
    pairs = [(max(one[0], other[0]), min(one[1], other[1])) for one in some for other in others]
    return _once([(low, high) for low, high in pairs if low <= high])


def _once(items: Iterable) -> tuple:
    return tuple(dict.fromkeys(items))


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
