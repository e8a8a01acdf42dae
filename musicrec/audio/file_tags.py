"""Tags in audio files: artist, album, title, genre, tempo, key and length, as taggers and DJ software write them."""

import base64
import contextlib
import json
import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import polars as pl
from rich.progress import track

from musicrec.audio.file_header import FileHeader, read_header
from musicrec.config.number_types import BPM_RANGE, DURATION_RANGE_S
from musicrec.errors import AudioError
from musicrec.heads.keys import parse_key
from musicrec.system.console import error_console

# The standard names, and those that DJ software and taggers write, as `FileHeader.values` spells them.
_NAMES = {
    "artist": ("artist", "albumartist"), "album": ("album",), "title": ("title",), "genre": ("genre",),
    "bpm": ("bpm", "tbpm", "tempo", "beatsperminute"), "key": ("initialkey", "key", "tkey"),
    "year": ("year", "date", "originaldate", "originalyear"),
}  # fmt: skip
_TYPES = {
    **dict.fromkeys(("artist", "album", "title", "genre"), pl.String),
    "bpm": pl.Float64,
    "key": pl.Int8,
    "mode": pl.String,
    "duration_s": pl.Float64,
}
FIELDS = tuple(_TYPES)
_THREADS, _SHOWN = 8, 80
_LONGEST = 1000  # characters of a text; damaged tags may hold millions
_NO_KEY = frozenset(
    {"o", "-", "--", "?", "all", "none", "no key", "n/a", "unknown", "off key", "offkey", "off-key", "atonal"}
)
_ON_WHEEL = re.compile(r"(?:0?[1-9]|1[0-2])\s*[ABDM](?![^\W_])", re.IGNORECASE)
# What ends the first key: another key, an energy, a deviation in cents, a code on a wheel.
_NEXT = re.compile(r"\s+-\s+|\s*[+−-]\s*\d|[/,|\\]|\s+(?=\d)")


def read_tags(paths: Iterable[str], *, progress: bool = True) -> pl.DataFrame:
    """Read the tags of many files.

    A key without a mode is major, as the ID3 standard says. A tempo of 0 counts as missing.

    Args:
        paths: The audio files.
        progress: Show a progress bar for 500 files or more.

    Returns:
        One row per file: `path`, `FIELDS` in the types of a manifest (null if the file does not say), `year`, in which
        the track was released, and `problem`, which describes tags that could not be read.
    """
    paths = list(paths)
    with ThreadPoolExecutor(_THREADS) as pool:
        rows = pool.map(_row, paths)
        disable = not progress or len(paths) < 500
        shown = track(rows, "Reading tags", total=len(paths), console=error_console(), disable=disable)
        schema = {"path": pl.String, **_TYPES, "year": pl.Int32, "problem": pl.String}
        return pl.DataFrame(list(shown), schema=schema, orient="row")


def _row(path: str) -> tuple:
    try:
        header = read_header(path)
    except AudioError as error:
        return (path, *[None] * len(FIELDS), None, str(error).removeprefix(f"{path}: "))
    text = {field: _first(header, names) for field, names in _NAMES.items()}
    problems: list[str] = []
    bpm = _bpm(text["bpm"], problems)
    pitch_class, mode = _key(text["key"], problems)
    shortest_s, longest_s = DURATION_RANGE_S
    length_s = header.length_s if shortest_s <= (header.length_s or 0) <= longest_s else None
    values = (text["artist"], text["album"], text["title"], text["genre"], bpm, pitch_class, mode, length_s)
    return (path, *values, _year(text["year"]), ", ".join(problems) or None)


def _first(header: FileHeader, names: Iterable[str]) -> str | None:
    """Return the first text under one of the names; if it lists several values, the first one."""
    for name in names:
        for value in header.values.get(name, ()):
            text = " ".join(value[:_LONGEST].split(";")[0].replace("\0", " ").split())
            if text:
                return text
    return None


def _bpm(text: str | None, problems: list[str]) -> float | None:
    """Return a tempo such as "128.00", "128,5" or "128 BPM"; None for 0 and for what is no tempo."""
    if text is None:
        return None
    number = re.fullmatch(r"(\d+(?:[.,]\d*)?)\s*(?:bpm)?", text.strip("\"' "), re.IGNORECASE)
    bpm = float(number[1].replace(",", ".")) if number else -1.0
    slowest, fastest = BPM_RANGE
    if bpm > fastest and bpm.is_integer():  # some programs write hundredths: 12800 for 128
        bpm /= 100
    if bpm == 0:
        return None
    if not slowest <= bpm <= fastest:
        problems.append(f"BPM {text[:_SHOWN]!r}")
        return None
    return bpm


def _year(text: str | None) -> int | None:
    """Return the year of a date such as "1998" or "1998-05-04"."""
    found = re.search(r"(?<!\d)(?:1[5-9]|20)\d\d(?!\d)", text or "")
    return int(found[0]) if found else None


def _key(text: str | None, problems: list[str]) -> tuple[int | None, str | None]:
    """Return pitch class and mode of the first key in a tag; (None, None) if it says that there is none."""
    if text is None or text.lower() in _NO_KEY:
        return None, None
    try:
        pitch_class, mode = first_key(text)
    except ValueError:
        problems.append(f"key {text[:_SHOWN]!r}")
        return None, None
    return pitch_class, mode or "major"


def first_key(text: str) -> tuple[int, str | None]:
    """Read the first key in a tag such as ``8A (Am)``, ``A#m +50``, ``Am/Em``, ``8A - Energy 6`` or ``G#/Ab min``.

    Mixed In Key also writes a key as JSON in base64.

    Args:
        text: The text of the tag.

    Returns:
        Pitch class and mode; the mode is None if the text names none.

    Raises:
        ValueError: The text does not begin with a key.
    """
    if text.startswith("eyJ"):  # {" in base64
        text = str(json.loads(base64.b64decode(text)).get("key"))
    on_wheel = _ON_WHEEL.match(text)
    if on_wheel is not None:
        return parse_key(on_wheel[0])
    named = re.sub(r"\(.*?\)|\[.*?\]", " ", text).strip() or text.strip("()[] ")
    first, *others = _NEXT.split(named)
    pitch_class, mode = parse_key(first)
    if mode is None and others:
        with contextlib.suppress(ValueError):
            other_class, other_mode = parse_key(others[0])
            mode = other_mode if other_class == pitch_class else None  # two names of one key
    return pitch_class, mode
