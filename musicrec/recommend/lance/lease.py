"""Who may write a library in an object store, where nothing can be locked.

The row of the table `state` says who writes. While a program writes, it renews this entry; one that was killed no
longer does. Others wait until the entry is empty, or has not changed for a while by their own clock. So the clocks of
the computers need not agree.
"""

import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from musicrec.errors import LibraryError

LEASE_S = 60.0
"""How long the entry of a program counts that does not renew it."""
_RENEWALS = 6  # in that time, as some may fail
_PAUSE_S = 0.2


class Lease:
    """The right of this program to write a library, for as long as it is renewed.

    Args:
        table: The table `state`.
        name: The library, for messages.

    Attributes:
        writer: What names this program in the table.
    """

    def __init__(self, table: Any, *, name: str) -> None:
        self.writer = uuid.uuid4().hex
        self._table, self._name = table, name
        self._renewed, self._ended = 0.0, threading.Event()

    def check(self) -> None:
        """Check that no other program may have taken over, as after the computer has slept.

        Raises:
            LibraryError: One may have.
        """
        if time.time() - self._renewed > LEASE_S:  # this clock also runs while the computer sleeps
            raise LibraryError(f"{self._name} may have been written by another program meanwhile; try again")

    def is_held(self) -> bool:
        """Return whether the table still names this program."""
        return _entry(self._table)[0] == self.writer

    def wait(self) -> None:
        """Wait until no other program writes, and keep others from it."""
        seen, since, told = ("", 0.0), 0.0, False
        while True:
            entry = _entry(self._table)
            if not entry[0]:
                if self._take(entry):
                    return
                continue
            if entry != seen:
                seen, since = entry, time.monotonic()
            elif time.monotonic() - since > LEASE_S:
                if self._take(entry):
                    print(f"that program has not been heard of for {LEASE_S:.0f} s; going on", file=sys.stderr)
                    return
                continue
            if not told:
                note = f"another program is writing {self._name}; waiting until it has saved"
                print(note, file=sys.stderr, flush=True)
                told = True
            time.sleep(_PAUSE_S)

    def renew_until_released(self) -> None:
        """Renew the entry now and then; meant for a thread."""
        while not self._ended.wait(LEASE_S / _RENEWALS):
            now = time.time()
            with suppress(Exception):  # the next time, or `check` says it
                if self._update(f"writer = '{self.writer}'", self.writer, now) != 1:
                    self._renewed = 0.0
                    return
                self._renewed = now

    def end_renewing(self) -> None:
        """Let `renew_until_released` end."""
        self._ended.set()

    def release(self) -> None:
        """Let others write."""
        self._update(f"writer = '{self.writer}'", "", 0.0)

    def _take(self, entry: tuple[str, float]) -> bool:
        now = time.time()
        done = self._update(f"writer = '{entry[0]}' AND until = {entry[1]!r}", self.writer, now)
        if done == 1:
            self._renewed = now
        return done == 1

    def _update(self, where: str, writer: str, now: float) -> int:
        return int(self._table.update(where=where, values={"writer": writer, "until": now + LEASE_S}).rows_updated)


@contextmanager
def leased(table: Any, *, name: str) -> Iterator[Lease]:
    """Wait until no other program writes a library, and keep others from it. A killed program does not keep them.

    Args:
        table: The table `state`, on which each operation sees what others have written.
        name: The library, for messages.
    """
    lease = Lease(table, name=name)
    lease.wait()
    renewing = threading.Thread(target=lease.renew_until_released, daemon=True)
    renewing.start()
    try:
        yield lease
    finally:
        lease.end_renewing()
        renewing.join()
        with suppress(Exception):  # it ends by itself
            lease.release()


def _entry(table: Any) -> tuple[str, float]:
    """Return who writes, and until when by the clock of that program."""
    (row,) = table.search().select(["writer", "until"]).limit(1).to_arrow().to_pylist()
    return row["writer"], row["until"]
