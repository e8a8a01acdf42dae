"""Connections of a server: those that do not ask anything are closed, so that they cannot use up its sockets."""

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

REQUEST_S = 20.0
"""Time in which a client must send the head of a request, all of it. uvicorn itself waits for ever."""
REST_S = 600.0
"""Time for the rest of a body that was answered before its end. Browsers read the answer when they have sent it all."""


class HttpConnection(H11Protocol):
    """A connection of HTTP/1.1 that is closed if no request begins in time, or if its head comes in drops.

    A request that is being answered is not limited here: see `security` and `uploads` for bodies. Between two requests,
    uvicorn closes a connection on which nothing comes.
    """

    _limit: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Take what has come. If it does not complete a request, the rest must come in time."""
        super().data_received(data)
        if self._is_answering():
            self._stop_waiting()
        elif self._limit is None:
            self._wait()

    def on_response_complete(self) -> None:
        """Go on with requests that came meanwhile."""
        super().on_response_complete()
        if self._is_answering():
            self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop_waiting()
        super().connection_lost(exc)

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
