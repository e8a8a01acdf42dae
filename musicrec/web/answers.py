"""Answers as they are sent: with the headers that tell the browser what a page may do, and in parts.

An answer is in memory until its client has taken all of it. So that clients that take it slowly cannot fill the memory,
large answers that are being sent have a limit together.
"""

import json
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping

from starlette.datastructures import MutableHeaders
from starlette.types import Message, Send

from musicrec.web.sessions import COOKIE, LIFETIME_S, Session

_PART_BYTES = 2**18
MOST_BYTES = 2**29
"""Of all large answers that are being sent. The whole library of 100,000 tracks as JSON has 22 MB."""
_SHARE = 4
CONTENT_POLICY = (
    "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; style-src 'self'; script-src 'self'; "
    "connect-src 'self'; object-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)
HEADERS = {
    "content-security-policy": CONTENT_POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


_OPENER = "cross-origin-opener-policy"
"""On plain HTTP to another computer, browsers ignore this one, with an error in the console."""


class AnswerMemory:
    """How much memory is taken by large answers that are being sent.

    Args:
        most: The most bytes of all together. One client may have a quarter of them.
    """

    def __init__(self, most: int = MOST_BYTES) -> None:
        self._most = most
        self._taken: Counter[Hashable] = Counter()

    def take(self, client: Hashable, size: int) -> bool:
        """Return whether an answer may be sent. One of any size may if it is the only one.

        Args:
            client: Who asks.
            size: Bytes of the answer, which are given back later.
        """
        own, total = self._taken[client], self._taken.total()
        if (own and own + size > self._most // _SHARE) or (total and total + size > self._most):
            return False
        self._taken[client] += size
        return True

    def give_back(self, client: Hashable, size: int) -> None:
        """Count an answer no longer."""
        self._taken[client] -= size
        if not self._taken[client]:
            del self._taken[client]


def parts_of(message: Message) -> Iterator[Message]:
    """Yield a message, a large body in parts: the next one is sent when the client has read most of this one."""
    body = message.get("body", b"")
    if len(body) <= _PART_BYTES:
        yield message
        return
    for begin in range(0, len(body), _PART_BYTES):
        end = begin + _PART_BYTES
        yield {**message, "body": body[begin:end], "more_body": end < len(body) or message.get("more_body", False)}


class Answer:
    """Sends an answer with the headers of this module; a large one only if there is room for it.

    Args:
        send: Sends the messages of the answer.
        memory: Where large answers are counted.
        secure: Whether the browser came by HTTPS.
        path: The path of the page, for cookies.
        local: Whether it asked for this computer, which browsers trust as they trust HTTPS.

    Attributes:
        client: Who asks.
        cookie: A session to be kept by the browser, or "" to forget the one it has.
    """

    def __init__(self, send: Send, *, memory: AnswerMemory, secure: bool, path: str, local: bool = True) -> None:
        self._send, self._memory, self._secure, self._path = send, memory, secure, path
        self._left_out = set() if secure or local else {_OPENER}
        self._start: Message | None = None
        self._refused = False
        self.client: Hashable = None
        self.cookie: str | None = None

    async def send(self, message: Message) -> None:
        """Send a message of the answer."""
        if self._refused:
            return
        if message["type"] == "http.response.start":
            self._start = self._with_headers(message)
            if "content-length" not in MutableHeaders(scope=message):
                await self._begin()  # of a stream, whose first part may come late
            return
        size = len(message.get("body", b""))
        if size <= _PART_BYTES:
            await self._begin()
            await self._send(message)
        elif self._memory.take(self.client, size):
            try:
                await self._begin()
                for part in parts_of(message):
                    await self._send(part)
            finally:
                self._memory.give_back(self.client, size)
        else:
            await self.refuse(503, "too many large answers are being read slowly; try again", {"retry-after": "5"})
            self._refused = True

    async def refuse(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        """Send an error instead of an answer."""
        body = json.dumps({"detail": detail}, ensure_ascii=False).encode()
        await self._whole(status, body, {"content-type": "application/json", **(headers or {})})

    async def redirect(self, place: str, session: Session | None) -> None:
        """Send the browser to another place, with a session."""
        self.cookie = None if session is None else session.key
        await self._whole(303, b"", {"location": place})

    async def _whole(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        raw = [(name.encode(), value.encode("latin-1", "replace")) for name, value in headers.items()]
        raw.append((b"content-length", str(len(body)).encode()))
        self._start = self._with_headers({"type": "http.response.start", "status": status, "headers": raw})
        await self._begin()
        await self._send({"type": "http.response.body", "body": body})

    async def _begin(self) -> None:
        """Send the status and the headers, which wait until it is known whether there is room for the rest."""
        if self._start is not None:
            start, self._start = self._start, None
            await self._send(start)

    def _with_headers(self, message: Message) -> Message:
        headers = MutableHeaders(scope=message)
        for name, value in HEADERS.items():
            if name not in self._left_out:
                headers.setdefault(name, value)
        headers.setdefault("cache-control", "no-store")
        if self.cookie is not None:
            headers.append("set-cookie", cookie_of(self.cookie, secure=self._secure, path=self._path))
        return message


def cookie_of(key: str, *, secure: bool, path: str) -> str:
    """Return the header that sets the cookie of a session; an empty key deletes it."""
    age = LIFETIME_S if key else 0
    return f"{COOKIE}={key}; Path={path}; Max-Age={age}; HttpOnly; SameSite=Strict{'; Secure' * secure}"
