"""Runs an app with uvicorn until Ctrl-C."""

import errno
import logging
import os
import secrets
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import uvicorn
from fastapi import FastAPI

from musicrec.errors import ConfigError, LibraryError
from musicrec.recommend import stores
from musicrec.recommend.profiles.presence import place_of_profiles
from musicrec.recommend.recommender import Recommender
from musicrec.web.connections import HttpConnection
from musicrec.web.server_folder import make_place, usual_place
from musicrec.web.settings import ServerSettings

_STOP_S = 3  # how long answers that have begun may still take; Docker kills what has not stopped after 10 s
_WAYS_OUT = {
    errno.EADDRINUSE: "choose another port with --port, or stop what uses it",
    errno.EACCES: "choose a port from 1024 on with --port",
}
log = logging.getLogger("musicrec.web")
_SWITCH_S = 0.001  # a thread that answers in a moment need not wait five milliseconds for one that computes


class _Server(uvicorn.Server):
    """A server that says when it begins to answer, and when it begins to stop."""

    def __init__(
        self, config: uvicorn.Config, *, started: Callable[[], object], stopping: Callable[[], object]
    ) -> None:
        super().__init__(config)
        self._tell_started, self._tell_stopping = started, stopping

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer."""
        await super().startup(sockets)
        if self.started:
            self._tell_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop, when what has begun has ended, or after a while."""
        self._tell_stopping()
        await super().shutdown(sockets)


def new_token() -> str:
    """Return a token that nobody can guess."""
    return secrets.token_urlsafe(32)


def address_of(settings: ServerSettings, port: int) -> str:
    """Return the address that a browser opens, with the token if there is one.

    Args:
        settings: Settings of the server.
        port: The port that it listens on.
    """
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}.get(settings.host, settings.host)
    host = f"[{host}]" if ":" in host and not host.startswith("[") else host
    token = "" if settings.token is None else f"?token={quote(settings.token)}"
    return f"http://{host}:{port}/{token}"


def listen(settings: ServerSettings) -> socket.socket:
    """Return a socket that listens.

    Raises:
        ConfigError: The address is in use, or not of this computer.
    """
    try:
        family = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0][0]
        # With the protocol named, asyncio sets TCP_NODELAY for each connection. Without it, an answer that is sent in
        # two parts waits 40 ms for the client to acknowledge the first one.
        made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((settings.host, settings.port))
        made.listen(256)
    except OSError as error:
        way_out = _WAYS_OUT.get(error.errno or 0, "give an address of this computer with --host, such as 127.0.0.1")
        raise ConfigError(
            f"host={settings.host}, port={settings.port}: cannot listen there: {error.strerror or error}; {way_out}"
        ) from None
    made.set_inheritable(True)
    return made


def check_library(library: str | Path | None) -> None:
    """Check that a library can be read. One that is not there yet is a remark, as the page can make it.

    Raises:
        LibraryError: It exists and cannot be read, or it was named and its folder is not there.
    """
    Recommender.open(library).close()
    place = stores.default_library() if library is None else stores.address(library)
    if stores.exists(place):
        return
    if library is not None and isinstance(place, Path) and not place.parent.is_dir():
        raise LibraryError(f"{place}: there is no folder {place.parent}; make it, or name another library (--library)")
    log.warning("%s: there is no library yet; index a folder on the page, or with `musicrec index FOLDER`", place)


def make_profiles(profiles: str | None) -> None:
    """Make the file of profiles that was named, if there is none: the page reads it before anything is written.

    Args:
        profiles: As in `ServerSettings`. A library is not touched, and a server of PostgreSQL is not asked.

    Raises:
        ProfileError: It cannot be made.
    """
    place = place_of_profiles("", profiles)
    if place and "://" not in place and not os.path.exists(place):
        from musicrec.recommend.profiles.store import ProfileStore

        ProfileStore.open(place, create=True).close()


def serve(app: FastAPI, settings: ServerSettings, *, tell: Callable[[str], object], open_page: bool = False) -> None:
    """Answer until Ctrl-C or SIGTERM.

    Args:
        app: The app, as `create_app` makes it.
        settings: Its settings.
        tell: Receives the address once the server answers.
        open_page: Whether to open it in a browser.

    Raises:
        ConfigError: The address is in use, or not of this computer; or there is no folder for temporary files.
        LibraryError: The library exists and cannot be read.
        ProfileError: The file of profiles that was named cannot be made.
    """
    # Here, where a mistake is one message.
    make_place(settings.temporary or usual_place())
    make_profiles(settings.profiles)
    check_library(settings.library)
    sys.setswitchinterval(_SWITCH_S)
    with listen(settings) as listening:
        address = address_of(settings, listening.getsockname()[1])

        def started() -> None:
            tell(address)
            if open_page:
                threading.Thread(target=_open_page, args=(address,), daemon=True).start()  # some browsers block

        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=True,
            http=HttpConnection,
            loop="asyncio",
            ws="none",
            proxy_headers=True,
            timeout_graceful_shutdown=_STOP_S,
        )
        with suppress(KeyboardInterrupt):  # uvicorn raises it again once it has stopped
            _Server(config, started=started, stopping=app.state.web.background.stop_soon).run(sockets=[listening])


def _open_page(address: str) -> None:
    if not webbrowser.open(address):
        log.warning("no browser could be opened; open the address above in one")
