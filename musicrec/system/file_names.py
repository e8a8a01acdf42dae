"""Spellings of file names: an accent may be stored as one character (Unicode NFC) or as two (NFD).

macOS used to store NFD, most other systems store NFC, and tables and command lines hold either. Both spellings are one
name. A file that exists under the very characters that are asked for takes precedence.
"""

import os
from collections.abc import Iterable, Mapping
from unicodedata import normalize


def one_spelling(name: str) -> str:
    """Return a name with every accent as one character, so that both spellings of a name are equal."""
    return normalize("NFC", name)


def known_names(names: Iterable[str]) -> dict[str, str]:
    """Return {spelling: name}, to be searched with `find_name`."""
    names = list(names)
    return {one_spelling(name): name for name in names} | {name: name for name in names}


def find_name(name: str, known: Mapping[str, str]) -> str | None:
    """Return the name that is meant, None if it is unknown.

    Args:
        name: The name in any spelling.
        known: The result of `known_names`.
    """
    return known.get(name, known.get(one_spelling(name)))


def on_disk(paths: Iterable[str]) -> list[str]:
    """Return paths as the disk spells them; a path that does not exist in any spelling is returned as it is.

    Every folder is read once at most, and only if it holds a path with another spelling.

    Args:
        paths: Paths in any spelling.
    """
    folders: dict[str, dict[str, str]] = {}

    def names_in(folder: str) -> dict[str, str]:
        if folder not in folders:
            try:
                folders[folder] = known_names(os.listdir(folder or "."))
            except OSError:
                folders[folder] = {}
        return folders[folder]

    def find(path: str) -> str | None:
        if os.path.lexists(path):
            return path
        above, name = os.path.split(path)
        folder = find(above) if above not in ("", path) else above
        if not name or folder is None:  # an empty name follows a slash at the end
            return folder or None
        found = find_name(name, names_in(folder))
        return None if found is None else os.path.join(folder, found)

    return [path if path.isascii() else find(path) or path for path in paths]


def path_on_disk(path: str | os.PathLike) -> str:
    """Return a single path as `on_disk` does."""
    return on_disk([os.fspath(path)])[0]
