"""The exports behind a library: remembered by content, so that a library and a query never come from other models."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from musicrec.errors import ExportError
from musicrec.export.analyzer import TrackAnalyzer
from musicrec.export.folder import read_export
from musicrec.system.hardware import find_device


@dataclass(frozen=True, kw_only=True)
class ExportRef:
    """An export folder and the SHA-256 of its content at the time."""

    path: str
    sha256: str


def fingerprint(folder: str | Path) -> str:
    """SHA-256 (hexadecimal) of an export's weights and config: what decides its answers, wherever the folder lies.

    Raises ExportError for a folder that is no export.
    """
    digest = hashlib.sha256()
    for name in ("config.json", "model.safetensors"):
        try:
            content = Path(folder, name).read_bytes()
        except OSError as error:
            raise ExportError(f"{folder} is not an export: {name}: {error.strerror}") from None
        digest.update(len(content).to_bytes(8, "little") + content)
    return digest.hexdigest()


def refer(folders: Sequence[str]) -> list[ExportRef]:
    return [ExportRef(path=str(Path(folder).absolute()), sha256=fingerprint(folder)) for folder in folders]


def check_same(remembered: Sequence[ExportRef], given: Sequence[str], *, library: Path) -> list[ExportRef]:
    """The exports of a library where they lie now, in the library's order.

    given: folders named by the user, in any order; empty for those the library remembers.
    Raises ExportError if one is gone, or if their content is not what the library was made with.
    """
    if not given:
        for export in remembered:
            if not Path(export.path, "config.json").is_file():
                raise ExportError(
                    f"{library} was made with the export {export.path}, which is gone; "
                    "name the folder it lies in now with exports=[…]"
                )
    found = refer(given or [export.path for export in remembered])
    by_content = {export.sha256: export for export in found}
    if by_content.keys() != {export.sha256 for export in remembered}:
        changed = [e.path for e in found if e.sha256 not in {r.sha256 for r in remembered}]
        what = (
            f"{', '.join(changed)} {'is' if len(changed) == 1 else 'are'} not what {library} was made with"
            if changed
            else f"{library} was made with {len(remembered)} exports, of which {len(by_content)} are named"
        )
        made_with = ", ".join(f"{export.path} ({export.sha256[:12]})" for export in remembered)
        raise ExportError(
            f"{what} (the answers would not be comparable); its exports are: {made_with}; "
            "name those with exports=[…], or index into a new library (library=…)"
        )
    return [by_content[export.sha256] for export in remembered]


def sample_rate_of(export: ExportRef) -> int:
    """What an export's audio is decoded at, in Hz, without loading its weights. Raises ExportError."""
    path = Path(export.path, "config.json")
    try:
        return int(json.loads(path.read_bytes())["frontend"]["sample_rate"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ExportError(f"{path} does not tell the sample rate ({error}); export the model again") from None


def load_analyzer(exports: Sequence[ExportRef], *, device: str = "auto") -> TrackAnalyzer:
    """The analyzer of these exports. device: "auto" is the GPU where there is one; ConfigError for one that is not."""
    found = find_device(device, key="device")
    return TrackAnalyzer([read_export(export.path) for export in exports], device=found)
