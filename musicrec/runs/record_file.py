"""run.json, the record of a run: where it lies, and reading it."""

import json
from pathlib import Path

from musicrec.errors import MusicrecError
from musicrec.system.lock import is_locked

FILE, FORMAT = "run.json", "musicrec-run/1"
LOCK = ".run.lock"  # held while the run lasts


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
    if record["status"] == "running" and not is_locked(path.with_name(LOCK)):
        record["status"] = "interrupted"  # by what left no time to write it down
    return record
