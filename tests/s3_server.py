"""A server of the tests' own that speaks S3: moto, with conditional writes that hold when two write at once."""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from socketserver import ThreadingMixIn
from typing import Any
from urllib.request import Request, urlopen
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest

BUCKET = "bucket"
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-east-1"}
OTHERS = ("AWS_ENDPOINT", "AWS_ENDPOINT_URL_S3", "AWS_ALLOW_HTTP", "AWS_PROFILE", "AWS_SESSION_TOKEN")


class Server(ThreadingMixIn, WSGIServer):
    """Listens to several connections."""

    daemon_threads = True


class Handler(WSGIRequestHandler):
    """Prints nothing."""

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


class OneAtATime:
    """Answers one request after the other.

    moto looks whether an object exists, and then writes it; between the two, another thread may do the same.

    Args:
        application: What answers.
    """

    def __init__(self, application: Any) -> None:
        self._application, self._lock = application, threading.Lock()

    def __call__(self, environ: dict, start_response: Any) -> Iterable[bytes]:
        with self._lock:
            return list(self._application(environ, start_response))


@contextmanager
def s3_server() -> Iterator[str]:
    """Start a server with one bucket; yield its address."""
    pytest.importorskip("moto", reason="needs an S3 server: pip install 'moto[s3]' flask flask-cors")
    pytest.importorskip("flask_cors", reason="needs an S3 server: pip install 'moto[s3]' flask flask-cors")
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    application = OneAtATime(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, application, server_class=Server, handler_class=Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        address = f"http://127.0.0.1:{server.server_port}"
        urlopen(Request(f"{address}/{BUCKET}", method="PUT"), timeout=30).close()
        yield address
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def use(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this program, and those it starts, use a server."""
    for name in OTHERS:
        monkeypatch.delenv(name, raising=False)
    for name, value in (KEYS | {"AWS_ENDPOINT_URL": server, "AWS_EC2_METADATA_DISABLED": "true"}).items():
        monkeypatch.setenv(name, value)
