"""Fetching what a dataset's own host offers: resumed where it was broken off, kept only if its checksum is right."""

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
from musicrec.system.console import error_console
from musicrec.system.lock import wait_for_lock

_BLOCK_BYTES = 1 << 20
_TIMEOUT_S = 60
PAUSE_S = 2.0  # before the second attempt; twice as long before every further one
_ATTEMPTS = 5  # without a byte more between them
_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})  # answers of a host that may be another one in a while
_LOST = (urllib.error.URLError, HTTPException, TimeoutError, ConnectionError, ssl.SSLError)


class _RefusedError(DownloadError):
    """The host has not got a file, or another one; it may have the next."""


@dataclass(frozen=True, kw_only=True)
class Archive:
    """A file, or an archive to unpack, at a dataset's own host.

    urls: of the file, or of the parts that joined are the file. checksums: one a part, such as "md5:179c…".
    becomes: the file's path below the root; of an archive the folder that its content becomes.
    there: patterns of paths below the root; nothing is fetched where one of them fits a file. By default that is the
    file itself, or any file in the folder. inner: the folder within the archive that is taken; "" for all of it.
    """

    urls: tuple[str, ...]
    checksums: tuple[str, ...]
    target: str
    unpack: bool = False
    inner: str = ""
    present_patterns: tuple[str, ...] = ()

    def is_present(self, root: Path) -> bool:
        patterns = self.present_patterns or (f"{self.target}/*" if self.unpack else self.target,)
        return any(not path.name.startswith(".") for pattern in patterns for path in root.glob(pattern))


def fetch(archives: Sequence[Archive], root: Path) -> None:
    """Fetch and unpack what is not there yet. A broken download goes on where it was, also in a later call. A file that
    the host has not got, or has another of, does not keep those behind it from being fetched.

    Raises:
        DownloadError: a host does not answer, a checksum is wrong, an archive is damaged or would write elsewhere, the
            disk is too full, or cannot be written.
    """
    try:
        with wait_for_lock(root / ".download.lock"):  # of two processes, one fetches
            _fetch(archives, root)
    except OSError as error:
        reason = error.strerror or error
        raise DownloadError(f"{root}: cannot be written ({reason}); the same command goes on") from None


def _fetch(archives: Sequence[Archive], root: Path) -> None:
    refused = []
    for number, archive in enumerate(archives, start=1):
        target = root / archive.target
        kept = [root / f"{PurePosixPath(url).name}.fetched" for url in archive.urls]
        if not archive.is_present(root):
            if archive.unpack and target.exists() and os.listdir(target):
                raise DownloadError(f"{target}: is there, without what {archive.urls[0]} holds; move it away")
            target.parent.mkdir(parents=True, exist_ok=True)
            counted = f"{number}/{len(archives)} " if len(archives) > 1 else ""
            pairs = zip(archive.urls, archive.checksums, strict=True)
            try:
                parts = [_download(url, root, checksum=checksum, counted=counted) for url, checksum in pairs]
            except _RefusedError as error:
                refused.append(error)
                continue
            whole = parts[0] if len(parts) == 1 else join_parts(parts, kept[0].with_suffix(".joined"))
            if archive.unpack:  # what somebody has put there stays there
                unpack(whole, target, inner=archive.inner)
            else:
                os.replace(whole, target)
        # Also where a kill came after the unpacking.
        for done in kept:
            for left in (done, done.with_suffix(".part"), done.with_suffix(".joined")):
                left.unlink(missing_ok=True)
        shutil.rmtree(unpacking_folder(target), ignore_errors=True)
    if len(refused) == 1:
        raise refused[0]
    if refused:
        raise DownloadError(f"{refused[0]} (and {len(refused) - 1:,} more of {len(archives):,} files)")


def _download(url: str, root: Path, *, checksum: str, counted: str) -> Path:
    """root/NAME.fetched, its checksum verified; or root/NAME, where somebody has put it there."""
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
                answer = f"the host answers {error.code} {error.reason}" if hasattr(error, "code") else None
                if answer and error.code not in _BUSY:
                    raise _RefusedError(f"{url}: {answer}; fetch it by hand, into {root}") from None
                failures = 1 if _size(part) > most else failures + 1
                most = max(most, _size(part))
                if failures == _ATTEMPTS:
                    reason = answer or getattr(error, "reason", None) or str(error) or type(error).__name__
                    kept = f"; {_size(part):,} bytes are kept, and" if _size(part) else ";"
                    raise DownloadError(f"{url}: cannot be fetched ({reason}){kept} the same command goes on") from None
                time.sleep(PAUSE_S * 2 ** (failures - 1))
    there = _checksum(part, checksum)
    if there != checksum:
        part.unlink()
        algorithm, _, expected = checksum.partition(":")
        digest = there.partition(":")[2]
        raise _RefusedError(f"{url}: its {algorithm} is {digest}, expected {expected}; thrown away")
    os.replace(part, done)
    return done


class _WebOnlyRedirects(urllib.request.HTTPRedirectHandler):
    """Follows a host that names another place, on the web only."""

    def http_error_302(self, request, answer, code, message, headers):
        place = headers.get("location", "")
        if re.match(r"(?!https?:)[a-z][a-z0-9+.-]*:", place, re.IGNORECASE):
            raise DownloadError(f"{request.full_url}: leads to {place}, which is not on the web; fetch it by hand")
        return super().http_error_302(request, answer, code, message, headers)

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


def _receive(url: str, part: Path, bar: Progress, task: int) -> None:
    """Append to `part` what it lacks. Raises ConnectionError where less comes than the host has promised, or not what
    was asked for."""
    have = _size(part)
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        response = urllib.request.build_opener(_WebOnlyRedirects).open(request, timeout=_TIMEOUT_S)
    except urllib.error.HTTPError as error:
        if error.code == 416 and have:  # nothing lies beyond what is there; the checksum decides whether it is right
            return
        raise
    with response:
        if response.status != 206:  # the host sends the whole file again
            have = 0
        span = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
        if response.status == 206 and span and int(span[1]) != have:
            part.unlink()
            raise ConnectionError(f"asked for the bytes from {have:,}, the host gives those from {int(span[1]):,}")
        length = response.headers.get("Content-Length", "")
        total = have + int(length) if length.isdecimal() else None
        if total is not None:
            check_free_space(part.parent, total - have, f"fetching {url}")
        bar.update(task, total=total, completed=have)
        with open(part, "ab" if have else "wb") as file:
            while block := response.read(_BLOCK_BYTES):
                file.write(block)
                have += len(block)
                bar.update(task, completed=have)
    if total is not None and have < total:
        raise ConnectionError(f"{have:,} of {total:,} bytes came")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _checksum(path: Path, like: str) -> str:
    """The checksum of a file, in the algorithm and form of another: md5:179c…"""
    algorithm = like.partition(":")[0]
    digest = hashlib.new(algorithm, usedforsecurity=False)
    console = error_console()
    with progress.open(path, "rb", description=f"Checking {path.name}", console=console, transient=True) as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return f"{algorithm}:{digest.hexdigest()}"
