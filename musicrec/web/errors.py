"""Mistakes as answers: `{"detail": "one message"}` with a status from 400 on."""

import logging
import re

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from musicrec.errors import AudioError, LibraryError, MusicrecError

log = logging.getLogger("musicrec.web")


class WebError(Exception):
    """A request that cannot be answered.

    Args:
        status: The HTTP status.
        detail: One message for the user.
        headers: Headers of the answer, such as Retry-After.
    """

    def __init__(self, status: int, detail: str, *, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, headers


def no_such_track(track: str) -> WebError:
    """Return the error for an id that the library does not have."""
    return WebError(404, f"{track}: the library has no track with this id")


def too_busy() -> WebError:
    """Return the error for a question before which too many others wait."""
    return WebError(503, "the server has too much to do; try again", headers={"Retry-After": "5"})


def status_of(error: MusicrecError) -> int:
    """Return the HTTP status of a mistake of the user."""
    if isinstance(error, LibraryError):
        return 409
    return 415 if isinstance(error, AudioError) else 400


def register(app: FastAPI) -> None:
    """Let an app answer mistakes in this form."""

    @app.exception_handler(WebError)
    async def _web(request: Request, error: WebError) -> JSONResponse:
        return JSONResponse({"detail": error.detail}, error.status, headers=error.headers)

    @app.exception_handler(MusicrecError)
    async def _musicrec(request: Request, error: MusicrecError) -> JSONResponse:
        return JSONResponse({"detail": printable(str(error))}, status_of(error))

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> JSONResponse:
        return JSONResponse({"detail": str(error.detail)}, error.status_code, headers=error.headers)

    @app.exception_handler(RequestValidationError)
    async def _invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        return JSONResponse({"detail": printable(_in_one_line(error))}, 422)

    @app.exception_handler(Exception)
    async def _unexpected(request: Request, error: Exception) -> JSONResponse:
        log.exception("%s %s failed", request.method, request.url.path, exc_info=error)
        return JSONResponse(
            {"detail": "this failed because of a mistake in musicrec; the log of the server says more"}, 500
        )


def _in_one_line(error: RequestValidationError) -> str:
    """Return the first thing that is wrong with a request."""
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"] if part not in ("body", "query", "path")) or "body"
    return f"{place}: {re.sub(r'^Value error, ', '', first['msg'])}"


def printable(text: str) -> str:
    """Return text that JSON in UTF-8 can hold: odd bytes of file names become �."""
    return text.encode("utf-8", "replace").decode()
