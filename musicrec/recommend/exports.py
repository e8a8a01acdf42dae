"""The exports behind a library, remembered by content, so that a library and a query never use different models."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from musicrec.errors import ConfigError, ExportError
from musicrec.export import catalogue

if TYPE_CHECKING:
    from musicrec.export.analyzer import TrackAnalyzer

DEFAULT_COVERAGE = 0.6
"""Share of each track that the models hear, and at least two minutes. On long tracks, the answers move by about as much
as by encoding a track as MP3 at 128 kbit/s, those of musicnn_mtt by a little more (benchmarks/README.md)."""


@dataclass(frozen=True, kw_only=True)
class ExportRef:
    """An export folder, and what is known of it since the library was made.

    Attributes:
        path: The folder.
        sha256: The SHA-256 of its content, see `fingerprint`.
        name: A short name, unique within the library, such as "tempo".
        embedding_size: Size of the embedding of its network; None if unknown.
    """

    path: str
    sha256: str
    name: str = ""
    embedding_size: int | None = None


def fingerprint(folder: str | Path) -> str:
    """Return the SHA-256 (hexadecimal) of what decides the answers of an export: its weights, and its config.

    The figures in its model card are left out: when they are measured anew, it is the same model.

    Raises:
        ExportError: The folder is not an export.
    """
    return _fingerprints(folder)[0]


def _fingerprints(folder: str | Path) -> tuple[str, str]:
    """Return the fingerprint, and that of libraries before format 6, in which the card counted."""
    contents = []
    for name in ("config.json", "model.safetensors"):
        try:
            contents.append(Path(folder, name).read_bytes())
        except OSError as error:
            raise ExportError(f"{folder} is not an export: {name}: {error.strerror}") from None
    try:
        config = json.loads(contents[0])
        described = json.dumps({key: value for key, value in config.items() if key != "card"}, sort_keys=True)
    except (ValueError, AttributeError):
        raise ExportError(f"{folder} is not an export: config.json holds no settings") from None
    return _digest([described.encode(), contents[1]]), _digest(contents)


def _digest(parts: Sequence[bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.hexdigest()


def refer(folders: Sequence[str]) -> list[ExportRef]:
    """Return a reference to each export folder.

    Raises:
        ExportError: One of the folders is not an export.
    """
    return [
        ExportRef(path=str(Path(folder).absolute()), sha256=fingerprint(folder), name=name)
        for folder, name in zip(folders, model_names(folders), strict=True)
    ]


def model_names(folders: Sequence[str]) -> list[str]:
    """Return a short name for each export folder: its own name, or that of the run it is in; numbered if repeated."""
    names: list[str] = []
    for folder in (Path(folder).absolute() for folder in folders):
        name = stem = folder.parent.name if folder.name == "export" else folder.name
        number = 1
        while name in names:
            number += 1
            name = f"{stem}-{number}"
        names.append(name)
    return names


def check_same(remembered: Sequence[ExportRef], given: Sequence[str], *, library: Path | str) -> list[ExportRef]:
    """Check that exports are the ones a library was made with, and return where they are now.

    Args:
        remembered: The exports of the library.
        given: Export folders named by the user, in any order; empty for the folders that the library remembers.
        library: The file of the library, for messages.

    Returns:
        The exports in the library's order.

    Raises:
        ExportError: An export is missing, or its content differs from what the library was made with.
    """
    if not given:
        return [_where_it_is(export, library=library) for export in remembered]
    known = {export.sha256 for export in remembered}
    found = [
        replace(export, sha256=next((one for one in _fingerprints(export.path) if one in known), export.sha256))
        for export in refer(given)
    ]
    by_content = {export.sha256: export for export in found}
    if by_content.keys() != known:
        changed = [export.path for export in found if export.sha256 not in known]
        what = (
            f"{', '.join(changed)} {'is' if len(changed) == 1 else 'are'} not what {library} was made with"
            if changed
            else f"{library} was made with {len(remembered)} exports, not {len(by_content)}"
        )
        made_with = ", ".join(f"{export.path} ({export.sha256[:12]})" for export in remembered)
        raise ExportError(
            f"{what}, so the answers would not be comparable; its exports are: {made_with}; "
            "name these with exports=[…] (--models), or index into a new library (library=…, --library)"
        )
    return [replace(export, path=by_content[export.sha256].path) for export in remembered]


def _where_it_is(export: ExportRef, *, library: Path | str) -> ExportRef:
    """Return an export of a library with its present folder: where it was, or where the model of its name is."""
    entry = catalogue.entries().get(export.name)
    places = [export.path] if entry is None else [export.path, str(entry.folder)]
    present = [place for place in places if Path(place, "config.json").is_file()]
    for place in present:
        if export.sha256 in _fingerprints(place):
            return replace(export, path=place)
    if present and entry is not None:
        raise ExportError(
            f"the model {export.name} has other weights now than when {library} was made (a new version of musicrec "
            f"brings new ones), so the answers would not be comparable; delete {library} and index again, or index "
            "into a new library (--library FILE)"
        )
    if present:
        raise ExportError(
            f"{export.path} is not what {library} was made with ({export.sha256[:12]}), so the answers would not be "
            "comparable; name the export that it was made with (exports=[…], --models), or index into a new library "
            "(library=…, --library)"
        )
    if entry is not None and entry.download is not None:
        raise ExportError(
            f"{library} was made with the model {export.name}, which is not on this machine; run `musicrec models get "
            f"{export.name}`"
        )
    raise ExportError(
        f"{library} was made with the export {export.path}, which no longer exists; name its new folder with "
        "exports=[…] (--models)"
    )


def with_sizes(exports: Sequence[ExportRef], analyzer: "TrackAnalyzer") -> list[ExportRef]:
    """Return the exports with the embedding sizes of the models that were loaded from them, in the same order."""
    return [
        replace(export, embedding_size=size) for export, size in zip(exports, analyzer.embedding_sizes, strict=True)
    ]


def sample_rate_of(export: ExportRef) -> int:
    """Return the sample rate of an export in Hz, without loading its weights.

    Raises:
        ExportError: The config of the export does not tell the sample rate.
    """
    path = Path(export.path, "config.json")
    try:
        return int(json.loads(path.read_bytes())["frontend"]["sample_rate"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ExportError(f"{path} does not tell the sample rate ({error}); export the model again") from None


def coverage_of(analysis: Mapping[str, Any], given: float | None, *, library: Path | str) -> float:
    """Return the share of each track that the models hear in a library.

    Args:
        analysis: The settings of the analysis that the library remembers; older libraries heard whole tracks.
        given: The share that the user gives; None for that of the library.
        library: The file of the library, for messages.

    Raises:
        ConfigError: The shares differ, so that the answers would not be comparable.
    """
    remembered = float(analysis.get("coverage", 1.0))
    if given is not None and given != remembered:
        raise ConfigError(
            f"coverage={given:g}: {library} was made with coverage={remembered:g}, and the answers would not be "
            "comparable; leave coverage out, or index into a new library (library=…)"
        )
    return remembered


def load_analyzer(
    exports: Sequence[ExportRef], *, device: str = "auto", coverage: float | None = None, engine: str = "auto"
) -> "TrackAnalyzer":
    """Load the models of these exports. This imports torch, which takes seconds.

    Args:
        exports: The exports; where several have the same head, the first one answers.
        device: "cpu", "cuda", "cuda:1" …; "auto" for the GPU if there is one.
        coverage: Share of each track that the models hear; None for `DEFAULT_COVERAGE`.
        engine: What runs them: "torch", "onnx", "openvino", "fastest", or "auto" (docs/engines.md).

    Raises:
        ConfigError: There is no such device or engine, or the coverage is not above 0 and at most 1.
        ExportError: An export cannot be read, or the engine is not installed.
    """
    from musicrec.export.analyzer import TrackAnalyzer
    from musicrec.export.folder import read_export
    from musicrec.system.hardware import find_device
    from musicrec.system.memory import keep_freed_memory

    keep_freed_memory()
    found = find_device(device, key="device")
    models = [read_export(export.path) for export in exports]
    share = DEFAULT_COVERAGE if coverage is None else coverage
    return TrackAnalyzer(models, device=found, coverage=share, engine=engine)
