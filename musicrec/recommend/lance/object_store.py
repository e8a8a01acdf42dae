"""Libraries in an object store: its address, and its errors in the words of users.

LanceDB reads credentials and regions from the environment itself, as the object store's own programs do.
"""

import os
import re
from functools import lru_cache
from http.client import HTTPException
from ssl import SSLError
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, Request, build_opener

from musicrec.errors import LibraryError

_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
"""What names an S3 server other than Amazon's; the first one that is set counts, as in Amazon's own programs."""

_RETRY_S = 20  # LanceDB tries again for three minutes, and it does so six times
_ANSWER_S = 5.0
_REMOTE = re.compile(r"([a-z0-9+]{2,})://([^/]*)")
_NO_CREDENTIALS = ("CredentialsNotLoaded", "Failed to get AWS credentials", "FailedToLoadToken")
_DENIED = re.compile(r"status(?: code)?: 40[13]\b|AccessDenied|InvalidAccessKeyId|SignatureDoesNotMatch")
_UNREACHABLE = ("kind: Connect", "kind: Timeout", "TimedOut", "dns error", "error sending request", "timed out")
_SAID = re.compile(r"<Code>(.*?)</Code>(?:.*?<Message>(.*?)</Message>)?", re.DOTALL)


def is_remote(place: str) -> bool:
    """Return whether a database is in an object store."""
    return bool(_REMOTE.match(place))


def storage_options(place: str) -> dict[str, str]:
    """Return what LanceDB is told beside what it reads from the environment.

    Args:
        place: An address such as s3://bucket/folder.
    """
    options = {"client_retry_timeout": str(_RETRY_S)}
    endpoint = _endpoint(place)
    if endpoint is not None:
        # Who names a server by http:// wants no TLS. Amazon's own programs need no other variable for it, either.
        options |= {"aws_endpoint": endpoint, "allow_http": str(endpoint.startswith("http://")).lower()}
    return options


def check_reachable(place: str, *, named: str) -> None:
    """Check that a server answers at all, as LanceDB would ask one for minutes that does not.

    Args:
        place: An address such as s3://bucket/folder.
        named: The library, for messages.

    Raises:
        LibraryError: The server that the environment names does not answer, or its address is none.
    """
    endpoint = _endpoint(place)
    if endpoint is None:
        return
    if not re.match(r"https?://[^/]", endpoint):
        raise LibraryError(f"{named}: {_variable()}={endpoint} is no address of a server; one starts with https://")
    try:
        _ask(endpoint)
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        text = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
        raise LibraryError(
            f"{named}: {endpoint} does not answer ({text}); check that this server runs, and {_variable()}"
        ) from None


def explained(text: str, *, place: str, named: str) -> str | None:
    """Return an error of an object store in one sentence; None for other errors.

    Args:
        text: The whole error of LanceDB.
        place: The address of the library.
        named: The library, for messages.
    """
    matched = _REMOTE.match(place)
    if matched is None:
        return None
    kind, bucket = matched.groups()
    found = _SAID.search(text)
    said = ": ".join(part for part in found.groups() if part) if found else ""
    if "NoSuchBucket" in text:
        return f"{named}: there is no bucket {bucket}; make it first, or name another one"
    if any(sign in text for sign in _NO_CREDENTIALS):
        return f"{named}: no credentials found; {_credentials(kind)}"
    if _DENIED.search(text):
        return f"{named}: access denied{f' ({said})' if said else ''}; {_credentials(kind)}"
    if any(sign in text for sign in _UNREACHABLE):
        server = _endpoint(place) or "the object store"
        return f"{named}: {server} does not answer; try again when it does; earlier writes are kept"
    return f"{named}: {said}; earlier writes are kept" if said else None


def _credentials(kind: str) -> str:
    names = {
        "s3": "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION",
        "gs": "GOOGLE_APPLICATION_CREDENTIALS",
        "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
    }
    return f"check {names.get(kind, 'the credentials in the environment')}"


def _variable() -> str:
    return next((name for name in _ENDPOINTS if os.environ.get(name)), _ENDPOINTS[1])


def _endpoint(place: str) -> str | None:
    return os.environ.get(_variable()) or None if place.startswith("s3://") else None


class _StayHere(HTTPRedirectHandler):
    def redirect_request(self, *arguments: object) -> None:
        """Take a redirection as an answer."""


@lru_cache
def _ask(endpoint: str) -> None:
    """Ask a server anything, once; any answer will do, also "no"."""
    try:
        build_opener(_StayHere()).open(Request(endpoint, method="HEAD"), timeout=_ANSWER_S).close()
    except HTTPError:
        return
    except URLError as error:
        if not isinstance(error.reason, SSLError):  # LanceDB may trust other certificates
            raise
