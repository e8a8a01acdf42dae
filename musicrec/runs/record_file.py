"""run.json, the record of a run: its name, its format, and how to read it."""

import json
from pathlib import Path

from musicrec.errors import MusicrecError
from musicrec.system.lock import is_locked

FILE, FORMAT = "run.json", "musicrec-run/1"
LOCK = ".run.lock"  # held while the run is in progress


def read_run(folder: str | Path) -> dict | None:
    """Return the record of a run folder, or None if the folder has no record.

    A run that is recorded as running, but whose process has ended, gets the status "interrupted".

    Raises:
        MusicrecError: If the file is not a record that this version can read.
    """
    path = Path(folder) / FILE
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise MusicrecError(f"{path} cannot be read as JSON ({error}); delete it, or repeat the run") from None
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        found = record.get("format") if isinstance(record, dict) else None
        raise MusicrecError(f"{path}: format is {found!r}, this version reads {FORMAT!r}; delete it, or repeat the run")
    if record["status"] == "running" and not is_locked(path.with_name(LOCK)):
        record["status"] = "interrupted"  # the process was killed before it could write this itself
    return record
