"""Counts and logs requests: ASGI middleware, and log records as lines of JSON."""

import json
import logging
import time
from datetime import datetime, timezone

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from musicrec.web.metrics import Metrics
from musicrec.web.security import route_path

log = logging.getLogger("musicrec.web.requests")


class RequestLog:
    """ASGI middleware that counts each request in the metrics, and logs it.

    Neither query nor headers are logged, which may hold a token.

    Args:
        app: What answers.
        metrics: Where requests are counted.
    """

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request and count it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, begin = 499, time.perf_counter()  # 499: the client left before the answer began

        async def observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, observed)
        except Exception:
            status = 500
            raise
        finally:
            seconds = time.perf_counter() - begin
            route = getattr(scope.get("route"), "path", "")
            self._metrics.observe(scope["method"], route, status, seconds)
            client = (scope.get("client") or [""])[0]
            facts = {
                "method": scope["method"],
                "path": route_path(scope),
                "status": status,
                "ms": round(1000 * seconds, 1),
                "client": client,
            }
            log.info("%s %s %s", facts["method"], facts["path"], status, extra={"facts": facts})


class JsonFormatter(logging.Formatter):
    """Writes a log record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        at = datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds")
        content = {"time": at, "level": record.levelname.lower(), "logger": record.name}
        content |= getattr(record, "facts", None) or {"message": record.getMessage()}
        if record.exc_info:
            content["traceback"] = self.formatException(record.exc_info)
        return json.dumps(content, ensure_ascii=True)


def set_up_logs(*, as_json: bool) -> None:
    """Write logs to standard error: as JSON with each request, or as text with warnings only.

    Args:
        as_json: Which of both.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if as_json else logging.Formatter("%(levelname)s: %(message)s"))
    for name in ("musicrec.web", "uvicorn", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers = [] if name == "uvicorn.error" else [handler]  # that one hands its records to uvicorn
        logger.setLevel(logging.INFO if as_json else logging.WARNING)
        logger.propagate = name == "uvicorn.error"
