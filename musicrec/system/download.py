"""Download a file from the web: an interrupted download resumes, and the checksum is verified."""

import hashlib
import re
import shutil
import ssl
import time
import urllib.error
import urllib.request
from http.client import HTTPException, HTTPMessage
from pathlib import Path
from typing import IO

from rich import progress
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn

from musicrec.errors import DownloadError
from musicrec.system.atomic_write import write_text
from musicrec.system.console import error_console

_BLOCK_BYTES = 1 << 20
_TIMEOUT_S = 60
_PAUSE_S = 2.0  # before the second attempt; doubled before every further attempt
_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})  # statuses of a host that may answer later
_HTTPError = urllib.error.HTTPError
_LOST = (urllib.error.URLError, HTTPException, TimeoutError, ConnectionError, ssl.SSLError)


class RefusedError(DownloadError):
    """The host lacks the file or sends another content. Other files may still be available."""


def download(
    url: str, part: Path, *, checksum: str, title: str, otherwise: str, transient: bool = False, attempts: int = 5
) -> None:
    """Download a file, and show the progress on standard error.

    A file that is partly there is continued, also by a later call, if it is still the same file on the host. If its
    checksum turns out wrong, it is downloaded once more from the beginning.

    Args:
        url: Its address.
        part: Where it is collected. When the function returns, this is the whole file. Beside it lies NAME.etag, the
            host's mark of the version, until the download is complete.
        checksum: The expected one, such as "sha256:f38a…".
        title: What to call the file beside the progress bar.
        otherwise: How to get the file without this download, for messages, such as "download it by hand into FOLDER".
        transient: Whether the progress bar disappears at the end.
        attempts: How many in a row may receive nothing before an error is raised.

    Raises:
        RefusedError: The host does not give the file out, or the checksum is wrong. Nothing is kept.
        DownloadError: The host does not answer, or the disk is full. What was received is kept.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    while True:
        continued = file_size(part) > 0
        with Progress(*columns, console=error_console(), transient=transient) as bar:
            _collect(url, part, bar, bar.add_task(title, total=None), otherwise=otherwise, attempts=attempts)
        _mark(part).unlink(missing_ok=True)
        found = file_checksum(part, checksum)
        if found == checksum:
            return
        part.unlink()
        if not continued:
            break
    algorithm, _, expected = checksum.partition(":")
    digest = found.partition(":")[2]
    raise RefusedError(f"{url}: its {algorithm} is {digest}, expected {expected}; the download was deleted")


def _collect(url: str, part: Path, bar: Progress, task: TaskID, *, otherwise: str, attempts: int) -> None:
    """Download until `part` is complete, with pauses while the host cannot be reached."""
    failures, most = 0, file_size(part)
    while True:
        try:
            return _receive(url, part, bar, task, otherwise=otherwise)
        except _LOST as error:
            answer = f"the host answered {error.code} {error.reason}" if isinstance(error, _HTTPError) else None
            if isinstance(error, _HTTPError) and error.code not in _BUSY:
                raise RefusedError(f"{url}: {answer}; {otherwise}") from None
            failures = 1 if file_size(part) > most else failures + 1
            most = max(most, file_size(part))
            if failures == attempts:
                reason = answer or getattr(error, "reason", None) or str(error) or type(error).__name__
                kept = f"; {file_size(part):,} bytes are kept" if file_size(part) else ""
                raise DownloadError(
                    f"{url}: cannot be downloaded ({reason}){kept}; run the same command again, or {otherwise}"
                ) from None
            time.sleep(_PAUSE_S * 2 ** (failures - 1))


class _WebOnlyRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to http and https only, not to files or other protocols of this machine."""

    def __init__(self, otherwise: str) -> None:
        self.otherwise = otherwise

    def http_error_302(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage
    ) -> object:
        place = headers.get("location", "")
        if re.match(r"(?!https?:)[a-z][a-z0-9+.-]*:", place, re.IGNORECASE):
            raise DownloadError(f"{req.full_url}: redirects to {place}, which is not on the web; {self.otherwise}")
        return super().http_error_302(req, fp, code, msg, headers)

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


def _receive(url: str, part: Path, bar: Progress, task: TaskID, *, otherwise: str) -> None:
    """Append the missing bytes to `part`.

    Raises:
        ConnectionError: If the host sends less than it announced, or another range than was asked for.
    """
    have, mark = file_size(part), _mark(part)
    headers = {}
    if have:
        headers["Range"] = f"bytes={have}-"
        if mark.is_file():  # of another version, the host then sends everything
            headers["If-Range"] = mark.read_text(encoding="utf-8")
    request = urllib.request.Request(url, headers=headers)
    try:
        response = urllib.request.build_opener(_WebOnlyRedirects(otherwise)).open(request, timeout=_TIMEOUT_S)
    except _HTTPError as error:
        if error.code == 416 and have:  # the file is complete; the checksum decides whether it is right
            return
        raise
    with response:
        if response.status != 206:  # the host sends the whole file again
            have = 0
        span = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
        if response.status == 206 and span and int(span[1]) != have:
            part.unlink()
            raise ConnectionError(f"asked for the bytes from {have:,}, the host sent those from {int(span[1]):,}")
        length = response.headers.get("Content-Length", "")
        total = have + int(length) if length.isdecimal() else None
        if total is not None:
            check_free_space(part.parent, total - have, f"downloading {url}")
        etag = response.headers.get("ETag", "")
        if etag.startswith('"'):  # a weak mark, W/"…", does not promise the same bytes
            write_text(mark, etag, error=None)
        elif not have:
            mark.unlink(missing_ok=True)
        bar.update(task, total=total, completed=have)
        with open(part, "ab" if have else "wb") as file:
            while block := response.read1(_BLOCK_BYTES):  # what has arrived, so that little is lost
                file.write(block)
                have += len(block)
                bar.update(task, completed=have)
    if total is not None and have < total:
        raise ConnectionError(f"received {have:,} of {total:,} bytes")


def check_free_space(folder: Path, needed_bytes: int, what: str) -> None:
    """Raise a DownloadError if the disk of a folder has too little space.

    Args:
        folder: An existing folder.
        needed_bytes: Space that is needed.
        what: What the space is for, for the message.
    """
    free = shutil.disk_usage(folder).free
    if needed_bytes > free:
        raise DownloadError(
            f"{folder}: {what} needs {needed_bytes:,} bytes, {free:,} are free; make room and run the same "
            "command again"
        )


def file_size(path: Path) -> int:
    """Return the size of a file in bytes; 0 if there is none."""
    return path.stat().st_size if path.exists() else 0


def file_checksum(path: Path, like: str) -> str:
    """Return the checksum of a file in the algorithm and form of another one, such as "md5:179c…".

    A progress bar is shown while a large file is read.
    """
    algorithm = like.partition(":")[0]
    digest = hashlib.new(algorithm, usedforsecurity=False)
    console = error_console()
    with progress.open(path, "rb", description=f"Checking {path.name}", console=console, transient=True) as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return f"{algorithm}:{digest.hexdigest()}"


def _mark(part: Path) -> Path:
    return part.with_name(f"{part.name}.etag")
