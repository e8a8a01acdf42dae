"""Write files and folders completely or not at all.

The new content is written beside the old one and then takes its place, so a reader sees either the old or the new
content, also after a crash. Temporary names are `.NAME-xxxxxxxx.part`.
"""

import contextlib
import errno
import json
import math
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from musicrec.errors import MusicrecError

_ABANDONED_S = 3600.0  # a writer that left its file alone for so long was killed
_TEMPORARY = re.compile(r"\.(?P<name>.+)-[0-9a-f]{8}\.(part|old)")
_ATTEMPTS = 20


@contextmanager
def atomic_write(
    path: str | Path, mode: str = "w", *, error: type[MusicrecError] | None = MusicrecError
) -> Iterator[IO[Any]]:
    """Replace a file by what the `with` block writes, unless the block fails.

    The file and its folder are synchronised to the disk. Permissions follow the umask. Folders that are missing are
    made. What killed writers of the same file left behind is removed.

    Args:
        path: The file.
        mode: "w" for UTF-8 text, "wb" for bytes.
        error: What to raise where the file cannot be written; None leaves the OSError as it is.

    Yields:
        The open file, which can also be read and searched.

    Raises:
        MusicrecError: The file cannot be written, for example because the disk is full. The old file is unchanged.
    """
    path = Path(path)
    with _reported(path, error):
        _make_folder(path.parent)
        part = _temporary(path, "part")
        descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        text: dict[str, Any] = {} if "b" in mode else {"encoding": "utf-8", "newline": ""}
        try:
            with open(descriptor, f"{mode}+", **text) as file:
                yield file
            move_file(part, path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        remove_leftovers(path.parent, name=path.name)


@contextmanager
def atomic_folder(path: str | Path, *, error: type[MusicrecError] | None = MusicrecError) -> Iterator[Path]:
    """Replace a folder by the one that the `with` block fills, unless the block fails.

    All files and folders are synchronised to the disk. What killed writers of the same folder left behind is removed.

    Args:
        path: The folder; whether one that exists may be replaced is for the caller to check.
        error: What to raise where the folder cannot be written; None leaves the OSError as it is.

    Yields:
        An empty folder beside `path`, which the block fills.

    Raises:
        MusicrecError: The folder cannot be written. The old folder is unchanged.
    """
    path = Path(path)
    with _reported(path, error):
        _make_folder(path.parent)
        part = _temporary(path, "part")
        part.mkdir()
        try:
            yield part
            for folder, _, files in os.walk(part):
                for file in files:
                    _sync(Path(folder, file))
                _sync(Path(folder))
            _move_folder(part, path)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise
        _sync(path.parent)
        remove_leftovers(path.parent, name=path.name)


def write_json(
    path: str | Path,
    content: Mapping,
    *,
    indent: int | None = 1,
    error: type[MusicrecError] | None = MusicrecError,
) -> None:
    """Replace a file by JSON, completely or not at all.

    Args:
        path: The file.
        content: What to write; NaN and infinity, which JSON lacks, become null.
        indent: Spaces of indentation; None writes a single line.
        error: What to raise where the file cannot be written, see `atomic_write`.
    """
    with atomic_write(path, error=error) as file:
        file.write(json.dumps(_finite(content), indent=indent, ensure_ascii=False) + "\n")


def write_text(path: str | Path, text: str, *, error: type[MusicrecError] | None = MusicrecError) -> None:
    """Replace a file by UTF-8 text, completely or not at all; see `atomic_write`."""
    with atomic_write(path, error=error) as file:
        file.write(text)


def move_file(part: Path, path: Path) -> None:
    """Put a finished file in the place of another one, so that it is complete also after a power failure.

    Args:
        part: The finished file, on the same disk.
        path: Its new place.

    Raises:
        OSError: The file cannot be moved.
    """
    _sync(part)
    os.replace(part, path)
    _sync(path.parent)


def remove_leftovers(folder: Path, *, name: str | None = None, older_than_s: float = _ABANDONED_S) -> None:
    """Remove the temporary files and folders of writers that were killed.

    Args:
        folder: Where to look.
        name: Only those of this file or folder; None removes all.
        older_than_s: Leave those that changed within so many seconds, which may belong to a writer at work. Give 0
            where a lock excludes other writers.
    """
    with os.scandir(folder) as entries:
        for entry in entries:
            match = _TEMPORARY.fullmatch(entry.name)
            if match is None or name not in (None, match["name"]):
                continue
            with contextlib.suppress(OSError):  # another process may be quicker
                if time.time() - entry.stat(follow_symlinks=False).st_mtime < older_than_s:
                    continue
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path)
                else:
                    os.unlink(entry.path)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder)) from None


def _temporary(path: Path, suffix: str) -> Path:
    return path.with_name(f".{path.name}-{secrets.token_hex(4)}.{suffix}")


def _move_folder(new: Path, path: Path) -> None:
    """Put a folder in the place of another one. Several processes may do so at once; the last one wins."""
    old = _temporary(path, "old")
    for _ in range(_ATTEMPTS):
        try:
            os.rename(new, path)  # also replaces an empty folder
            break
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
        shutil.rmtree(old, ignore_errors=True)
        with contextlib.suppress(FileNotFoundError):  # another process has just moved it away
            os.rename(path, old)
    else:
        raise FileExistsError(errno.EEXIST, "other processes write it at the same time", str(path))
    shutil.rmtree(old, ignore_errors=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # a network file system may not synchronise folders
            raise
    finally:
        os.close(descriptor)


@contextmanager
def _reported(path: Path, wanted: type[MusicrecError] | None) -> Iterator[None]:
    """Turn an OSError into one message of the class that the caller wants."""
    try:
        yield
    except OSError as error:
        if wanted is None:
            raise
        raise wanted(f"cannot write {path}: {error.strerror or error}") from error


def _finite(value: object) -> object:
    """Return a value with NaN and infinity replaced by None, in containers, too."""
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def may_write_in(folder: str | os.PathLike[str]) -> bool:
    """Return whether files can be made in a folder, by its permissions and those of its disk."""
    return os.access(folder, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids)
