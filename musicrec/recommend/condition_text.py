"""A condition in words, for people."""

import math

from musicrec.recommend.conditions import Condition, Range
from musicrec.recommend.key_relations import CAMELOT_24

_UNITS = {"bpm": " BPM", "loudness": " LUFS"}
_NAMES = {"bpm": "", "energy": "energy ", "loudness": "loudness ", "year": "year ", "duration_s": "length "}
_MOST = 8  # names of a kind


def condition_texts(condition: Condition) -> list[str]:
    """Return what a condition asks for, one short text per part, such as "119–134 BPM" and "key 8A, 9A, 7A or 8B".

    Args:
        condition: The condition.
    """
    found = []
    for name, ranges in condition.ranges.items():
        unknown = " or unknown" if name in condition.keep_unknown else ""
        shown = _either([_range(name, one) for one in ranges]) or "none"
        found.append(f"{_NAMES[name]}{shown}{_UNITS.get(name, '')}{unknown}")
    for name, values in condition.among.items():
        names = [CAMELOT_24[key] for key in sorted(values)] if name == "key" else sorted(map(str, values))
        found.append(f"{name} {_either(names) or 'none'}{' or unknown' if name in condition.keep_unknown else ''}")
    for name, values in condition.not_among.items():
        if name != "recording":
            found.append(f"not the {name} {_either(sorted(map(str, values)))}")
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
        return f"{int(value) // 60}:{int(value) % 60:02}"
    return f"{value:.0f}" if name == "year" else f"{value:.1f}".removesuffix(".0")


def _either(names: list[str]) -> str:
    if len(names) > _MOST:
        names = [*names[:_MOST], f"{len(names) - _MOST} more"]
    return " or ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)
