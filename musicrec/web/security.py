"""Which requests are answered: by Host and Origin, token and size. Headers that tell the browser what a page may do.

docs/security.md says what this defends, and what it does not.
"""

import asyncio
import hmac
import ipaddress
import re
import time
from collections.abc import Iterable, Iterator
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from musicrec.errors import ConfigError
from musicrec.web.answers import Answer, AnswerMemory
from musicrec.web.connections import client_of
from musicrec.web.sessions import COOKIE, Session, Sessions
from musicrec.web.settings import LOOPBACK, ServerSettings

JSON_BYTES = 2**20
JSON_S = 30.0
"""Time in which all of a body of JSON must come; that of an upload is limited by `uploads`."""
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_NO_TOKEN = (
    "this server needs its token: open the address that `musicrec serve` printed, or send the header Authorization: "
    "Bearer TOKEN"
)
_WRONG_TOKEN = (
    "this is not the token of this server; without --token, there is a new one at each start: open the address that "
    "`musicrec serve` printed"
)
_UPLOADS = "/api/v1/uploads"
_OPEN = ("/healthz",)  # answered without a token
_PROXIES = (
    "cf-connecting-ip", "forwarded", "true-client-ip", "via", "x-client-ip", "x-forwarded-for", "x-forwarded-host",
    "x-forwarded-port", "x-forwarded-prefix", "x-forwarded-proto", "x-forwarded-server", "x-real-ip",
)  # fmt: skip
"""Headers of proxies. Who can reach a proxy is not known, so behind one a token is needed."""
_HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::[0-9]{0,5})?", re.IGNORECASE | re.ASCII)
_PLAYERS = re.compile(r"/rest/[A-Za-z]+(\.view)?", re.ASCII)
"""Endpoints of OpenSubsonic, which ask for the token themselves, and refuse in its form. No way leads out with `..`."""


class Security:
    """ASGI middleware that refuses what does not come from the page, or from a program that knows the token.

    Args:
        app: What answers.
        settings: Address, token and limits.
        sessions: Where browsers that have shown the token are known.
    """

    def __init__(self, app: ASGIApp, *, settings: ServerSettings, sessions: Sessions) -> None:
        self._app, self._settings, self._sessions = app, settings, sessions
        self._memory = AnswerMemory()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if self._settings.root_path:
            scope["root_path"] = self._settings.root_path
        headers, path = Headers(scope=scope), route_path(scope)
        secure, root = scope.get("scheme") == "https", scope.get("root_path", "") or "/"
        local = host_name(headers.get("host", "")) in LOOPBACK
        answer = Answer(send, memory=self._memory, secure=secure, path=root, local=local)
        if _is_ambiguous(scope, headers):
            await answer.refuse(400, "the length of the request is not clear", {"connection": "close"})
            return
        if refused := self._refused(scope["method"], path, headers, secure=secure):
            await answer.refuse(*refused)
            return
        session = next(filter(None, map(self._sessions.find, _cookies(headers))), None)
        scope["musicrec.session"] = session
        address = client_of((scope.get("client") or ("",))[0])
        answer.client = ("address", address) if session is None else session.of
        query = _query(scope)
        if path in ("", "/") and scope["method"] == "GET" and _is_token(self._settings, query.get("token", "")):
            rest = urlencode({name: value for name, value in query.items() if name != "token"})
            place = f"{scope.get('root_path', '')}/{'?' * bool(rest)}{rest}"
            trusted = session is not None and session.trusted
            if not trusted:
                session = self._sessions.start(trusted=True, address=address)
            await answer.redirect(place, session)
            return
        if not (path in _OPEN or _PLAYERS.fullmatch(path) or is_authorised(scope, self._settings)):
            await answer.refuse(
                401,
                _WRONG_TOKEN if _bearer(headers) or (path in ("", "/") and query.get("token")) else _NO_TOKEN,
                {"www-authenticate": "Bearer"},
            )
            return
        scope["musicrec.answer"] = answer
        most = self._most_bytes(path)
        declared = headers.get("content-length", "0")
        if not declared.isdecimal() or int(declared) > most:
            await answer.refuse(413, _too_large(most))
            return
        bounded = _Bounded(receive, most, most_s=None if _is_upload(path) else JSON_S)
        await self._app(scope, bounded.receive, answer.send)

    def _refused(self, method: str, path: str, headers: Headers, *, secure: bool) -> tuple[int, str] | None:
        """Return status and reason if a request is not for this server, or not from its page."""
        host = headers.get("host", "")
        if len(headers.getlist("host")) != 1 or not self._is_ours(host):
            return 421, (
                "the header Host names another server; if this one is reached by that name, start it with "
                "--allow-host NAME"
            )
        if self._settings.token is None and any(name in headers for name in _PROXIES):
            return 403, (
                "the request comes through a proxy, so others may have sent it; start the server with --allow-host "
                "NAME, the name that they call it by, and it asks for a token"
            )
        site, origin = headers.get("sec-fetch-site"), headers.get("origin")
        if origin is not None and not _same(origin, host, secure=secure):
            return 403, f"the request comes from a page of {printable_origin(origin)}, not from this server"
        if origin is None and method not in SAFE_METHODS and site not in (None, "same-origin"):
            return 403, "the request comes from a page of another server"
        visits = headers.get("sec-fetch-mode") == "navigate" and not path.startswith("/api/")
        if site in ("cross-site", "same-site") and not (method in SAFE_METHODS and visits):
            return 403, "the request comes from a page of another server"
        return None

    def _is_ours(self, host: str) -> bool:
        """Return whether a Host header names this server: a page of another name may have been rebound to it."""
        name = host_name(host)
        if name is None:
            return False
        if name in {other.lower() for other in self._settings.allowed_hosts}:
            return True
        if self._settings.loopback:
            return name in LOOPBACK or name == self._settings.host.lower()
        return name == self._settings.host.lower() or name in LOOPBACK or _is_address(name)

    def _most_bytes(self, path: str) -> int:
        return self._settings.uploads.size_bytes if _is_upload(path) else JSON_BYTES


