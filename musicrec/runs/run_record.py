"""run.json: what was run, how it ended, and what it reached; written whole or not at all."""

import datetime
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
    """Keeps the run.json of a run folder, as a context manager around the run.

    status: running; then finished, pruned (by a sweep), failed (with the error's message), or interrupted. A process
    that is killed leaves "running", and no lock: by this `read_run` tells it from one that runs.
    Facts that the run adds with `note` are written when it ends. Of several processes only the first one writes.

    config: resolved, in plain types. overrides: of the command line, or of the job in a multirun.
    """

    def __init__(self, folder: str | Path, *, name: str, config: dict, overrides: Sequence[str]) -> None:
        self.path = Path(folder) / FILE
        self._held = ExitStack()
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
        """Add facts in plain JSON types; those under a name that is there already are replaced."""
        self.facts |= facts

    def __enter__(self) -> "RunRecord":
        if rank_zero_only.rank == 0:
            alone = self._held.enter_context(try_lock(self.path.with_name(LOCK)))
            if not alone:
                raise MusicrecError(f"{self.path.parent}: another process runs in this folder; name another one")
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
        self._held.close()

    def _write(self) -> None:
        if rank_zero_only.rank == 0:
            write_json(self.path, self.facts)


def packages() -> dict[str, str]:
    """{name: version} of all that is installed."""
    found = {found.metadata["Name"]: found.version for found in distributions() if found.metadata["Name"]}
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds")
