"""Paths of files in the collections of other computers.

Paths are text with "/" between folders, whatever the system. A path of Windows begins with a drive ("C:/Music") or with
a server ("//nas/music").
"""

import os
import re
from collections.abc import Iterable, Mapping

from musicrec.errors import ConfigError
from musicrec.system.file_names import one_spelling

_DRIVE = re.compile(r"[A-Za-z]:/")
_UNREADABLE = re.compile("[\ud800-\udfff]")


def of_windows(path: str) -> bool:
    """Return whether a path begins with a drive of Windows or with a server."""
    return bool(_DRIVE.match(path)) or (path.startswith("//") and not path.startswith("///"))


def with_slashes(path: str) -> str:
    """Return a path of Windows with "/" between folders; other paths, which may hold backslashes, as they are."""
    return path.replace("\\", "/") if re.match(r"[A-Za-z]:[\\/]|\\\\", path) else path


def absolute(path: str) -> str:
    """Return an absolute path; one of Windows is returned as it is."""
    path = with_slashes(path)
    return path if of_windows(path) else os.path.abspath(path)


def parse_relocations(texts: Iterable[str]) -> dict[str, str]:
    """Read the places to which folders have moved.

    Args:
        texts: Such as "C:/Users/me/Music=/mnt/music"; the first "=" divides.

    Returns:
        {old folder: new folder}.

    Raises:
        ConfigError: A text has no "=", or nothing beside it.
    """
    moved = {}
    for text in texts:
        old, equals, new = text.partition("=")
        if not (equals and old.strip() and new.strip()):
            raise ConfigError(f"relocate={text}: write OLD=NEW, as in C:/Users/me/Music=/mnt/music")
        moved[old.strip()] = new.strip()
    return moved


def relocated(path: str, moved: Mapping[str, str]) -> str:
    """Return the path of a file whose folder has moved; the longest old folder that contains it counts.

    Drives and servers of Windows do not distinguish upper and lower case; accents may be one character or two.

    Args:
        path: The path in the collection.
        moved: {old folder: new folder}, from `parse_relocations`.
    """
    for old in sorted(moved, key=len, reverse=True):
        folder = with_slashes(old).rstrip("/") + "/"
        inside = _below(path, folder)
        if inside is not None:
            return f"{with_slashes(os.path.expanduser(moved[old])).rstrip('/')}/{inside}"
    return path


def _below(path: str, folder: str) -> str | None:
    """Return the rest of a path below a folder, None if it is elsewhere."""
    if path.startswith(folder):
        return path[len(folder) :]
    depth = folder.count("/")
    parts = path.split("/")
    above, inside = "/".join(parts[:depth]) + "/", "/".join(parts[depth:])
    same = one_spelling(above), one_spelling(folder)
    if of_windows(folder):
        same = same[0].casefold(), same[1].casefold()
    return inside if same[0] == same[1] and inside else None


def has_undecoded_bytes(path: str) -> bool:
    """Return whether the name of a file is not text in UTF-8, so that no format can hold it."""
    return bool(_UNREADABLE.search(path))
