"""Join the parts of archives, and unpack archives without writing outside the target folder."""

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
from musicrec.system.download import check_free_space

_BLOCK_BYTES = 1 << 20
_DAMAGE = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, RuntimeError)


def join_parts(parts: list[Path], joined: Path) -> Path:
    """Write the parts one after another into one file, and return its path."""
    joined.unlink(missing_ok=True)
    size = sum(part.stat().st_size for part in parts)
    check_free_space(joined.parent, size, f"joining {len(parts)} parts to {joined.name}")
    with open(joined, "wb") as out:
        for part in parts:
            with open(part, "rb") as file:
                shutil.copyfileobj(file, out, _BLOCK_BYTES)
    return joined


def unpacking_folder(target: Path) -> Path:
    """Return the folder in which an archive is unpacked before it is renamed to the target."""
    return target.with_name(f".{target.name}.unpacking")


def unpack(archive: Path, target: Path, *, inner: str) -> None:
    """Unpack an archive beside the target and then rename it, so that an interrupted unpacking leaves no target.

    Args:
        archive: A ZIP or tar file.
        target: The folder that the content becomes.
        inner: Folder within the archive that is taken; "" for all of it.

    Raises:
        DownloadError: If the archive is damaged, would write outside the folder or lacks the folder `inner`, or if the
            disk is full.
    """
    if not hasattr(tarfile, "data_filter"):
        raise DownloadError(f"{archive}: safe unpacking needs Python 3.10.12, 3.11.4 or later; unpack it by hand")
    folder = unpacking_folder(target)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as file:
                members = file.infolist()
                for member in members:
                    if member.filename.startswith("/") or ".." in PurePosixPath(member.filename).parts:
                        raise DownloadError(
                            f"{archive}: not unpacked, because it would write outside its folder ({member.filename})"
                        )
                check_free_space(folder, sum(member.file_size for member in members), f"unpacking {archive.name}")
                for member in _with_progress(members, target):
                    file.extract(member, folder)
        else:
            check_free_space(folder, archive.stat().st_size, f"unpacking {archive.name}")
            with tarfile.open(archive) as file:
                for member in _with_progress(file, target):
                    file.extract(member, folder, filter="data")
    except tarfile.FilterError as error:
        raise DownloadError(f"{archive}: not unpacked, because it would write outside its folder ({error})") from None
    except _DAMAGE as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise DownloadError(
            f"{archive}: cannot be unpacked ({reason}); delete it and run the same command again"
        ) from None
    if not (folder / inner).is_dir():
        raise DownloadError(f"{archive}: contains no folder {inner}")
    os.replace(folder / inner, target)


def _with_progress(members: Iterable, target: Path) -> Iterable:
    total = len(members) if isinstance(members, list) else None
    return track(members, f"Unpacking {target.name}", total=total, console=error_console())
