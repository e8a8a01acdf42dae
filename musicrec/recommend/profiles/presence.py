"""Where the profiles of a library are kept, and whether there are any, without importing SQLAlchemy.

A query of somebody who never gave feedback should not wait for a database to be imported.
"""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

PROFILES_VARIABLE = "MUSICREC_PROFILES"


def place_of_profiles(library: str | os.PathLike[str], profiles: str | os.PathLike[str] | None = None) -> str:
    """Return the file or the URL that holds the profiles of a library.

    Args:
        library: The file of the library.
        profiles: A file or URL that was asked for. None takes MUSICREC_PROFILES, or else the library itself.
    """
    chosen = os.fspath(profiles) if profiles else os.environ.get(PROFILES_VARIABLE, "")
    if not chosen:
        return os.fspath(library)
    return chosen if "://" in chosen else str(Path(chosen).expanduser())


def may_have_feedback(place: str, user: str) -> bool:
    """Return whether a user may have said something: False only if it is certain that there is nothing.

    Args:
        place: The file, or the URL of a server, which is not asked.
        user: The user.
    """
    if "://" in place:
        return True
    try:
        with closing(sqlite3.connect(f"{Path(place).absolute().as_uri()}?mode=ro", uri=True)) as connection:
            if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'profile_events'").fetchone():
                return False
            events = "SELECT 1 FROM profile_events JOIN profile_users ON profile_users.id = user_id WHERE name = ?"
            return connection.execute(f"{events} LIMIT 1", (user,)).fetchone() is not None
    except sqlite3.Error:
        return True  # for the store to explain