def _is_ambiguous(scope: Scope, headers: Headers) -> bool:
    """Return whether a proxy may see another end of the request: what follows might be a request that it never saw."""
    chunked = "transfer-encoding" in headers
    return chunked and ("content-length" in headers or scope.get("http_version", "1.1") != "1.1")


def is_authorised(scope: Scope, settings: ServerSettings) -> bool:
    """Return whether a request may be answered: it shows the token, or its session has shown it, or there is none.

    Args:
        scope: The request, whose session has been looked up.
        settings: Settings of the server.
    """
    if settings.token is None:
        return True
    session: Session | None = scope.get("musicrec.session")
    if session is not None and session.trusted:
        return True
    if _is_token(settings, _bearer(Headers(scope=scope))):
        return True
    return bool(_PLAYERS.fullmatch(route_path(scope))) and _is_token(settings, _query(scope).get("apiKey", ""))


def _is_token(settings: ServerSettings, given: str) -> bool:
    return settings.token is not None and hmac.compare_digest(given.encode(), settings.token.encode())


def _query(scope: Scope) -> dict[str, str]:
    """Return the parameters of a request, the last of equal names."""
    return dict(parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True))


def _is_upload(path: str) -> bool:
    return path.rstrip("/") == _UPLOADS


class _Bounded:
    """The body of a request, of which only so many bytes are read, and for so long.

    Args:
        receive: What receives the messages of the request.
        most: The most bytes.
        most_s: The most seconds until all of it is there; None for no limit.
    """

    def __init__(self, receive: Receive, most: int, *, most_s: float | None) -> None:
        self._receive, self._most, self._left = receive, most, most
        self._until = None if most_s is None else time.monotonic() + most_s

    async def receive(self) -> Message:
        message = await self._next()
        if message["type"] == "http.request":
            self._left -= len(message.get("body", b""))
            if self._left < 0:
                raise HTTPException(413, _too_large(self._most))
        if not message.get("more_body"):
            self._until = None  # what follows is the end of the connection, for which an answer in parts waits
        return message

    async def _next(self) -> Message:
        if self._until is None:
            return await self._receive()
        try:
            return await asyncio.wait_for(self._receive(), max(0.0, self._until - time.monotonic()))
        except asyncio.TimeoutError:
            raise HTTPException(408, "the request comes too slowly", {"connection": "close"}) from None


def _too_large(most: int) -> str:
    return f"the request has more than {most:,} bytes, which is the most here"


def set_session(scope: Scope, session: Session | None) -> None:
    """Let the answer to a request give the browser a session, or take away the one it has."""
    scope["musicrec.answer"].cookie = "" if session is None else session.key
    scope["musicrec.session"] = session


def route_path(scope: Scope) -> str:
    """Return the path of a request below the one under which a proxy shows the server."""
    path, root = scope["path"], scope.get("root_path", "")
    return path[len(root) :] if root and (path == root or path.startswith(f"{root}/")) else path


def host_name(host: str) -> str | None:
    """Return the name or address in a Host header, without its port and in small letters; None if it is none."""
    found = _HOST.fullmatch(host)
    if found is None:
        return None
    address, name = found.groups()
    return address.lower() if address else name.lower().rstrip(".") or None


def printable_origin(origin: str) -> str:
    """Return an Origin header for a message, shortened."""
    return origin[:80].encode("ascii", "replace").decode()


def _same(origin: str, host: str, *, secure: bool) -> bool:
    """Return whether an origin is that of this server; `secure`, if a proxy says that the browser came by HTTPS."""
    scheme, separator, place = origin.partition("://")
    default = {"http": ":80", "https": ":443"}.get(scheme)
    if not separator or default is None or (secure and scheme != "https"):
        return False
    return place.lower().removesuffix(default) == host.lower().removesuffix(default)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _bearer(headers: Headers) -> str:
    kind, _, value = headers.get("authorization", "").partition(" ")
    return value.strip() if kind.lower() == "bearer" else ""


def _cookies(headers: Headers) -> Iterator[str]:
    """Yield the values of our cookie. Another program on the same host may set one of this name, and any others."""
    for line in headers.getlist("cookie"):
        for pair in line.split(";"):
            name, _, value = pair.partition("=")
            if name.strip() == COOKIE:
                yield value.strip().strip('"')


def all_hosts(names: Iterable[str]) -> tuple[str, ...]:
    """Return names as they are compared with a Host header: without a port, in small letters.

    Raises:
        ConfigError: One is not a name, so no request could have it.
    """
    return tuple(_allowed_name(name.strip()) for name in names if name.strip())


def _allowed_name(name: str) -> str:
    found = name.lower() if _is_address(name) else host_name(name)
    if found is None:
        raise ConfigError(f"allow_host={name}: give the name alone, as in music.example.org: no http://, and no path")
    return found
