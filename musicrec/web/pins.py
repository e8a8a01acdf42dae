"""PINs: hashed with scrypt, and guessed slowly."""

import base64
import hashlib
import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from functools import cache

LEAST_PIN, LONGEST_PIN = 4, 64  # characters
_COST = {"n": 2**14, "r": 8, "p": 1}  # 16 MB and about 50 ms
_LENGTH = 32
FREE_ATTEMPTS = 3
_FIRST_WAIT_S, _LONGEST_WAIT_S = 2.0, 300.0
_MOST_NAMES = 10_000


def hash_pin(pin: str) -> str:
    """Return what is stored of a PIN, with the settings and the salt that `matches` needs."""
    salt = secrets.token_bytes(16)
    parts = [str(_COST[name]) for name in ("n", "r", "p")]
    return "$".join(["scrypt", *parts, _text(salt), _text(_hashed(pin, salt, **_COST))])


def matches(pin: str, stored: str) -> bool:
    """Return whether a PIN is the one that was stored.

    Args:
        pin: The PIN.
        stored: What `hash_pin` returned for it.
    """
    _, n, r, p, salt, wanted = stored.split("$")
    found = _hashed(pin, base64.b64decode(salt), n=int(n), r=int(r), p=int(p))
    return hmac.compare_digest(found, base64.b64decode(wanted))


@cache
def nobodys_pin() -> str:
    """Return a PIN to compare with where there is no such user, so that this takes as long as a wrong PIN."""
    return hash_pin(secrets.token_urlsafe())


def _hashed(pin: str, salt: bytes, *, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(pin.encode(), salt=salt, n=n, r=r, p=p, dklen=_LENGTH)


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()


class Attempts:
    """Counts wrong PINs of each name, and says how long to wait before the next one.

    Three are free. After that, the wait doubles from two seconds up to five minutes; a right PIN starts anew.
    Names that nobody has are forgotten when there are many of them. Those of users are not: nobody can push them out.

    Args:
        clock: The time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._invented: OrderedDict[str, tuple[int, float]] = OrderedDict()  # {name: (wrong ones, time of the next)}
        self._users: dict[str, tuple[int, float]] = {}

    def wait_s(self, name: str) -> float:
        """Return in how many seconds a PIN of this name is looked at; 0 for now."""
        return max(0.0, self._wrong(name)[1] - self._clock())

    def begin(self, name: str) -> None:
        """Count an attempt as wrong before it is looked at, so that many at once are counted."""
        wrong = self._wrong(name)[0] + 1
        doubled = min(wrong - FREE_ATTEMPTS, 32)
        wait = 0.0 if doubled < 0 else min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2.0**doubled)
        counted = self._users if name in self._users else self._invented
        counted[name] = wrong, self._clock() + wait
        if counted is self._invented:
            self._invented.move_to_end(name)
        while len(self._invented) > _MOST_NAMES:
            self._invented.popitem(last=False)

    def keep(self, name: str) -> None:
        """Never forget the wrong ones of a name again: it is that of a user."""
        if name in self._invented:
            self._users[name] = self._invented.pop(name)

    def succeed(self, name: str) -> None:
        """Forget the wrong ones."""
        self._invented.pop(name, None)
        self._users.pop(name, None)

    def _wrong(self, name: str) -> tuple[int, float]:
        return self._users.get(name) or self._invented.get(name) or (0, 0.0)
