"""What users think of the tracks, as it was last read."""

from collections import OrderedDict
from collections.abc import Hashable

from musicrec.web.track_list import Opinions

_MOST_USERS = 200


class OpinionCache:
    """The opinions of users as they were last read. It is valid as long as the file of the profiles has not changed."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, tuple[Hashable, Opinions]] = OrderedDict()

    def get(self, user: str, stamp: Hashable) -> Opinions | None:
        """Return the opinions of a user if they were read when the file had this stamp."""
        known = self._known.get(user)
        return known[1] if known is not None and stamp is not None and known[0] == stamp else None

    def put(self, user: str, stamp: Hashable, opinions: Opinions) -> None:
        """Keep the opinions of a user; those that were read longest ago make room."""
        self._known.pop(user, None)
        self._known[user] = stamp, opinions
        while len(self._known) > _MOST_USERS:
            self._known.popitem(last=False)
