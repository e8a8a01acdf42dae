"""Download files from the host of a dataset: interrupted downloads resume, and every checksum is verified."""

import hashlib
import os
import re
import shutil
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path, PurePosixPath

from rich import progress
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from musicrec.data.adapters.archives import check_free_space, join_parts, unpack, unpacking_folder
from musicrec.errors import DownloadError
from musicrec.system.atomic_write import move_file
from musicrec.system.console import error_console
from musicrec.system.lock import wait_for_lock

_BLOCK_BYTES = 1 << 20
_TIMEOUT_S = 60
PAUSE_S = 2.0  # before the second attempt; doubled before every further attempt
_ATTEMPTS = 5  # in a row that receive nothing
_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})  # statuses of a host that may answer later
_LOST = (urllib.error.URLError, HTTPException, TimeoutError, ConnectionError, ssl.SSLError)


class _RefusedError(DownloadError):
    """The host lacks a file or sends another content. Other files may still be available."""


@dataclass(frozen=True, kw_only=True)
class Archive:
    """A file, or an archive to unpack, on the host of a dataset.

    Attributes:
        urls: The file, or the parts that make the file when joined.
        checksums: One per part, such as "md5:179c…".
        target: Path below the root that the file, or the content of the archive, becomes.
        unpack: Whether the file is an archive to unpack.
        inner: Folder within the archive that is taken; "" for all of it.
        present_patterns: Nothing is downloaded if a path below the root matches one of these patterns. The default is
            the file itself, or anything in the folder.
    """

    urls: tuple[str, ...]
    checksums: tuple[str, ...]
    target: str
    unpack: bool = False
    inner: str = ""
    present_patterns: tuple[str, ...] = ()

    def is_present(self, root: Path) -> bool:
        """Return whether the content is below the root already."""
        patterns = self.present_patterns or (f"{self.target}/*" if self.unpack else self.target,)
        return any(not path.name.startswith(".") for pattern in patterns for path in root.glob(pattern))


def fetch(archives: Sequence[Archive], root: Path) -> None:
    """Download and unpack the archives that are not present yet.

    An interrupted download resumes where it stopped, also in a later call. If the host lacks a file, or its checksum is
    wrong, the remaining files are still downloaded before the error is raised.

    Args:
        archives: What to download.
        root: The folder of the dataset.

    Raises:
        DownloadError: If a host does not answer, a checksum is wrong, an archive is damaged or would write outside its
            folder, or the disk is full or not writable.
    """
    try:
        with wait_for_lock(root / ".download.lock"):  # of two processes, one fetches
            _fetch(archives, root)
    except OSError as error:
        reason = error.strerror or error
        raise DownloadError(
            f"{root}: cannot be written ({reason}); make it writable and run the same command again"
        ) from None


def _fetch(archives: Sequence[Archive], root: Path) -> None:
    refused = []
    for number, archive in enumerate(archives, start=1):
        target = root / archive.target
        kept = [root / f"{PurePosixPath(url).name}.fetched" for url in archive.urls]
        if not archive.is_present(root):
            if archive.unpack and target.exists() and os.listdir(target):
                raise DownloadError(
                    f"{target}: exists, but does not hold the content of {archive.urls[0]}; move it away"
                )
            target.parent.mkdir(parents=True, exist_ok=True)
            counted = f"{number}/{len(archives)} " if len(archives) > 1 else ""
            pairs = zip(archive.urls, archive.checksums, strict=True)
            try:
                parts = [_download(url, root, checksum=checksum, counted=counted) for url, checksum in pairs]
            except _RefusedError as error:
                refused.append(error)
                continue
            whole = parts[0] if len(parts) == 1 else join_parts(parts, kept[0].with_suffix(".joined"))
            if archive.unpack:
                unpack(whole, target, inner=archive.inner)
            else:
                move_file(whole, target)
        # Also after a run that was killed between unpacking and cleaning up.
        for done in kept:
            for left in (done, done.with_suffix(".part"), done.with_suffix(".joined")):
                left.unlink(missing_ok=True)
        shutil.rmtree(unpacking_folder(target), ignore_errors=True)
    if len(refused) == 1:
        raise refused[0]
    if refused:
        raise DownloadError(f"{refused[0]} (and {len(refused) - 1:,} more of {len(archives):,} files)")


def _download(url: str, root: Path, *, checksum: str, counted: str) -> Path:
    """Return root/NAME.fetched with its checksum verified, or root/NAME if the user has put a valid file there."""
    name = PurePosixPath(url).name
    by_hand, part, done = root / name, root / f"{name}.part", root / f"{name}.fetched"
    if done.exists():  # the parts of an archive wait for each other
        return done
    if by_hand.is_file() and _checksum(by_hand, checksum) == checksum:
        return by_hand
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    failures, most = 0, _size(part)
    with Progress(*columns, console=error_console(), transient=bool(counted)) as bar:
        task = bar.add_task(f"{counted}{name}", total=None)
        while True:
            try:
                _receive(url, part, bar, task)
                break
            except _LOST as error:
                answer = f"the host answered {error.code} {error.reason}" if hasattr(error, "code") else None
                if answer and error.code not in _BUSY:
                    raise _RefusedError(f"{url}: {answer}; download it by hand into {root}") from None
                failures = 1 if _size(part) > most else failures + 1
                most = max(most, _size(part))
                if failures == _ATTEMPTS:
                    reason = answer or getattr(error, "reason", None) or str(error) or type(error).__name__
                    kept = f"; {_size(part):,} bytes are kept" if _size(part) else ""
                    raise DownloadError(
                        f"{url}: cannot be downloaded ({reason}){kept}; run the same command again"
                    ) from None
                time.sleep(PAUSE_S * 2 ** (failures - 1))
    found = _checksum(part, checksum)
    if found != checksum:
        part.unlink()
        algorithm, _, expected = checksum.partition(":")
        digest = found.partition(":")[2]
        raise _RefusedError(f"{url}: its {algorithm} is {digest}, expected {expected}; the download was deleted")
    move_file(part, done)
    return done


class _WebOnlyRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to http and https only, not to files or other protocols of this machine."""

    def http_error_302(self, request, answer, code, message, headers):
        place = headers.get("location", "")
        if re.match(r"(?!https?:)[a-z][a-z0-9+.-]*:", place, re.IGNORECASE):
            raise DownloadError(
                f"{request.full_url}: redirects to {place}, which is not on the web; download it by hand"
            )
        return super().http_error_302(request, answer, code, message, headers)

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


def _receive(url: str, part: Path, bar: Progress, task: int) -> None:
    """Append the missing bytes to `part`.

    Raises:
        ConnectionError: If the host sends less than it announced, or another range than was asked for.
    """
    have = _size(part)
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        response = urllib.request.build_opener(_WebOnlyRedirects).open(request, timeout=_TIMEOUT_S)
    except urllib.error.HTTPError as error:
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
        bar.update(task, total=total, completed=have)
        with open(part, "ab" if have else "wb") as file:
            while block := response.read(_BLOCK_BYTES):
                file.write(block)
                have += len(block)
                bar.update(task, completed=have)
    if total is not None and have < total:
        raise ConnectionError(f"received {have:,} of {total:,} bytes")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _checksum(path: Path, like: str) -> str:
    """Return the checksum of a file in the algorithm and form of another one, such as "md5:179c…"."""
    algorithm = like.partition(":")[0]
    digest = hashlib.new(algorithm, usedforsecurity=False)
    console = error_console()
    with progress.open(path, "rb", description=f"Checking {path.name}", console=console, transient=True) as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return f"{algorithm}:{digest.hexdigest()}"
