"""Read filters as they are written on a command line, such as `--bpm 120-128` or `--key compatible`."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from musicrec.config.number_types import BPM_RANGE, Natural
from musicrec.config.value_check import fits
from musicrec.errors import ConfigError
from musicrec.interchange.key_notation import parse_key_class
from musicrec.programs.option_words import listed
from musicrec.recommend.musical_filters import CAN_BE_UNKNOWN, KEY_WORDS, MusicalFilters
from musicrec.recommend.presets import read_key_table

Limits = tuple[float | None, float | None]

_MULTIPLES = {
    "half": "half",
    "÷2": "half",
    "1/2": "half",
    "double": "double",
    "×2": "double",
    "x2": "double",
    "3:2": "three_to_two",
    "three_to_two": "three_to_two",
    "2:3": "two_to_three",
    "two_to_three": "two_to_three",
}
_LEAST_SECONDS = 30  # below this, a limit without a colon was meant in minutes
_NUMBER = r"\d+(?:\.\d+)?"
_TO = r"\s*(?:-|–|—|\.\.|\bto\b)\s*"
_PLUS_MINUS = r"(?:±|\+/?-)\s*"


def read_filters(
    *,
    base: MusicalFilters | None = None,
    genre: str | None = None,
    bpm: str | None = None,
    multiples: str | None = None,
    key: str | None = None,
    key_table: str | None = None,
    key_shift: bool | None = None,
    key_lock: bool | None = None,
    energy: str | None = None,
    loudness: str | None = None,
    year: str | None = None,
    duration: str | None = None,
    not_artist: Sequence[str] = (),
    not_album: Sequence[str] = (),
    same_recording: bool | None = None,
    max_per_artist: int | None = None,
    keep_unknown: str | None = None,
) -> MusicalFilters:
    """Return filters from the words of options. What is None, or empty, stays as it is in `base`.

    Every option takes "any", which takes the filter of the preset away.

    Args:
        base: The filters of a preset; None for no filters.
        genre: "house,techno"; "same" is the query's.
        bpm: A range, "120-128", "120-" or "-128"; or how far from the query, "6%" or "±6%".
        multiples: "half,double,3:2,2:3", or "own" for none of them.
        key: Keys and relations, "8A", "A minor,C", "compatible", "same,neighbour,semitone".
        key_table: Name or file of a table of compatible keys.
        key_shift: Whether a key a semitone away counts as compatible, as a key shift brings it back.
        key_lock: False for a turntable, on which the tempo moves the key.
        energy: A range, "6-9", or how far from the query, "±1".
        loudness: In LUFS, "-12..-8", or how far from the query in LU, "±3".
        year: "1990-1999", "1994", or how far from the query, "±5".
        duration: "3:00-6:30", "55:00-1:10:00", or in seconds "180-390".
        not_artist: Artists, each a word of its own; "same" is the query's.
        not_album: Albums, in the same way.
        same_recording: Whether other versions of the query's own recording may come.
        max_per_artist: The most tracks of one artist; 0 for any number.
        keep_unknown: Facts, "year,key", or "all": a track that lacks them passes their filters.

    Raises:
        ConfigError: A word cannot be read; the message says what to write.
    """
    base = base or MusicalFilters()
    changed: dict[str, Any] = {}
    if bpm is not None:
        changed |= _range_or_distance(bpm, parse_bpm(bpm), "bpm", "bpm_percent")
    if energy is not None:
        changed |= _range_or_distance(energy, parse_energy(energy), "energy", "energy_within")
    if loudness is not None:
        changed |= _range_or_distance(loudness, parse_loudness(loudness), "loudness", "loudness_within")
    if year is not None:
        changed |= _range_or_distance(year, parse_year(year), "year", "year_within")
    if duration is not None:
        changed["duration_s"] = parse_duration(duration)
    if genre is not None:
        changed["genre"] = () if _is_any(genre) else listed(genre)
    if multiples is not None:
        changed["multiples"] = parse_multiples(multiples)
    if key is not None:
        changed["key"] = parse_keys(key)
    if key_table is not None:
        changed["key_table"] = read_key_table(key_table)
    if key_shift and key_lock is False:
        raise ConfigError("--key-shift and --vinyl: on a turntable the tempo moves the key; leave out one of them")
    if key_shift is not None:
        changed["key_shift"] = key_shift
    if same_recording is not None:
        changed["same_recording"] = same_recording
    if key_lock is not None:
        changed["key_lock"] = key_lock
        if not key_lock:  # what a preset says of a key shift has no meaning there
            changed["key_shift"] = False
            if key is None:
                changed["key"] = tuple(word for word in base.key if word != "semitone")
            elif "semitone" in changed["key"]:
                raise ConfigError(
                    f"--key {key}: with --vinyl the tempo moves the key, so there is no key shift by a semitone; "
                    "leave out one of them"
                )
    for name, words in (("not_artist", not_artist), ("not_album", not_album)):
        if words:
            changed[name] = () if any(map(_is_any, words)) else tuple(words)
    if max_per_artist is not None:
        if not fits(max_per_artist, Natural):
            raise ConfigError(f"--max-per-artist {max_per_artist}: give a whole number; 0 for any number of tracks")
        changed["max_per_artist"] = max_per_artist or None
    if keep_unknown is not None:
        changed["keep_unknown"] = parse_keep_unknown(keep_unknown)
    return replace(base, **changed)


def parse_bpm(text: str) -> Limits | float | None:
    """Read a range of tempi, or how many percent a tempo may be from the query's.

    Returns:
        The range, the percent, or None for any tempo.

    Raises:
        ConfigError: It is neither.
    """
    hint = "give a range, as in 120-128, 120- or -128, or how far it may be from the query, as in 6%"
    percent = re.fullmatch(rf"(?:{_PLUS_MINUS})?({_NUMBER})\s*%", text.strip())
    if percent:
        if not 0 < float(percent[1]) < 100:
            raise ConfigError(f"--bpm {text}: give a percentage above 0 and below 100, as in 6%")
        return float(percent[1])
    if re.fullmatch(rf"{_PLUS_MINUS}{_NUMBER}", text.strip()):
        raise ConfigError(f"--bpm {text}: with a percent sign, as in {text.strip()}%; or give a range, as in 120-128")
    if _is_any(text):
        return None
    found = _range("--bpm", text, hint)
    low, high = BPM_RANGE
    if (found[0] or low) > high or (high if found[1] is None else found[1]) < low:
        raise ConfigError(f"--bpm {text}: music has between {low:g} and {high:g} BPM; {hint}")
    return found


def parse_energy(text: str) -> Limits | float | None:
    """Read a range of energies from 1 to 10, or how far an energy may be from the query's; None for any.

    Raises:
        ConfigError: It is neither.
    """
    hint = "give a range from 1 to 10, as in 6-9, 6- or -4, or how far it may be from the query, as in ±1"
    found = _range_or_number("--energy", text, hint)
    if isinstance(found, tuple) and not all(end is None or 1 <= end <= 10 for end in found):
        raise ConfigError(f"--energy {text}: {hint}")
    return found


def parse_loudness(text: str) -> Limits | float | None:
    """Read a range of loudness in LUFS, which are negative, or how many LU it may be from the query's; None for any.

    Raises:
        ConfigError: It is neither.
    """
    hint = "give a range in LUFS, as in -12..-8, -12.. or ..-8, or how far it may be from the query, as in ±3"
    return _range_or_number("--loudness", text, hint, signed=True)


def parse_year(text: str) -> Limits | float | None:
    """Read a range of years, a single year, or how many years it may be from the query's; None for any.

    Raises:
        ConfigError: It is none of these.
    """
    hint = "give years, as in 1990-1999, 1990-, -1999 or 1994, or how far it may be from the query, as in ±5"
    if re.fullmatch(r"\d{4}", text.strip()):
        return float(text), float(text)
    found = _range_or_number("--year", text, hint)
    ends = [end for end in found if end is not None] if isinstance(found, tuple) else []
    if any(end < 1000 or end % 1 for end in ends):
        raise ConfigError(f"--year {text}: {hint}")
    return found


def parse_duration(text: str) -> Limits | None:
    """Read a range of lengths in minutes and seconds, with hours before them or not, or in seconds; None for any.

    Raises:
        ConfigError: It is none.
    """
    hint = "give a range of lengths, as in 3:00-6:30, 3:00-, -6:30 or 55:00-1:10:00, or in seconds, as in 180-390"
    if _is_any(text):
        return None
    length = rf"\d+:[0-5]\d:[0-5]\d|\d+:[0-5]\d|{_NUMBER}"
    match = re.fullmatch(rf"({length})?{_TO}({length})?", text.strip())
    if match is None or not (match[1] or match[2]):
        raise ConfigError(f"--duration {text}: {hint}")
    low, high = (None if end is None else _seconds(end) for end in match.groups())
    if ":" not in text and (low or 0) < _LEAST_SECONDS > (high or 0):
        raise ConfigError(f"--duration {text}: these are seconds; for minutes, write them as in 3:00-6:30")
    return _ordered("--duration", text, low, high)


def parse_multiples(text: str) -> tuple[str, ...]:
    """Read at which multiples of its tempo a track counts, besides its own.

    Raises:
        ConfigError: It names another multiple.
    """
    words = [word.lower() for word in listed(text) if word.lower() not in ("own", "none")]
    for word in words:
        if word not in _MULTIPLES:
            raise ConfigError(f"--multiples {text}: {word!r}: choose from: half, double, 3:2, 2:3; or own for none")
    return tuple(dict.fromkeys(_MULTIPLES[word] for word in words))


def parse_keys(text: str) -> tuple[str, ...]:
    """Read keys and relations to the query's key; none of them for any key.

    Raises:
        ConfigError: A word is neither.
    """
    if _is_any(text):
        return ()
    keys = []
    for word in listed(text):
        relation = word.lower().replace("-", "_").replace(" ", "_")
        if relation in KEY_WORDS:
            keys.append(relation)
        elif parse_key_class(word) is not None:
            keys.append(word)
        else:
            raise ConfigError(
                f"--key {text}: {word!r} is no key; give keys such as 8A, 1m or A minor, or words: "
                f"{', '.join(KEY_WORDS)}"
            )
    if not keys:
        raise ConfigError(f"--key {text}: give keys such as 8A, 1m or A minor, or words: {', '.join(KEY_WORDS)}")
    return tuple(keys)


def parse_keep_unknown(text: str) -> tuple[str, ...]:
    """Read the facts that a track may lack; "all" for all of them, "none" for none.

    Raises:
        ConfigError: There is no such fact.
    """
    if text.strip().lower() == "all":
        return CAN_BE_UNKNOWN
    if text.strip().lower() == "none":
        return ()
    words = ["duration_s" if word == "duration" else word for word in listed(text)]
    for word in words:
        if word not in CAN_BE_UNKNOWN:
            known = ", ".join("duration" if name == "duration_s" else name for name in CAN_BE_UNKNOWN)
            raise ConfigError(f"--keep-unknown {text}: {word!r}: choose from: {known}; or all")
    return tuple(words)


def _range_or_distance(text: str, found: Limits | float | None, absolute: str, relative: str) -> dict[str, Any]:
    """Return both settings of a fact, one of which takes the place of the other."""
    is_range = isinstance(found, tuple)
    return {absolute: found if is_range else None, relative: None if is_range else found}


def _range_or_number(option: str, text: str, hint: str, *, signed: bool = False) -> Limits | float | None:
    if _is_any(text):
        return None
    distance = re.fullmatch(rf"{_PLUS_MINUS}({_NUMBER})", text.strip())
    return float(distance[1]) if distance else _range(option, text, hint, signed=signed)


def _range(option: str, text: str, hint: str, *, signed: bool = False) -> Limits:
    number = rf"-?{_NUMBER}" if signed else _NUMBER
    match = re.fullmatch(rf"({number})?{_TO}({number})?", text.strip())
    alone = match is not None and not (match[1] and match[2])
    # "-8" may be meant as a number: where numbers have signs, a minus leaves no end open.
    if match is None or not (match[1] or match[2]) or (signed and alone and ".." not in text and "to" not in text):
        raise ConfigError(f"{option} {text}: {hint}")
    low, high = (None if end is None else float(end) for end in match.groups())
    return _ordered(option, text, low, high)


def parse_place(text: str) -> float:
    """Return a place in a track, "1:20", "1:02:03" or "80", in seconds.

    Raises:
        ConfigError: It is none.
    """
    if not re.fullmatch(rf"(\d+:[0-5]\d|\d+):[0-5]\d|{_NUMBER}", text.strip()):
        raise ConfigError(f"--at {text}: give a place in minutes and seconds, as in 1:20, or in seconds, as in 80")
    return float(sum(60**power * float(part) for power, part in enumerate(reversed(text.strip().split(":")))))


def _ordered(option: str, text: str, low: float | None, high: float | None) -> Limits:
    if low is not None and high is not None and low > high:
        raise ConfigError(f"{option} {text}: give the lower limit first")
    return low, high


def _seconds(text: str) -> float:
    total = 0.0
    for part in text.split(":"):  # hours, minutes, seconds
        total = 60 * total + float(part)
    return total


def _is_any(text: str) -> bool:
    return text.strip().lower() == "any"
