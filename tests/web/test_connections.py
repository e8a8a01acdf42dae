"""Connections that ask nothing are closed; those that are answered are not."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest
import uvicorn

from musicrec.web import connections
from musicrec.web.connections import HttpConnection

LIMIT_S = 0.3
HEAD = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n"
SLOW = b"GET /slow HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


async def answer(scope: dict, receive: Callable, send: Callable) -> None:
    """Answer at once, without the body; /slow takes longer than a client may wait with its request."""
    if scope["path"] == "/slow":
        await asyncio.sleep(2 * LIMIT_S)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


def with_server(use: Callable[[int], Awaitable[None]]) -> None:
    async def run() -> None:
        config = uvicorn.Config(answer, port=0, http=HttpConnection, ws="none", lifespan="off", log_config=None)
        server = uvicorn.Server(config)
        task = asyncio.ensure_future(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        try:
            await use(server.servers[0].sockets[0].getsockname()[1])
        finally:
            server.should_exit = True
            await task

    asyncio.run(run())


async def talk(port: int, first: bytes, *, drop: bytes = b"", drops: int = 8) -> tuple[bytes, float]:
    """Send something, and then drops. Return all that came until the server closed, and after how many seconds."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    begin = time.monotonic()
    writer.write(first)

    async def drip() -> None:
        for _ in range(drops if drop else 0):
            await asyncio.sleep(LIMIT_S / 3)
            writer.write(drop)

    dripping = asyncio.ensure_future(drip())
    try:
        return await asyncio.wait_for(reader.read(), 4), time.monotonic() - begin
    finally:
        dripping.cancel()
        writer.close()


def test_connections_that_ask_nothing_are_closed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(connections, "REQUEST_S", LIMIT_S)
    monkeypatch.setattr(connections, "REST_S", 2 * LIMIT_S)

    async def use(port: int) -> None:
        silent, drops, after, body, slow = await asyncio.gather(
            talk(port, b""),
            talk(port, b"GET / HT", drop=b"T"),
            talk(port, HEAD, drop=b"G"),
            talk(port, POST, drop=b"x"),
            talk(port, SLOW),
        )
        assert silent[0] == drops[0] == b"" and silent[1] < 3 * LIMIT_S and drops[1] < 3 * LIMIT_S
        assert after[0].endswith(b"ok") and after[1] < 4 * LIMIT_S, "drops of a second request"
        assert body[0].endswith(b"ok") and 2 * LIMIT_S < body[1] < 4 * LIMIT_S, "the rest of a body may take longer"
        assert slow[0].endswith(b"ok") and slow[1] >= 2 * LIMIT_S, "an answer may take longer than the request"

    with_server(use)


def test_several_requests_at_once_are_all_answered():
    async def use(port: int) -> None:
        answers, _ = await talk(port, HEAD * 20 + SLOW)
        assert answers.count(b"200 OK") == 21

    with_server(use)
