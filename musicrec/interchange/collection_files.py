"""Find the reader for the collection of a DJ program."""

import os
from collections.abc import Mapping

from musicrec.interchange.collection import Collection
from musicrec.interchange.rekordbox import read_rekordbox
from musicrec.interchange.traktor import read_traktor

_READERS = {".xml": read_rekordbox, ".nml": read_traktor}


def is_collection(path: str | os.PathLike) -> bool:
    """Return whether a path has the suffix of a collection (rekordbox XML, Traktor NML) and is no folder."""
    return os.path.splitext(path)[1].lower() in _READERS and not os.path.isdir(path)


def read_collection(path: str | os.PathLike, *, relocate: Mapping[str, str] | None = None) -> Collection:
    """Read a collection of rekordbox (.xml) or Traktor (.nml).

    Args:
        path: The file.
        relocate: {old folder: new folder} for files that are elsewhere on this computer.

    Returns:
        The collection. Files need not exist.

    Raises:
        PlaylistError: The file cannot be read, is damaged or cut off, or is something else.
    """
    return _READERS[os.path.splitext(path)[1].lower()](path, relocate=relocate)
