"""Connections that ask nothing are closed; those that are answered are not."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest
import uvicorn

from musicrec.web import connections
from musicrec.web.connections import HttpConnection, RequestShare, client_of, most_connections

LIMIT_S = 0.3
LARGE_BYTES = 32 << 20
HEAD = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n"
SLOW = b"GET /slow HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


async def answer(scope: dict, receive: Callable, send: Callable) -> None:
    """Answer at once, without the body; /slow takes longer than a client may wait, and /large is not sent at once."""
    if scope["path"] == "/slow":
        await asyncio.sleep(2 * LIMIT_S)
    body = bytes(LARGE_BYTES) if scope["path"] == "/large" else b"ok"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


def with_server(use: Callable[[int], Awaitable[None]], *, proxies: str = "") -> None:
    async def run() -> None:
        server = uvicorn.Server(
            uvicorn.Config(
                RequestShare(answer),
                port=0,
                http=HttpConnection,
                ws="none",
                lifespan="off",
                log_config=None,
                forwarded_allow_ips=proxies,
            )
        )
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


def test_one_client_has_a_part_of_the_connections(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(connections, "most_connections", lambda: 8)
    monkeypatch.setattr(connections, "client_of", lambda address: "one" if len(held) < 3 else "other")
    held: list[asyncio.StreamWriter] = []

    async def use(port: int) -> None:
        for _ in range(2):
            held.append((await asyncio.open_connection("127.0.0.1", port))[1])
            await asyncio.sleep(0.02)
        refused, _ = await talk(port, HEAD)
        assert refused.startswith(b"HTTP/1.1 503") and b"too many connections" in refused
        held.append(held[0])  # from now on, it is another client
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HEAD)
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        held[0].close()
        held[1].close()
        writer.close()
        await asyncio.sleep(0.05)
        held.clear()
        answered, _ = await talk(port, SLOW)
        assert answered.endswith(b"ok"), "those that have gone are not counted"

    with_server(use)


def test_a_proxy_that_is_believed_brings_the_requests_of_all(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(connections, "most_connections", lambda: 8)

    async def ask(port: int, client: bytes) -> bytes:
        answered, _ = await talk(port, SLOW.replace(b"Host:", b"X-Forwarded-For: %s\r\nHost:" % client))
        return answered.partition(b"\r\n")[0].removeprefix(b"HTTP/1.1 ")

    async def use_proxy(port: int) -> None:
        one, other = b"192.0.2.7", b"192.0.2.8"
        answers = await asyncio.gather(*(ask(port, client) for client in (one, one, one, other, other)))
        assert sorted(answers[:3]) == [b"200 OK", b"200 OK", b"503 Service Unavailable"], "a quarter for each of them"
        assert answers[3:] == [b"200 OK"] * 2
        assert await ask(port, one) == b"200 OK", "requests that have been answered are not counted"

    async def use_directly(port: int) -> None:
        answers = await asyncio.gather(*(ask(port, b"192.0.2.%d" % number) for number in range(3)))
        assert sorted(answers)[2] == b"503 Service Unavailable", "what it says of other clients is not believed"

    with_server(use_proxy, proxies="127.0.0.1")
    with_server(use_directly)


def test_an_answer_that_nobody_reads_ends(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(connections, "STALLED_S", LIMIT_S)

    async def use(port: int) -> None:
        stuck, stuck_writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 10)
        slow, slow_writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 10)
        for writer in (stuck_writer, slow_writer):
            writer.write(b"GET /large HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        got = 0
        for _ in range(8):
            got += len(await slow.readexactly(1 << 20))
            await asyncio.sleep(LIMIT_S / 2)
        got += len(await asyncio.wait_for(slow.read(), 4))
        assert got > LARGE_BYTES, "one that is read slowly goes on"
        with suppress(ConnectionError):
            assert len(await asyncio.wait_for(stuck.read(), 4)) < LARGE_BYTES
        stuck_writer.close()
        slow_writer.close()

    with_server(use)


def test_clients():
    names = ("192.0.2.7", "::ffff:192.0.2.7", "2001:db8::1", "2001:db8::ffff:2", "2001:db8:0:1::1", "fe80::1%eth0", "")
    found = [client_of(name) for name in names]
    assert found[0] == found[1] and found[2] == found[3] != found[4] and found[5] == "fe80::/64" and found[6] == ""
    assert 4 <= most_connections() <= 1_000


def test_a_body_that_is_not_http_ends_the_answer_quietly(caplog: pytest.LogCaptureFixture):
    chunked = b"Host: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"

    async def use(port: int) -> None:
        for path in (b"/", b"/slow"):
            refused, _ = await talk(port, b"POST %s HTTP/1.1\r\n%sZZ\r\n" % (path, chunked))
            assert refused.startswith(b"HTTP/1.1 400") and refused.count(b"HTTP/1.1") == 1
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /large HTTP/1.1\r\n" + chunked)
        await reader.readexactly(1_000)
        writer.write(b"ZZ\r\n")
        with suppress(ConnectionError):
            assert len(await asyncio.wait_for(reader.read(), 4)) <= LARGE_BYTES
        writer.close()
        await asyncio.sleep(2 * LIMIT_S)

    with_server(use)
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
