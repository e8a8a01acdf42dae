"""The feedback of users for queries: opened once, and kept while the recommender is."""

import os
from collections import OrderedDict
from typing import TYPE_CHECKING

from musicrec.recommend.library import Library
from musicrec.recommend.profiles.presence import place_of_profiles

if TYPE_CHECKING:
    from musicrec.recommend.feedback import Feedback
    from musicrec.recommend.profiles.store import ProfileStore

_MOST_USERS = 100


class FeedbackReaders:
    """Keeps profiles open for reading, and what is known of the other listeners of each user."""

    def __init__(self) -> None:
        self._place = ""
        self._store: ProfileStore | None = None
        self._of_users: OrderedDict[str, Feedback] = OrderedDict()

    def of(self, library: Library, user: str, profiles: str | os.PathLike[str] | None) -> "Feedback":
        """Return the feedback of a user who has given some. It is not to be closed.

        Args:
            library: The library.
            user: The user.
            profiles: Where profiles are kept; None for the default.

        Raises:
            ProfileError: The profiles cannot be opened.
        """
        from musicrec.recommend.feedback import Feedback, open_profiles

        place = place_of_profiles(library.path, profiles)
        if self._store is None or place != self._place:
            self.close()
            self._store, self._place = open_profiles(library, profiles, read_only=True), place
        if user not in self._of_users:
            self._of_users[user] = Feedback(library, self._store, user=user)
            while len(self._of_users) > _MOST_USERS:
                self._of_users.popitem(last=False)
        return self._of_users[user]

    def close(self) -> None:
        """Close the profiles."""
        self._of_users.clear()
        if self._store is not None:
            self._store.close()
            self._store = None
