"""Locks between processes, on files.

A lock ends with the process that holds it, also when the process is killed. These are POSIX record locks: they work on
network file systems, and a forked child, such as a worker of a data loader, does not hold the lock of its parent. They
do not exclude threads of one process, and a process must never try a lock that it already holds: it would succeed, and
then lose the lock.
"""

import fcntl
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def wait_for_lock(path: Path, *, note: str | None = None) -> Iterator[bool]:
    """Wait for a lock and hold it during the `with` block.

    Args:
        path: The file that stands for the lock; it is made, and stays.
        note: What to print to standard error if another process holds the lock.

    Yields:
        True, as `try_lock` does where the lock is free.
    """
    with _opened(path) as file:
        if not _acquire(file):
            if note is not None:
                print(note, file=sys.stderr, flush=True)
            fcntl.lockf(file, fcntl.LOCK_EX)
        yield True


@contextmanager
def try_lock(path: Path) -> Iterator[bool]:
    """Hold a lock during the `with` block unless another process holds it.

    Args:
        path: The file that stands for the lock; it is made, and stays.

    Yields:
        Whether this process holds the lock now.
    """
    with _opened(path) as file:
        yield _acquire(file)


def is_locked(path: Path) -> bool:
    """Return whether another process holds a lock."""
    if not path.exists():
        return False
    with try_lock(path) as acquired:
        return not acquired


def _opened(path: Path) -> IO[bytes]:
    path.parent.mkdir(parents=True, exist_ok=True)
    return open(path, "ab")


def _acquire(file: IO[bytes]) -> bool:
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # which of the two is up to the system
        return False
    return True
