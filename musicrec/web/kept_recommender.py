"""A recommender that stays open from one task to the next."""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from musicrec.recommend.recommender import Recommender


class KeptRecommender:
    """Keeps a recommender open, and opens it again when another file has taken the place of its library.

    Somebody may put back a copy, or delete the library and index again. Who has the file open would go on reading the
    one that is gone, and what they write would be lost. It is for one thread.

    Args:
        open_recommender: Opens the recommender; called when it is first needed.
    """

    def __init__(self, open_recommender: "Callable[[], Recommender]") -> None:
        self._open = open_recommender
        self._recommender: Recommender | None = None
        self._file: tuple[int, int] | None = None

    def get(self) -> "Recommender":
        """Return the recommender.

        Raises:
            LibraryError: The library cannot be read.
        """
        if self._recommender is not None:
            file = _file_of(self._recommender)
            if self._file is not None and file not in (None, self._file):
                self.close()
            elif self._file is None:  # it did not exist before, so nobody has opened it
                self._file = file
        if self._recommender is None:
            self._recommender = self._open()
            self._file = _file_of(self._recommender)
        return self._recommender

    def close(self) -> None:
        """Close the recommender, if there is one."""
        recommender, self._recommender, self._file = self._recommender, None, None
        if recommender is not None:
            recommender.close()


def _file_of(recommender: "Recommender") -> tuple[int, int] | None:
    """Return which file a library is now; None if there is none, or if it is not one file."""
    try:
        facts = os.stat(recommender.path)
    except OSError:
        return None
    return facts.st_dev, facts.st_ino
