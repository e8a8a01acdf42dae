"""The folder of temporary files of one server. What a killed server left is removed when the next one starts."""

import contextlib
import grp
import os
import pwd
import re
import secrets
import shutil
import stat
import threading
from contextlib import ExitStack
from pathlib import Path

import platformdirs

from musicrec.errors import ConfigError
from musicrec.system.lock import try_lock, wait_for_lock

_LOCK = ".lock"
_NAME = re.compile("server-[0-9a-f]{16}")
_OPEN: set[Path] = set()  # of this process, in which a lock excludes nobody
_ALONE = threading.Lock()


def usual_place() -> Path:
    """Return where the folders of servers are made."""
    return platformdirs.user_cache_path("musicrec") / "serve"


class ServerFolder:
    """A new folder that only this user can read, for the time of a `with` block.

    Args:
        place: Where to make it, a folder of this user. What servers that no longer run left there is removed, and
            nothing else.

    Attributes:
        path: The folder.

    Raises:
        ConfigError: As for `make_place`.
    """

    def __init__(self, place: Path | None = None) -> None:
        self._place = usual_place() if place is None else place
        self._stack = ExitStack()
        self.path = self._place / f"server-{secrets.token_hex(8)}"

    def __enter__(self) -> "ServerFolder":
        make_place(self._place)
        with _ALONE, wait_for_lock(self._place / _LOCK):
            self._remove_stale()
            self.path.mkdir(mode=0o700)
            self._stack.enter_context(try_lock(self.path / _LOCK))
            _OPEN.add(self.path)
        return self

    def __exit__(self, *exception: object) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        with _ALONE:
            _OPEN.discard(self.path)
        self._stack.close()

    def below(self, name: str) -> Path:
        """Return a folder in it, which is made."""
        folder = self.path / name
        folder.mkdir(exist_ok=True, mode=0o700)
        return folder

    def _remove_stale(self) -> None:
        for folder in self._place.glob("server-*"):
            ours = _NAME.fullmatch(folder.name) and (folder / _LOCK).is_file()  # the place may hold other things, too
            if not ours or folder in _OPEN or folder.is_symlink():
                continue
            with contextlib.suppress(OSError), try_lock(folder / _LOCK) as gone:
                if gone:
                    shutil.rmtree(folder, ignore_errors=True)


def make_place(place: Path) -> None:
    """Make the folder in which those of servers are.

    Raises:
        ConfigError: It cannot be made, nothing may be written there, or others can, who may put links there.
    """
    try:
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        facts = place.stat()
    except OSError as error:
        raise ConfigError(f"temporary={place}: cannot be made: {error.strerror}; name another folder") from None
    others = facts.st_mode & stat.S_IWOTH or (facts.st_mode & stat.S_IWGRP and not _is_own_group(facts.st_gid))
    if others or facts.st_uid not in (os.getuid(), 0):
        raise ConfigError(f"temporary={place}: other users can write there; name a folder of your own")
    if not os.access(place, os.W_OK | os.X_OK):
        raise ConfigError(f"temporary={place}: nothing may be written there; name a folder of your own")


def _is_own_group(number: int) -> bool:
    """Return whether nobody else is in a group, as in those that many systems make for each user."""
    try:
        user, group = pwd.getpwuid(os.getuid()), grp.getgrgid(number)
    except KeyError:
        return False
    return user.pw_gid == number and user.pw_name == group.gr_name and not set(group.gr_mem) - {user.pw_name}


def free_bytes(folder: Path) -> int:
    """Return how many bytes can still be written to the disk of a folder."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize
