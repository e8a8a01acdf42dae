"""Who is on the other side: sessions of browsers, kept in memory and known by a cookie."""

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

COOKIE = "musicrec"
_MOST = 10_000  # sessions; the one that was used longest ago is forgotten first
LIFETIME_S = 30 * 24 * 3600


@dataclass(kw_only=True)
class Session:
    """A browser that has been here.

    Attributes:
        key: What the cookie holds: 256 random bits.
        trusted: Whether it has shown the token.
        user: Who uses it; None if nobody has said so.
        expires: When it ends, on the clock of `Sessions`.
    """

    key: str
    trusted: bool = False
    user: str | None = None
    expires: float


class Sessions:
    """The sessions of a server. They end after 30 days, and when the server stops.

    Args:
        clock: The time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._sessions: OrderedDict[str, Session] = OrderedDict()

    def start(self, *, trusted: bool, user: str | None = None) -> Session:
        """Return a new session."""
        made = Session(key=secrets.token_urlsafe(32), trusted=trusted, user=user, expires=self._clock() + LIFETIME_S)
        self._sessions[made.key] = made
        while len(self._sessions) > _MOST:
            self._sessions.popitem(last=False)
        return made

    def find(self, key: str | None) -> Session | None:
        """Return the session of a cookie; None if there is none, or it has ended."""
        found = self._sessions.get(key or "")
        if found is None:
            return None
        if found.expires < self._clock():
            self.end(found)
            return None
        self._sessions.move_to_end(found.key)
        return found

    def end(self, session: Session) -> None:
        """Forget a session."""
        self._sessions.pop(session.key, None)
