"""The package LanceDB, its errors, and the addresses of its databases."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from musicrec.errors import LibraryError
from musicrec.recommend.lance import object_store

if TYPE_CHECKING:
    import lancedb

PREFIX = "lance:"
_PLAIN = ("s3://", "gs://", "az://")  # addresses that need no prefix


def place_of(address: str | Path) -> str:
    """Return what LanceDB opens: an absolute folder, or an address such as s3://bucket/folder.

    Args:
        address: A folder or an address, with or without `PREFIX`.
    """
    place = str(address).removeprefix(PREFIX)
    return place if object_store.is_remote(place) else str(Path(place).expanduser().absolute())


def name_of(place: str) -> str:
    """Return a library as users name it.

    Args:
        place: What LanceDB opens.
    """
    return place if place.startswith(_PLAIN) else f"{PREFIX}{place}"


def none_at(name: str) -> str:
    """Return what to say if there is no library.

    Args:
        name: The library as users name it.
    """
    return f"{name}: no such library; create one with `musicrec index FOLDER --library {name}`"


def require(address: str) -> None:
    """Check that LanceDB is installed, before modules are imported that need it.

    Raises:
        LibraryError: It is not.
    """
    missing = [name for name in ("lancedb", "pyarrow") if find_spec(name) is None]
    if missing:
        raise LibraryError(
            f"{address} needs the package {missing[0]}, which is not installed; run `pip install 'musicrec[lance]'`"
        )


def connect(place: str) -> "lancedb.DBConnection":
    """Return a connection on which each operation sees what other programs have written before.

    Raises:
        LibraryError: The place cannot be reached.
    """
    os.environ.setdefault("LANCE_LOG", "error")  # its warnings are of no use to users
    options = None
    if object_store.is_remote(place):
        options = object_store.storage_options(place)
        object_store.check_reachable(place, named=name_of(place))
    import lancedb

    with named_errors(place):
        return lancedb.connect(place, read_consistency_interval=timedelta(0), storage_options=options)


@contextmanager
def named_errors(place: str) -> Iterator[None]:
    """Turn errors of LanceDB into errors that name the library and what was kept.

    Raises:
        LibraryError: LanceDB failed.
    """
    try:
        yield
    except (OSError, RuntimeError, ValueError) as error:  # it has no errors of its own
        named = name_of(place)
        explained = object_store.explained(str(error), place=place, named=named)
        if explained is not None:
            raise LibraryError(explained) from None
        text = _short(str(error))
        if "ermission denied" in text or "Read-only file system" in text:
            raise LibraryError(
                f"{named} cannot be written or read ({text}); make the folder and all in it accessible, or name "
                "another library; earlier writes are kept"
            ) from None
        if "onflict" in text:
            raise LibraryError(f"{named} is being written by another program ({text}); try again later") from None
        if any(sign in text for sign in ("not found", "Not found", "No such file", "no longer exists", "orrupt")):
            raise LibraryError(
                f"{named} is damaged ({text}); `musicrec verify --library {named}` says where; put back a copy, or "
                "delete it and index again"
            ) from None
        raise LibraryError(f"{named}: {text}; earlier writes are kept") from None


def _short(text: str) -> str:
    """Return a message of LanceDB without the places in its source."""
    text = re.sub(r",? ?/\S*/registry/\S+", "", text)
    return re.sub(r"^(lance error: )?LanceError\((\w+)\): ", "", text.splitlines()[0] if text else "").strip()
