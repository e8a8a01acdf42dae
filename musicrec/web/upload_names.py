"""What uploads are called: the names that clients give to files, shown and never used as paths; and their ids."""

import re
import secrets
import unicodedata

from musicrec.audio.suffixes import AUDIO_SUFFIXES

_PREFIX = "u-"  # no hash of audio begins so
_LONGEST = 120
_UNSEEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")  # control characters, changes of direction, and the like


def new_upload_id() -> str:
    """Return an id that nobody can guess."""
    return f"{_PREFIX}{secrets.token_hex(12)}"


def is_upload(track_id: str) -> bool:
    """Return whether an id is that of an upload, and not of a track of the library."""
    return track_id.startswith(_PREFIX)


def shown_name(name: str) -> str:
    """Return the name of an upload as it is shown.

    Args:
        name: What the client says: perhaps a path, of any length, with any characters.

    Returns:
        One line of at most 120 characters, the end with the suffix included; "upload" if nothing is left.
    """
    last = re.split(r"[/\\]", name[-4096:])[-1]
    spaced = "".join(" " if char.isspace() else char for char in last)
    seen = "".join(char for char in spaced if unicodedata.category(char) not in _UNSEEN)
    text = " ".join(unicodedata.normalize("NFC", seen).split()).lstrip(".").strip()
    if len(text) > _LONGEST:
        stem, dot, suffix = text.rpartition(".")
        kept = f"{dot}{suffix}" if dot and len(suffix) <= 8 else ""
        text = f"{(stem if kept else text)[: _LONGEST - len(kept) - 1].rstrip()}…{kept}"
    return text or "upload"


def safe_suffix(name: str) -> str:
    """Return the suffix of a name if it is that of an audio format, else "".

    Decoders look at it: an MP3 that begins with a tag is told from other files by it.
    """
    dot = name.rfind(".")
    suffix = name[dot:].lower() if dot >= 0 else ""
    return suffix if suffix in AUDIO_SUFFIXES else ""
