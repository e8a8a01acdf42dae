"""An importer for tests: the file becomes the weights of an export as it is."""

import json
import time
from pathlib import Path

from musicrec.errors import ExportError


def make_export(file: Path, *, out: Path, part: str = "") -> None:
    """Write a folder that looks like an export. As with a real one, date and version differ between two imports."""
    content = Path(file).read_bytes()
    if content.startswith(b"damaged"):
        raise ExportError(f"{file}: holds no weights")
    out = Path(out)
    (out / "model.safetensors").write_bytes(part.encode() + content)
    config = {"weights": Path(file).name, "created": time.time_ns(), "musicrec_version": "0", "git_commit": None}
    (out / "config.json").write_text(json.dumps(config))
