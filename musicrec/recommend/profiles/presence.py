"""Where the profiles of a library are kept, and whether there are any, without importing SQLAlchemy.

A query of somebody who never gave feedback should not wait for a database to be imported.
"""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from musicrec.errors import ProfileError

PROFILES_VARIABLE = "MUSICREC_PROFILES"


def place_of_profiles(library: str | os.PathLike[str], profiles: str | os.PathLike[str] | None = None) -> str:
    """Return the file or the URL that holds the profiles of a library.

    Args:
        library: The file of the library, or its address.
        profiles: A file or URL that was asked for. None takes MUSICREC_PROFILES, or else the file of the library. The
            profiles of a library in a folder (`lance:FOLDER`) are in a file beside it, FOLDER.profiles.sqlite.

    Raises:
        ProfileError: The library is in an object store, which holds no profiles, and no place is named.
    """
    chosen = _chosen(profiles)
    place = os.fspath(library)
    if chosen:
        return chosen if "://" in chosen else str(Path(chosen).expanduser())
    if "://" in place:
        raise ProfileError(f"{place} holds no profiles; name a file or a server with --profiles, or MUSICREC_PROFILES")
    if place.startswith("lance:"):
        return str(Path(f"{place.removeprefix('lance:').rstrip('/')}.profiles.sqlite").expanduser())
    return place


def may_have_said(
    library: str | os.PathLike[str], user: str, *, profiles: str | os.PathLike[str] | None = None
) -> bool:
    """Return whether a user may have given feedback: False only if it is certain that there is none.

    Args:
        library: The file of the library, or its address. One in an object store holds no profiles.
        user: The user.
        profiles: As for `place_of_profiles`.
    """
    if "://" in os.fspath(library) and not _chosen(profiles):
        return False
    return may_have_feedback(place_of_profiles(library, profiles), user)


def _chosen(profiles: str | os.PathLike[str] | None) -> str:
    return os.fspath(profiles) if profiles else os.environ.get(PROFILES_VARIABLE, "")


def may_have_feedback(place: str, user: str) -> bool:
    """Return whether a user may have said something: False only if it is certain that there is nothing.

    Args:
        place: The file, or the URL of a server, which is not asked.
        user: The user.
    """
    if "://" in place:
        return True
    if not os.path.exists(place):
        return False
    for mode in ("mode=ro", "immutable=1"):  # the second one for a folder that cannot be written
        try:
            with closing(sqlite3.connect(f"{Path(place).absolute().as_uri()}?{mode}", uri=True)) as connection:
                if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'profile_events'").fetchone():
                    return False
                events = "SELECT 1 FROM profile_events JOIN profile_users ON profile_users.id = user_id WHERE name = ?"
                return connection.execute(f"{events} LIMIT 1", (user,)).fetchone() is not None
        except sqlite3.Error:
            continue
    return True  # for the store to explain
