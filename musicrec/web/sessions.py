"""Who is on the other side: sessions of browsers, kept in memory and known by a cookie."""

import secrets
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

COOKIE = "musicrec"
_MOST = 10_000  # sessions
LIFETIME_S = 30 * 24 * 3600


@dataclass(kw_only=True)
class Session:
    """A browser that has been here.

    Attributes:
        key: What the cookie holds: 256 random bits.
        trusted: Whether it has shown the token.
        user: Who uses it; None if nobody has said so.
        address: Where it began: what `connections.client_of` counts as one client.
        expires: When it ends, on the clock of `Sessions`.
    """

    key: str
    trusted: bool = False
    user: str | None = None
    address: str = ""
    expires: float

    @property
    def of(self) -> tuple[str, str]:
        """Who has begun it: the user, or the address if nobody has said who it is."""
        return ("address", self.address) if self.user is None else ("user", self.user)


class Sessions:
    """The sessions of a server. They end after 30 days, and when the server stops.

    There are at most 10,000. After that, whoever has the most loses the one that they used longest ago, so that nobody
    can push others out.

    Args:
        clock: The time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._counts: Counter[tuple[str, str]] = Counter()

    def start(self, *, trusted: bool, user: str | None = None, address: str = "") -> Session:
        """Return a new session."""
        expires = self._clock() + LIFETIME_S
        made = Session(key=secrets.token_urlsafe(32), trusted=trusted, user=user, address=address, expires=expires)
        self._sessions[made.key] = made
        self._counts[made.of] += 1
        if len(self._sessions) > _MOST:
            most = self._counts.most_common(1)[0][0]
            self.end(next(one for one in self._sessions.values() if one.of == most))
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
        if self._sessions.pop(session.key, None) is not None:
            self._counts[session.of] -= 1
            if not self._counts[session.of]:
                del self._counts[session.of]
