"""Fetching what a dataset's own host offers: resumed where it was broken off, kept only if its checksum is right."""

import hashlib
import os
import shutil
import tarfile
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path, PurePosixPath

from rich import progress
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn, track

from musicrec.errors import DownloadError
from musicrec.locks import locked

_BLOCK_BYTES = 1 << 20
_TIMEOUT_S = 60
PAUSE_S = 2.0  # before the second attempt; longer before every further one
_ATTEMPTS = 5  # without a byte between them


@dataclass(frozen=True, kw_only=True)
class Archive:
    """A file, or an archive to unpack, at a dataset's own host.

    urls: of the file, or of the parts that joined are the file. checksums: one a part, such as "md5:179c…".
    becomes: the file's path below the root; of an archive the folder that its content becomes. Its being there means
    that nothing is to be fetched. inner: the folder within the archive that is taken; "" for all of it.
    """

    urls: tuple[str, ...]
    checksums: tuple[str, ...]
    becomes: str
    unpack: bool = False
    inner: str = ""


def fetch(archives: Sequence[Archive], root: Path) -> None:
    """Fetch and unpack what is not there yet. A broken download goes on where it was, also in a later call.

    Raises:
        DownloadError: a host does not answer, a checksum is wrong, an archive is damaged or would write elsewhere, or
            the disk is full.
    """
    with locked(root / ".download.lock"):  # of two processes, one fetches
        _fetch(archives, root)


def _fetch(archives: Sequence[Archive], root: Path) -> None:
    for number, archive in enumerate(archives, start=1):
        target = root / archive.becomes
        if target.exists():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        counted = f"{number}/{len(archives)} " if len(archives) > 1 else ""
        pairs = zip(archive.urls, archive.checksums, strict=True)
        try:
            parts = [_download(url, root, checksum=checksum, counted=counted) for url, checksum in pairs]
            whole = parts[0] if len(parts) == 1 else _joined(parts)
            if archive.unpack:
                _unpack(whole, target, inner=archive.inner)
                whole.unlink()
            else:
                os.replace(whole, target)
        except OSError as error:
            raise DownloadError(
                f"{root}: cannot be written ({error.strerror or error}); the same command goes on"
            ) from None
        for part in parts:
            part.unlink(missing_ok=True)


def _download(url: str, root: Path, *, checksum: str, counted: str) -> Path:
    """root/NAME.fetched, its checksum verified."""
    name = PurePosixPath(url).name
    part, done = root / f"{name}.part", root / f"{name}.fetched"
    if done.exists():  # the parts of an archive wait for each other
        return done
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    failures = 0
    with Progress(*columns, console=Console(stderr=True), transient=bool(counted)) as bar:
        task = bar.add_task(f"{counted}{name}", total=None)
        while True:
            before = part.stat().st_size if part.exists() else 0
            try:
                _receive(url, part, bar, task)
                break
            except urllib.error.HTTPError as error:
                raise DownloadError(f"{url}: the host answers {error.code} {error.reason}; fetch it by hand") from None
            except (urllib.error.URLError, HTTPException, TimeoutError, ConnectionError) as error:
                there = part.stat().st_size if part.exists() else 0
                failures = failures + 1 if there == before else 1
                if failures == _ATTEMPTS:
                    reason = getattr(error, "reason", None) or str(error) or type(error).__name__
                    kept = f"; {there:,} bytes are kept, and" if there else ";"
                    raise DownloadError(f"{url}: cannot be fetched ({reason}){kept} the same command goes on") from None
                time.sleep(PAUSE_S * failures)
    _verify(part, checksum, url)
    os.replace(part, done)
    return done


def _receive(url: str, part: Path, bar: Progress, task: int) -> None:
    """Append to `part` what it lacks. Raises ConnectionError where less comes than the host has promised."""
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT_S)
    except urllib.error.HTTPError as error:
        if error.code == 416 and have:  # nothing lies beyond what is there; the checksum decides whether it is right
            return
        raise
    with response:
        if response.status != 206:  # the host sends the whole file again
            have = 0
        length = response.headers.get("Content-Length")
        total = have + int(length) if length else None
        free = shutil.disk_usage(part.parent).free
        if total is not None and total - have > free:
            raise DownloadError(f"{part.parent}: {url} needs {total - have:,} bytes, {free:,} are free; make room")
        bar.update(task, total=total, completed=have)
        with open(part, "ab" if have else "wb") as file:
            while block := response.read(_BLOCK_BYTES):
                file.write(block)
                have += len(block)
                bar.update(task, completed=have)
    if total is not None and have < total:
        raise ConnectionError(f"{have:,} of {total:,} bytes came")


def _verify(path: Path, checksum: str, url: str) -> None:
    algorithm, _, expected = checksum.partition(":")
    digest = hashlib.new(algorithm, usedforsecurity=False)
    console = Console(stderr=True)
    with progress.open(path, "rb", description=f"Checking {path.stem}", console=console, transient=True) as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    if digest.hexdigest() != expected:
        path.unlink()
        raise DownloadError(f"{url}: its {algorithm} is {digest.hexdigest()}, expected {expected}; thrown away")


def _joined(parts: list[Path]) -> Path:
    joined = parts[0].with_name(f"{parts[0].stem}.joined")
    with open(joined, "wb") as out:
        for part in parts:
            with open(part, "rb") as file:
                shutil.copyfileobj(file, out, _BLOCK_BYTES)
    return joined


def _unpack(archive: Path, target: Path, *, inner: str) -> None:
    """Unpack beside the target, then rename: an unpacking that was broken off does not pass for a whole one."""
    beside = target.with_name(f".{target.name}.unpacking")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir()
    console = Console(stderr=True)
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as file:
                for member in track(file.infolist(), f"Unpacking {target.name}", console=console):
                    if member.filename.startswith("/") or ".." in PurePosixPath(member.filename).parts:
                        raise DownloadError(f"{archive}: would write to {member.filename}; not unpacked")
                    file.extract(member, beside)
        else:
            with tarfile.open(archive) as file:
                for member in track(file, f"Unpacking {target.name}", total=None, console=console):
                    file.extract(member, beside, filter="data")
    except tarfile.FilterError as error:
        raise DownloadError(f"{archive}: would write elsewhere ({error}); not unpacked") from None
    except (zipfile.BadZipFile, tarfile.TarError, NotImplementedError, EOFError) as error:
        reason = str(error).splitlines()[0]
        raise DownloadError(f"{archive}: cannot be unpacked ({reason}); delete it and fetch it again") from None
    if not (beside / inner).is_dir():
        raise DownloadError(f"{archive}: holds no folder {inner}")
    os.replace(beside / inner, target)
    shutil.rmtree(beside, ignore_errors=True)
