"""A web server on this machine that supports ranges, and that interrupts, delays or refuses its answers on request."""

import contextlib
import hashlib
import re
import socket
import struct
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from musicrec.data.adapters.download import Archive


class Host(ThreadingHTTPServer):
    """A server of files.

    Attributes:
        files: {name: bytes}.
        limit: Bytes after which an answer is interrupted.
        block_pause_s: Pause after every 64 KiB, so that a client can be killed in the middle.
        ranges: Whether the server supports ranges.
        tags: Whether it marks the version of a file (ETag), and heeds If-Range.
        troubles: What happens to the next requests: a status, "reset", "elsewhere" (another range than was asked for),
            or an address to redirect to.
        requests: (name, first byte) of all requests.
        pauses_s: How long the client waited before it tried again.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.files: dict[str, bytes] = {}
        self.limit: int | None = None
        self.block_pause_s = 0.0
        self.ranges, self.tags = True, False
        self.troubles: list[int | str] = []
        self.requests: list[tuple[str, int]] = []
        self.pauses_s: list[float] = []

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{name}"

    def archive(self, name: str, *, content: bytes | None = None, **settings) -> Archive:
        if content is not None:
            self.files[name] = content
        checksum = f"md5:{hashlib.md5(self.files.get(name, b'')).hexdigest()}"
        return Archive(**{"urls": (self.url(name),), "checksums": (checksum,), "target": name, **settings})


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        name, host = self.path.lstrip("/"), self.server
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", "")) if host.ranges else None
        tag = f'"{hashlib.md5(host.files.get(name, b"")).hexdigest()}"' if host.tags else None
        if asked and tag and self.headers.get("If-Range", tag) != tag:
            asked = None
        first = int(asked[1]) if asked else 0
        host.requests.append((name, first))
        trouble = host.troubles.pop(0) if host.troubles else None
        if trouble == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()
            return
        if isinstance(trouble, int):
            self.send_error(trouble)
            return
        if trouble and trouble != "elsewhere":
            self.send_response(302)
            self.send_header("Location", trouble)
            self.end_headers()
            return
        if name not in host.files:
            self.send_error(404)
            return
        body = host.files[name][first:]
        if asked and not body:
            self.send_error(416)
            return
        self.send_response(206 if asked else 200)
        if asked:
            begin = first - 5 * (trouble == "elsewhere")
            self.send_header("Content-Range", f"bytes {begin}-{first + len(body) - 1}/{first + len(body)}")
        self.send_header("Content-Length", str(len(body)))
        if tag:
            self.send_header("ETag", tag)
        self.end_headers()
        body = body[: host.limit]
        with contextlib.suppress(ConnectionError):  # the client may hang up
            for start in range(0, len(body), 1 << 16):
                self.wfile.write(body[start : start + (1 << 16)])
                time.sleep(host.block_pause_s)

    def log_message(self, *_) -> None:
        pass
