"""Record the checksums of an export's files, as the program sha256sum does: `sha256sum -c SHA256SUMS` checks them."""

import hashlib
from pathlib import Path

from musicrec.errors import ExportError
from musicrec.system.atomic_write import write_text

FILE = "SHA256SUMS"
_NEEDED = ("config.json", "model.safetensors")  # what decides the answers of a model


def write_checksums(folder: str | Path) -> None:
    """Record the SHA-256 of every file of an export in its file SHA256SUMS.

    Args:
        folder: The export folder.

    Raises:
        ExportError: The record cannot be written.
    """
    folder = Path(folder)
    lines = [f"{_sha256(path)}  {path.name}\n" for path in sorted(folder.iterdir()) if path.name != FILE]
    write_text(folder / FILE, "".join(lines), error=ExportError)


def find_damage(folder: str | Path, *, besides: str | None = None) -> list[str]:
    """Compare the files of an export with its record.

    Args:
        folder: The export folder.
        besides: Name of a file that may differ.

    Returns:
        One sentence for each file that is missing, unreadable or different; [] if all are as recorded.
    """
    folder = Path(folder)
    try:
        pairs = [line.split("  ", 1) for line in (folder / FILE).read_text("utf-8").splitlines()]
        recorded = {name: sha256 for sha256, name in pairs}
    except FileNotFoundError:
        return [f"{folder / FILE}: the record of the checksums is missing"]
    except (OSError, ValueError):  # also of text that is not UTF-8
        return [f"{folder / FILE}: the record of the checksums cannot be read"]
    damage = [f"{folder / FILE}: does not name {name}" for name in _NEEDED if name not in recorded]
    for name, expected in recorded.items():
        if name == besides:
            continue
        try:
            found = _sha256(folder / name)
        except OSError as error:
            damage.append(f"{folder / name}: {error.strerror}")
            continue
        if found != expected:
            damage.append(f"{folder / name}: its SHA-256 is {found[:12]}…, recorded is {expected[:12]}…")
    return damage


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
