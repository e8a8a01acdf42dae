"""run.json: what was run, how it ended, and what it reached; written whole or not at all."""

import datetime
import json
import math
import os
import platform
import socket
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from importlib.metadata import distributions
from pathlib import Path
from types import TracebackType

from pytorch_lightning.utilities import rank_zero_only

from musicrec.cli import explain
from musicrec.errors import MusicrecError
from musicrec.export import git_commit, package_version
from musicrec.locks import held, is_held

FILE, FORMAT = "run.json", "musicrec-run/1"
LOCK = ".run.lock"  # held while the run lasts


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
            "musicrec_version": package_version(),
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
            alone = self._held.enter_context(held(self.path.with_name(LOCK)))
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


def read_run(folder: str | Path) -> dict | None:
    """The record of a run folder, or None where there is none. Raises MusicrecError for a file that is no record."""
    path = Path(folder) / FILE
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise MusicrecError(f"{path} cannot be read as JSON ({error}); delete it, or run again") from None
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        found = record.get("format") if isinstance(record, dict) else None
        raise MusicrecError(f"{path}: format is {found!r}, this version reads {FORMAT!r}; delete it, or run again")
    if record["status"] == "running" and not is_held(path.with_name(LOCK)):
        record["status"] = "interrupted"  # by what left no time to write it down
    return record


def write_json(path: Path, content: dict) -> None:
    """Replace a file by this content, such that a reader sees either the old or the new one."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file, partial = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
        try:
            with open(file, "w", encoding="utf-8") as out:
                json.dump(_finite(content), out, indent=1, ensure_ascii=False)
                out.write("\n")
                out.flush()
                os.fsync(out.fileno())
            os.chmod(partial, 0o644)
            os.replace(partial, path)
        finally:
            Path(partial).unlink(missing_ok=True)
    except OSError as error:
        raise MusicrecError(f"cannot write {path}: {error.strerror or error}") from error


def packages() -> dict[str, str]:
    """{name: version} of all that is installed."""
    found = {found.metadata["Name"]: found.version for found in distributions() if found.metadata["Name"]}
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))


def _finite(value: object) -> object:
    """The same in values that JSON has: a number that is none becomes null."""
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds")
