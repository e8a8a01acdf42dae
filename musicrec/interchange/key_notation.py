"""Musical keys as DJ programs write them."""

import re
from functools import lru_cache
from typing import Literal, get_args

from musicrec.errors import ConfigError
from musicrec.heads.keys import MODES, camelot, key_index, parse_key

KeyNotation = Literal["as_written", "camelot", "open_key", "musical"]
# rekordbox and most stores: flats, but for F sharp.
_MUSICAL = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")


@lru_cache(maxsize=4096)
def parse_key_class(text: str) -> int | None:
    """Return the position of a key in `musicrec.heads.keys.KEYS_24`, None if the text is no key.

    Unlike in a table of labels, a note without a mode is major: DJ programs write "C" and "Am".

    Args:
        text: Such as "Am", "F#", "Ebmin", "8A" (Camelot) or "1m" (Open Key).
    """
    try:
        pitch_class, mode = parse_key(text)
    except ValueError:
        return None
    return key_index(pitch_class, mode or "major")


def format_key(key_class: int | None, notation: KeyNotation, *, written: str | None = None) -> str | None:
    """Return a key in a notation.

    Args:
        key_class: Position in `KEYS_24`, None if the key is unknown.
        notation: "camelot" (8A), "open_key" (1m), "musical" (Am, as rekordbox shows it), or "as_written".
        written: The key as the collection writes it; it is kept for "as_written", and if it is no known key.

    Raises:
        ConfigError: There is no such notation.
    """
    if notation not in get_args(KeyNotation):
        raise ConfigError(f"key_notation={notation}: choose one of {', '.join(get_args(KeyNotation))}")
    if key_class is None or (notation == "as_written" and written):
        return written
    pitch_class, mode = key_class % 12, MODES[key_class // 12]
    if notation in ("musical", "as_written"):
        return _MUSICAL[pitch_class] + "m" * (mode == "minor")
    code = re.fullmatch(r"(\d+)([AB])", camelot(pitch_class, mode))
    assert code is not None
    if notation == "camelot":
        return code[0]
    return f"{(int(code[1]) - 8) % 12 + 1}{'m' if mode == 'minor' else 'd'}"  # C major is 8B and 1d
