"""Archives of datasets: joined from their parts, and unpacked without ever writing elsewhere."""

import lzma
import os
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from rich.progress import track

from musicrec.errors import DownloadError
from musicrec.system.console import error_console

_BLOCK_BYTES = 1 << 20
_DAMAGE = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, RuntimeError)


def check_free_space(folder: Path, needed_bytes: int, what: str) -> None:
    """Raise DownloadError where a disk has less room than is needed."""
    free = shutil.disk_usage(folder).free
    if needed_bytes > free:
        raise DownloadError(
            f"{folder}: {what} needs {needed_bytes:,} bytes, {free:,} are free; make room, and the same command goes on"
        )


def join_parts(parts: list[Path], joined: Path) -> Path:
    """One file of them all."""
    joined.unlink(missing_ok=True)
    size = sum(part.stat().st_size for part in parts)
    check_free_space(joined.parent, size, f"joining {len(parts)} parts to {joined.name}")
    with open(joined, "wb") as out:
        for part in parts:
            with open(part, "rb") as file:
                shutil.copyfileobj(file, out, _BLOCK_BYTES)
    return joined


def unpacking_folder(target: Path) -> Path:
    """Where an archive is unpacked before it becomes the target."""
    return target.with_name(f".{target.name}.unpacking")


def unpack(archive: Path, target: Path, *, inner: str) -> None:
    """Unpack beside the target, then rename: an unpacking that was broken off does not pass for a whole one.

    Raises:
        DownloadError: the archive is damaged, would write elsewhere, holds no folder `inner`, or the disk is too full.
    """
    if not hasattr(tarfile, "data_filter"):
        raise DownloadError(f"{archive}: Python 3.10.12, 3.11.4 or later unpacks it safely; or do it by hand")
    folder = unpacking_folder(target)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as file:
                members = file.infolist()
                for member in members:
                    if member.filename.startswith("/") or ".." in PurePosixPath(member.filename).parts:
                        raise DownloadError(f"{archive}: would write to {member.filename}; not unpacked")
                check_free_space(folder, sum(member.file_size for member in members), f"unpacking {archive.name}")
                for member in _shown(members, target):
                    file.extract(member, folder)
        else:
            check_free_space(folder, archive.stat().st_size, f"unpacking {archive.name}")
            with tarfile.open(archive) as file:
                for member in _shown(file, target):
                    file.extract(member, folder, filter="data")
    except tarfile.FilterError as error:
        raise DownloadError(f"{archive}: would write elsewhere ({error}); not unpacked") from None
    except _DAMAGE as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise DownloadError(f"{archive}: cannot be unpacked ({reason}); delete it and fetch it again") from None
    if not (folder / inner).is_dir():
        raise DownloadError(f"{archive}: holds no folder {inner}")
    os.replace(folder / inner, target)


def _shown(members: Iterable, target: Path) -> Iterable:
    total = len(members) if isinstance(members, list) else None
    return track(members, f"Unpacking {target.name}", total=total, console=error_console())
