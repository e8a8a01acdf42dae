"""Where libraries are, and which store opens one. A new kind of store is added here (CONTRIBUTING.md)."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import platformdirs

from musicrec.errors import LibraryError
from musicrec.heads import Head
from musicrec.recommend.exports import ExportRef
from musicrec.recommend.library import Library
from musicrec.recommend.sqlite_library import BESIDE, SqliteLibrary
from musicrec.system.lock import wait_for_lock

LIBRARY_VARIABLE = "MUSICREC_LIBRARY"


def default_library() -> Path:
    """Return the file that the commands share: MUSICREC_LIBRARY, or one in the user's data."""
    chosen = os.environ.get(LIBRARY_VARIABLE)
    if chosen:
        return Path(chosen).expanduser().absolute()
    return platformdirs.user_data_path("musicrec") / "library.sqlite"


def exists(path: Path) -> bool:
    """Return whether there is a library, or something else, at a path. A first start that was killed leaves nothing."""
    return os.path.exists(path) and os.path.getsize(path) > 0


def open_library(path: Path) -> Library:
    """Open an existing library.

    Raises:
        LibraryError: There is none, or it cannot be read.
    """
    return SqliteLibrary.open(path)


def create_library(
    path: Path,
    *,
    exports: Sequence[ExportRef],
    heads: Sequence[Head],
    embedding_size: int,
    analysis: Mapping[str, Any],
) -> Library:
    """Create an empty library; see `SqliteLibrary.create`."""
    return SqliteLibrary.create(path, exports=exports, heads=heads, embedding_size=embedding_size, analysis=analysis)


def delete_library(path: Path) -> None:
    """Delete a library and the files beside it."""
    for ending in ("", *BESIDE):
        Path(f"{path}{ending}").unlink(missing_ok=True)


def size_bytes(path: Path) -> int:
    """Return the size of a library on disk in bytes."""
    parts = [Path(f"{path}{ending}") for ending in ("", *BESIDE)]
    return sum(part.stat().st_size for part in parts if part.exists())


@contextmanager
def only_writer(path: Path) -> Iterator[None]:
    """Wait until no other program brings the library up to date, and be the only one meanwhile. Readers do not wait.

    Raises:
        LibraryError: The folder of the library cannot be written.
    """
    note = f"another program is writing {path}; waiting until it ends"
    waiting = wait_for_lock(Path(f"{path}.lock"), note=note)
    try:
        waiting.__enter__()
    except OSError as error:
        raise LibraryError(f"{path} cannot be written: {error.strerror}") from None
    try:
        yield
    finally:
        waiting.__exit__(None, None, None)
