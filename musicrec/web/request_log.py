"""Counts and logs requests: ASGI middleware, and log records as lines of JSON."""

import asyncio
import json
import logging
import re
import secrets
import time
from contextvars import ContextVar
from datetime import datetime, timezone

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from musicrec.web.metrics import Metrics
from musicrec.web.security import route_path

log = logging.getLogger("musicrec.web.requests")

_request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
_SHOWN = 300  # characters of a path, so that nobody fills the disk with logs
_A_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")


class RequestLog:
    """ASGI middleware that counts each request in the metrics, and logs it.

    Neither query nor headers nor bodies are logged, which may hold a token or a PIN. Each request has an id: that of
    the header X-Request-ID, which a proxy sends, or else a new one. The answer tells it in the same header.

    Args:
        app: What answers.
        metrics: Where requests are counted.
        api: The path below which the endpoints of the API are.
    """

    def __init__(self, app: ASGIApp, *, metrics: Metrics, api: str) -> None:
        self._app, self._metrics, self._api = app, metrics, api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request and count it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, begin = 499, time.perf_counter()  # 499: the client left before the answer began
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _A_REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
        _request_id.set(request_id)  # of the task of this request only

        async def observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["x-request-id"] = request_id
            await send(message)

        try:
            await self._app(scope, receive, observed)
        except Exception:
            status = 500
            raise
        finally:
            seconds = time.perf_counter() - begin
            route, session = self._route(scope), scope.get("musicrec.session")
            self._metrics.observe(scope["method"], route, status, seconds)
            facts = {
                "user": session and session.user,
                "method": scope["method"][:_SHOWN],
                "route": route,
                "path": route_path(scope)[:_SHOWN],
                "status": status,
                "ms": round(1000 * seconds, 1),
                "client": (scope.get("client") or [""])[0],
            }
            log.info("%s %s %s", facts["method"], facts["path"], status, extra={"facts": facts})

    def _route(self, scope: Scope) -> str:
        """Return the path of the endpoint with its parameters by name; "page" for a file of the page, "" for neither.

        FastAPI tells the path of a route below that of its router; older versions tell the whole path.
        """
        route: str = getattr(scope.get("route"), "path", "")
        if not route:
            return "page" if "endpoint" in scope else ""
        below = route_path(scope).startswith(f"{self._api}/") and not route.startswith(f"{self._api}/")
        return self._api + route if below else route


class JsonFormatter(logging.Formatter):
    """Writes a log record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        at = datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds")
        content = {"time": at, "level": record.levelname.lower(), "logger": record.name}
        if (request_id := _request_id.get()) is not None:
            content["request"] = request_id
        content |= getattr(record, "facts", None) or {"message": record.getMessage()}
        if record.exc_info:
            content["traceback"] = self.formatException(record.exc_info)
        return json.dumps(content, ensure_ascii=True)


class TextFormatter(logging.Formatter):
    """Writes a log record as text, without what a file from outside could tell a terminal to do.

    Lines after the first are indented, so that no text from outside looks like a record of its own.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the text."""
        text = super().format(record).replace("\n", "\n    ")
        return "".join(one if one.isprintable() or one in "\n\t" else "�" for one in text)


def is_no_end(record: logging.LogRecord) -> bool:
    """Return whether a record is not of an answer that was cut off because the server stops, which is no mistake."""
    return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))


def set_up_logs(*, as_json: bool) -> None:
    """Write logs to standard error: as JSON with each request, or as text with warnings only.

    Args:
        as_json: Which of both. With JSON, warnings of other packages are lines of JSON, too.
    """
    handler = logging.StreamHandler()
    handler.addFilter(is_no_end)
    handler.setFormatter(JsonFormatter() if as_json else TextFormatter("%(levelname)s: %(message)s"))
    for name in ("musicrec.web", "uvicorn", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers = [] if name == "uvicorn.error" else [handler]  # that one hands its records to uvicorn
        logger.setLevel(logging.INFO if as_json else logging.WARNING)
        logger.propagate = name == "uvicorn.error"
    if as_json:
        logging.getLogger().handlers = [handler]
        logging.captureWarnings(True)
