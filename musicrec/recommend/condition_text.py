"""A condition in words, for people."""

import math
from collections.abc import Iterable

from musicrec.recommend.conditions import Condition, Range
from musicrec.recommend.key_relations import CAMELOT_24
from musicrec.recommend.wording import length_text

_UNITS = {"bpm": " BPM", "loudness": " LUFS"}
_NAMES = {"bpm": "", "energy": "energy ", "loudness": "loudness ", "year": "year ", "duration_s": "length "}
_MOST = 8  # names of a kind


def condition_texts(condition: Condition) -> list[str]:
    """Return what a condition asks for, one short text per part, such as "119–134 BPM" and "key 7A, 8A, 8B or 9A".

    Args:
        condition: The condition.
    """
    found = []
    for name, ranges in condition.ranges.items():
        unknown = " or unknown" if name in condition.keep_unknown else ""
        shown = either([_range(name, one) for one in ranges]) or "none"
        found.append(f"{_NAMES[name]}{shown}{_UNITS.get(name, '')}{unknown}")
    for name, values in condition.among.items():
        names = camelot_codes(values) if name == "key" else sorted(map(str, values))
        found.append(f"{name} {either(names) or 'none'}{' or unknown' if name in condition.keep_unknown else ''}")
    for name, values in condition.not_among.items():
        if name != "recording":
            found.append(f"not the {name} {either(sorted(map(str, values)))}")
    return found


def _range(name: str, limits: Range) -> str:
    low, high = (_number(name, end) for end in limits)
    if low == high:
        return low
    if math.isinf(limits[0]):
        return f"up to {high}"
    if math.isinf(limits[1]):
        return f"from {low}"
    return f"{low} to {high}" if limits[0] < 0 else f"{low}–{high}"


def _number(name: str, value: float) -> str:
    if math.isinf(value):
        return ""
    if name == "duration_s":
        return length_text(value)
    return f"{value:.0f}" if name == "year" else f"{value:.1f}".removesuffix(".0")


def camelot_codes(keys: Iterable[int]) -> list[str]:
    """Return the Camelot codes of keys, around the wheel.

    Args:
        keys: Places in `KEYS_24`.
    """
    return sorted((CAMELOT_24[key] for key in keys), key=lambda code: (int(code[:-1]), code[-1]))


def either(names: list[str]) -> str:
    """Return names as alternatives, "8A, 9A or 9B"; of many, the first ones and how many there are."""
    if len(names) > _MOST:
        names = [*names[:_MOST], f"{len(names) - _MOST} more"]
    return " or ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)
