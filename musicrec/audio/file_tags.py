"""Tags in audio files: ID3 (MP3, WAV, AIFF), Vorbis comments (FLAC, OGG, Opus), APE, and MP4 atoms."""

import os
import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import mutagen
import polars as pl
from mutagen.id3 import ID3
from mutagen.mp4 import MP4Tags
from rich.progress import track

from musicrec.config.number_types import BPM_RANGE, DURATION_RANGE_S
from musicrec.heads.keys import parse_key
from musicrec.system.console import error_console

# The standard names, and those that DJ software and taggers write.
_ID3 = {
    "artist": ("TPE1", "TPE2"), "album": ("TALB",), "title": ("TIT2",), "genre": ("TCON",),
    "bpm": ("TBPM", "TXXX:BPM"), "key": ("TKEY", "TXXX:INITIALKEY", "TXXX:initialkey", "TXXX:KEY"),
}  # fmt: skip
_MP4 = {
    "artist": ("©ART", "aART"), "album": ("©alb",), "title": ("©nam",), "genre": ("©gen",),
    "bpm": ("tmpo", "----:com.apple.iTunes:BPM"),
    "key": ("----:com.apple.iTunes:initialkey", "----:com.apple.iTunes:INITIALKEY", "----:com.apple.iTunes:KEY"),
}  # fmt: skip
_COMMENTS = {
    "artist": ("artist", "albumartist", "album artist"), "album": ("album",), "title": ("title",), "genre": ("genre",),
    "bpm": ("bpm", "tempo"), "key": ("initialkey", "key"),
}  # fmt: skip
_TYPES = {
    **dict.fromkeys(("artist", "album", "title", "genre"), pl.String),
    "bpm": pl.Float64,
    "key": pl.Int8,
    "mode": pl.String,
    "duration_s": pl.Float64,
}
FIELDS = tuple(_TYPES)
_AT_ONCE = 64


def read_tags(paths: Iterable[str], *, progress: bool = True) -> pl.DataFrame:
    """Read the tags of many files.

    A key without a mode is major, as the ID3 standard says. A tempo of 0 counts as missing.

    Args:
        paths: The audio files.
        progress: Show a progress bar for 500 files or more.

    Returns:
        One row per file: `path`, `FIELDS` in the types of a manifest (null if the file does not say), and `problem`,
        which describes tags that could not be read.
    """
    paths = list(paths)
    with ThreadPoolExecutor(_AT_ONCE // 8) as pool:
        rows = pool.map(_row, paths)
        disable = not progress or len(paths) < 500
        shown = track(rows, "Reading tags", total=len(paths), console=error_console(), disable=disable)
        schema = {"path": pl.String, **_TYPES, "problem": pl.String}
        return pl.DataFrame(list(shown), schema=schema, orient="row")


def opened(path: str | os.PathLike) -> mutagen.FileType | None:
    """Open an audio file to read its header and tags.

    Args:
        path: The audio file.

    Returns:
        The file, or None if its format is unknown.

    Raises:
        mutagen.MutagenError: The file is damaged.
        OSError: The file cannot be read.
    """
    try:
        return mutagen.File(path)
    except (mutagen.MutagenError, OSError):
        raise
    except Exception as error:  # some damage makes its parsers fail, for example with an IndexError
        raise mutagen.MutagenError(f"damaged: {error}") from None


def _row(path: str) -> tuple:
    try:
        file = opened(path)
    except (mutagen.MutagenError, OSError) as error:
        return (path, *[None] * len(FIELDS), f"tags cannot be read ({str(error) or type(error).__name__})")
    if file is None:
        return (path, *[None] * len(FIELDS), None)
    text = texts(file.tags)
    problems: list[str] = []
    bpm = _number(text["bpm"], problems)
    pitch_class, mode = _key(text["key"], problems)
    length_s = getattr(file.info, "length", 0) or 0
    shortest_s, longest_s = DURATION_RANGE_S
    length_s = length_s if shortest_s <= length_s <= longest_s else None
    values = (text["artist"], text["album"], text["title"], text["genre"], bpm, pitch_class, mode, length_s)
    return (path, *values, ", ".join(problems) or None)


def texts(tags: mutagen.Tags | None) -> dict[str, str | None]:
    """Return artist, album, title, genre, bpm and key as the file writes them.

    Args:
        tags: The tags of an opened file; None if it has none.

    Returns:
        Text by field; None if the field is missing. If a field has several values, the first one.
    """
    if isinstance(tags, ID3):
        names = _ID3
    elif isinstance(tags, MP4Tags):
        names = _MP4
    else:
        names = _COMMENTS
    return {field: _first(tags, of_field) for field, of_field in names.items()}


def _first(tags: mutagen.Tags | None, names: Iterable[str]) -> str | None:
    for name in names:
        try:
            found = tags[name] if tags is not None else None  # type: ignore[index]
        except (KeyError, ValueError):  # Vorbis comments do not allow every name
            continue
        values = getattr(found, "genres", None) or getattr(found, "text", None) or found  # "(17)" is a genre of ID3v1
        for value in values if isinstance(values, list) else [values]:
            text = value.decode(errors="replace") if isinstance(value, bytes) else str(value or "")
            text = " ".join(text.split(";")[0].replace("\0", " ").split())
            if text:
                return text
    return None


def _number(text: str | None, problems: list[str]) -> float | None:
    if text is None:
        return None
    try:
        bpm = float(text.lower().removesuffix("bpm").strip().replace(",", "."))
    except ValueError:
        bpm = -1.0
    if bpm == 0:
        return None
    if not BPM_RANGE[0] <= bpm <= BPM_RANGE[1]:
        problems.append(f"BPM {text!r}")
        return None
    return bpm


def _key(text: str | None, problems: list[str]) -> tuple[int | None, str | None]:
    """Return pitch class and mode of the first key in a tag such as "8A", "8A - Energy 6" or "Am/Em"."""
    if text is None or text.lower() in ("o", "none", "unknown"):
        return None, None
    named = re.split(r"\s+-\s+|[/,|]", text)[0]
    try:
        pitch_class, mode = parse_key(named)
    except ValueError:
        problems.append(f"key {text!r}")
        return None, None
    return pitch_class, mode or "major"
