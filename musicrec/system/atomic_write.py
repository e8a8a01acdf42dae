"""Files that are written whole or not at all."""

import json
import math
import os
import tempfile
from pathlib import Path

from musicrec.errors import MusicrecError


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


def _finite(value: object) -> object:
    """The same in values that JSON has: a number that is none becomes null."""
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
