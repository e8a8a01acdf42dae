"""Connections of a server: those that do not ask anything are closed, so that they cannot use up its sockets.

Nor can one client use them up with requests: each address may have a quarter of the connections. A proxy that is
believed brings the requests of all clients, so it may have them all; of these clients, each may have a quarter.
"""

import asyncio
import ipaddress
import logging
import resource
from collections import Counter

import h11
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
from uvicorn.protocols.http.h11_impl import H11Protocol

REQUEST_S = 20.0
"""Time in which a client must send the head of a request, all of it. uvicorn itself waits for ever."""
REST_S = 600.0
"""Time for the rest of a body that was answered before its end. Browsers read the answer when they have sent it all."""
STALLED_S = 300.0
"""Time in which a client must take 64 kB of an answer that waits for it, as that of a player that pauses does. Browsers
ask for the rest again."""
LEAST_TAKEN_BYTES = 65_536
_MOST, _FILES_EACH = 1_000, 3  # a connection, the file that it sends, and one for all others
_SHARE = 4
_FULL = b"too many connections; close some of the pages, and try again\n"
_REFUSAL = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain\r\nretry-after: 5\r\nconnection: close\r\n"
    b"content-length: %d\r\n\r\n%s" % (len(_FULL), _FULL)
)
log = logging.getLogger("musicrec.web")


def most_connections() -> int:
    """Return how many connections a server may have, which depends on how many files the process may open."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return _MOST if files == resource.RLIM_INFINITY else min(_MOST, max(_SHARE, files // _FILES_EACH))


def most_of_client() -> int:
    """Return how many connections, or requests that are being answered, one client may have."""
    return max(1, most_connections() // _SHARE)


def client_of(address: str) -> str:
    """Return what counts as one client: an address of IPv4, or a network of IPv6, as people have whole ones."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:  # a socket of Unix
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    return str(found.ipv4_mapped or ipaddress.ip_network((int(found), 64), strict=False))


class HttpConnection(H11Protocol):
    """A connection of HTTP/1.1 that is closed if no request begins in time, or if its head comes in drops.

    It is also closed if there are too many, or if the answer is not read. A body that comes slowly is not limited here:
    see `security` and `uploads`. Between two requests, uvicorn closes a connection on which nothing comes.

    Attributes:
        of: The client, as `client_of` tells it.
    """

    of: str = ""
    _limit: asyncio.TimerHandle | None = None
    _stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request, or refuse the connection."""
        super().connection_made(transport)
        address = (self.client or ("",))[0]
        self.of = client_of(address)
        same = sum(isinstance(other, HttpConnection) and other.of == self.of for other in self.connections)
        too_many = same > most_of_client() and not self._believes(address)
        if len(self.connections) > most_connections() or too_many:
            log.info("a connection of %s is refused: there are %d, and %d of it", self.of, len(self.connections), same)
            transport.write(_REFUSAL)
            transport.close()
            return
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Take what has come. If it does not complete a request, the rest must come in time."""
        if self.transport.is_closing():
            return
        super().data_received(data)
        if self._is_answering():
            self._stop_waiting()
        elif self._limit is None:
            self._wait()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP. Whatever answers the request to which it belongs learns that nobody reads it."""
        if self._is_answering():
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            self.flow.resume_writing()
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            super().send_400_response(msg)
        else:  # an answer has begun
            self.transport.close()

    def _unsupported_upgrade_warning(self) -> None:
        """Say nothing: whoever asks for another protocol is answered in this one."""

    def on_response_complete(self) -> None:
        """Go on with requests that came meanwhile."""
        super().on_response_complete()
        if self._is_answering():
            self._stop_waiting()

    def pause_writing(self) -> None:
        """Wait until the client has read what was sent, but not for ever."""
        super().pause_writing()
        if self._stalled is None:
            self._watch(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """Go on with the answer."""
        self._stop_watching()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop_waiting()
        self._stop_watching()
        super().connection_lost(exc)

    def _believes(self, address: str) -> bool:
        """Return whether an address is that of a proxy (`FORWARDED_ALLOW_IPS`), which says who asks."""
        return isinstance(self.app, ProxyHeadersMiddleware) and address in self.app.trusted_hosts

    def _watch(self, left_bytes: int) -> None:
        self._stalled = self.loop.call_later(STALLED_S, self._check_taken, left_bytes)

    def _check_taken(self, before_bytes: int) -> None:
        left_bytes = self.transport.get_write_buffer_size()
        if before_bytes - left_bytes < LEAST_TAKEN_BYTES:
            self.transport.abort()  # closing would wait until it has been sent
        else:
            self._watch(left_bytes)

    def _stop_watching(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _wait(self) -> None:
        if not self.transport.is_closing():
            seconds = REST_S if self.conn.their_state is h11.SEND_BODY else REQUEST_S
            self._limit = self.loop.call_later(seconds, self._close)

    def _stop_waiting(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None

    def _close(self) -> None:
        self._limit = None
        if not self._is_answering():
            self.transport.close()


class RequestShare:
    """ASGI middleware that refuses a client of which too many requests are being answered.

    A client that comes by itself has no more of them than connections. This is for those behind a proxy that is
    believed: they share its connections.

    Args:
        app: What answers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._answering: Counter[str] = Counter()  # {client: requests}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        client = client_of((scope.get("client") or ("",))[0])
        if self._answering[client] >= most_of_client():
            detail = "too many requests at the same time; close some of the pages, and try again"
            await JSONResponse({"detail": detail}, 503, {"Retry-After": "5"})(scope, receive, send)
            return
        self._answering[client] += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._answering[client] -= 1
            if not self._answering[client]:
                del self._answering[client]
