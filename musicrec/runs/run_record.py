"""The record of a run in run.json: its settings, how it ended, and its results."""

import datetime
import functools
import platform
import socket
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from importlib.metadata import distributions
from pathlib import Path
from types import TracebackType

from pytorch_lightning.utilities import rank_zero_only

from musicrec.config.explain import explain
from musicrec.errors import MusicrecError
from musicrec.runs.record_file import FILE, FORMAT, LOCK
from musicrec.system.atomic_write import write_json
from musicrec.system.lock import try_lock
from musicrec.system.version import VERSION, git_commit


class RunRecord:
    """Write the run.json of a run folder, as a context manager around the run.

    The status is "running" at first. It becomes "finished", "failed" (with the error's message) or "interrupted" when
    the run ends; a run that a sweep stops early sets "pruned" itself. A killed process leaves "running" but no lock,
    so `read_run` can recognise it. The file is written at the start and at the end, each time atomically. If several
    processes train together, only the first one writes.

    Args:
        folder: The run folder.
        name: The name of the run.
        config: The resolved settings, in plain types.
        overrides: The overrides on the command line, or those of the job in a multirun.

    Raises:
        MusicrecError: On entry, if another process runs in this folder.
    """

    def __init__(self, folder: str | Path, *, name: str, config: dict, overrides: Sequence[str]) -> None:
        self.path = Path(folder) / FILE
        self._lock = ExitStack()
        self.facts = {
            "format": FORMAT,
            "name": name,
            "status": "running",
            "error": None,
            "started": _now(),
            "ended": None,
            "objective": None,
            "metrics": {},
            "data": None,
            "wandb": None,
            "overrides": list(overrides),
            "command": sys.argv,
            "git_commit": git_commit(),
            "musicrec_version": VERSION,
            "python": platform.python_version(),
            "host": socket.gethostname(),
            "config": config,
            "packages": packages(),
        }

    def note(self, **facts: object) -> None:
        """Add facts to the record, which are written when the run ends.

        Args:
            **facts: Values in plain JSON types. They replace earlier facts of the same name.
        """
        self.facts |= facts

    def __enter__(self) -> "RunRecord":
        if rank_zero_only.rank == 0:
            acquired = self._lock.enter_context(try_lock(self.path.with_name(LOCK)))
            if not acquired:
                raise MusicrecError(
                    f"{self.path.parent}: another process is running in this folder; choose another one"
                )
        self._write()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        status = self.facts["status"] if self.facts["status"] != "running" else "finished"
        if isinstance(error, Exception):
            status, self.facts["error"] = "failed", explain(error) or f"{kind.__name__}: {error}"
        elif error is not None:
            status = "interrupted"
        self.note(status=status, ended=_now())
        self._write()
        self._lock.close()

    def _write(self) -> None:
        if rank_zero_only.rank == 0:
            write_json(self.path, self.facts)


@functools.cache
def packages() -> dict[str, str]:
    """Return {name: version} of all packages that are installed when it is first called."""
    installed = [found.metadata for found in distributions()]  # each access reads and parses a file
    versions = {about["Name"]: about["Version"] for about in installed if about["Name"]}
    return dict(sorted(versions.items(), key=lambda item: item[0].lower()))


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds")
