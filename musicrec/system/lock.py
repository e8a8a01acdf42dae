"""Locks on files that end with the process that holds them, also when it is killed.

They are POSIX record locks: those work on network file systems, and a forked child (a loader's worker) does not hold
its parent's. A process must not ask after a lock of its own: it would get it, and lose it.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Wait for the lock and hold it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "ab") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        yield


@contextmanager
def held(path: Path) -> Iterator[bool]:
    """Take the lock unless another process has it; whether it was free."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "ab") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):  # which of them is the system's choice
            yield False
        else:
            yield True


def is_held(path: Path) -> bool:
    """Whether another process has the lock."""
    if not path.exists():
        return False
    with held(path) as free:
        return not free
