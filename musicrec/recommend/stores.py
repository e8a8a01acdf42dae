"""Where libraries are, and which store opens one. A new kind of store is added here (CONTRIBUTING.md).

An address is the path of a file, for a library in SQLite, or the text `lance:FOLDER` or `s3://BUCKET/FOLDER` (also
`gs://` and `az://`), for one in LanceDB.
"""

import importlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import platformdirs

from musicrec.errors import LibraryError
from musicrec.heads import Head
from musicrec.recommend.exports import ExportRef
from musicrec.recommend.library import Library
from musicrec.recommend.sqlite_library import BESIDE, SqliteLibrary
from musicrec.system.lock import wait_for_lock

LIBRARY_VARIABLE = "MUSICREC_LIBRARY"
_LANCE = re.compile(r"lance:|(s3|gs|az)://")


def address(library: str | Path) -> Path | str:
    """Return the address of a library that a user has named."""
    return str(library) if _LANCE.match(str(library)) else Path(library).expanduser()


def default_library() -> Path | str:
    """Return the library that the commands share: MUSICREC_LIBRARY, or a file in the user's data."""
    chosen = os.environ.get(LIBRARY_VARIABLE)
    if chosen:
        found = address(chosen)
        return found if isinstance(found, str) else found.absolute()
    return platformdirs.user_data_path("musicrec") / "library.sqlite"


def exists(path: Path | str) -> bool:
    """Return whether there is a library, or something else, at an address.

    A first start that was killed leaves nothing.
    """
    if isinstance(path, str):
        return _lance(path).exists(path)
    return os.path.exists(path) and os.path.getsize(path) > 0


def open_library(path: Path | str) -> Library:
    """Open an existing library.

    Raises:
        LibraryError: There is none, or it cannot be read.
    """
    if isinstance(path, str):
        return _lance(path).LanceLibrary.open(path)
    return SqliteLibrary.open(path)


def create_library(
    path: Path | str,
    *,
    exports: Sequence[ExportRef],
    heads: Sequence[Head],
    embedding_size: int,
    analysis: Mapping[str, Any],
) -> Library:
    """Create an empty library; see `SqliteLibrary.create`."""
    store = _lance(path).LanceLibrary if isinstance(path, str) else SqliteLibrary
    return store.create(path, exports=exports, heads=heads, embedding_size=embedding_size, analysis=analysis)


def delete_library(path: Path | str) -> None:
    """Delete a library and the files beside it."""
    if isinstance(path, str):
        return _lance(path).delete(path)
    for ending in ("", *BESIDE):
        Path(f"{path}{ending}").unlink(missing_ok=True)


def size_bytes(path: Path | str) -> int:
    """Return the size of a library on disk in bytes."""
    if isinstance(path, str):
        return _lance(path).size_bytes(path)
    parts = [Path(f"{path}{ending}") for ending in ("", *BESIDE)]
    return sum(part.stat().st_size for part in parts if part.exists())


def _lance(address: str) -> ModuleType:
    """Return the module of libraries in LanceDB, an optional package that takes long to import."""
    from musicrec.recommend.lance import package

    package.require(address)
    return importlib.import_module("musicrec.recommend.lance.library")


@contextmanager
def only_writer(path: Path | str) -> Iterator[None]:
    """Wait until no other program brings the library up to date, and be the only one meanwhile. Readers do not wait.

    In an object store, programs wait for each other at each save only.

    Raises:
        LibraryError: The folder of the library cannot be written.
    """
    lock = Path(f"{path}.lock")
    if isinstance(path, str):
        from musicrec.recommend.lance import object_store, package

        place = package.place_of(path)
        if object_store.is_remote(place):
            yield
            return
        lock = Path(f"{place}.lock")
    note = f"another program is writing {path}; waiting until it ends"
    waiting = wait_for_lock(lock, note=note)
    try:
        waiting.__enter__()
    except OSError as error:
        raise LibraryError(
            f"{path} cannot be written: no file can be made in its folder ({error.strerror}); make it writable, or "
            "copy the library to a folder that is and name the copy (--library FILE)"
        ) from None
    try:
        yield
    finally:
        waiting.__exit__(None, None, None)
