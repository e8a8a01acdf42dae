"""The models that have a name: those that ship with musicrec, and those that `musicrec models get` fetches.

A name can stand wherever an export folder is expected. Nothing here downloads, and nothing imports torch.
"""

import difflib
import functools
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import platformdirs
import yaml

from musicrec.errors import ExportError

FILE = Path(__file__).with_name("catalogue.yaml")
SHIPPED = Path(__file__).with_name("pretrained")
FOLDER_VARIABLE = "MUSICREC_MODELS"


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A published or measured figure of a model.

    Attributes:
        what: The metric.
        value: Its value.
        data: What it was measured on.
        by: Who measured it, and where it is written.
        interval: Its 95 % interval, if it is known.
    """

    what: str
    value: float
    data: str
    by: str
    interval: tuple[float, float] | None = None

    @property
    def text(self) -> str:
        """The metric and its value, such as "accuracy 0.870 [0.76, 0.96]"."""
        bounds = "" if self.interval is None else f" [{self.interval[0]:.2f}, {self.interval[1]:.2f}]"
        return f"{self.what} {self.value:.3f}{bounds}"


@dataclass(frozen=True, kw_only=True)
class Download:
    """A file that becomes one export or several.

    Attributes:
        name: A name that `musicrec models get` takes.
        file: The name of the file.
        bytes: Its size.
        sha256: Its checksum (hexadecimal).
        importer: Dotted name of the function that turns it into an export: importer(file, out=folder, **settings).
        requirement: What pip fetches, such as "musicnn==0.1.0"; None for a file on the web.
        url: The address of the file; None for a package.
    """

    name: str
    file: str
    bytes: int
    sha256: str
    importer: str
    requirement: str | None = None
    url: str | None = None


@dataclass(frozen=True, kw_only=True)
class CatalogueEntry:
    """A model that has a name.

    Attributes:
        name: The name.
        predicts: What it predicts, for people.
        heads: The names of its heads.
        licence: Licence of the weights.
        source: Where the weights come from.
        trained_on: The data it was trained on.
        measured: How good it is.
        download: The file that it is made from; None for a model that ships.
        settings: What the importer of the download is called with.
    """

    name: str
    predicts: str
    heads: tuple[str, ...]
    licence: str
    source: str
    trained_on: str
    measured: tuple[Figure, ...]
    download: Download | None = None
    settings: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def folder(self) -> Path:
        """The export folder, which exists if the model ships or has been fetched."""
        return models_folder() / self.name if self.download else SHIPPED / self.name

    @property
    def is_present(self) -> bool:
        """Whether the model is on this machine."""
        return _is_export(self.folder)


def entries() -> dict[str, CatalogueEntry]:
    """Return all models by name, in the order of the default set."""
    return _read(FILE)


@functools.cache
def _read(file: Path) -> dict[str, CatalogueEntry]:
    written = yaml.safe_load(file.read_text(encoding="utf-8"))
    downloads = {name: Download(name=name, **values) for name, values in written["downloads"].items()}
    found = {}
    for name, values in written["models"].items():
        download = values.pop("download", None)
        found[name] = CatalogueEntry(
            name=name,
            download=downloads[download] if download else None,
            heads=tuple(values.pop("heads")),
            measured=tuple(_figure(figure) for figure in values.pop("measured")),
            **values,
        )
    return found


def _figure(written: dict[str, Any]) -> Figure:
    interval = written.pop("interval", None)
    return Figure(**written, interval=None if interval is None else tuple(interval))


def models_folder() -> Path:
    """Return the folder with the fetched models: MUSICREC_MODELS, or one in the user's cache folder."""
    chosen = os.environ.get(FOLDER_VARIABLE)
    return Path(chosen).expanduser().absolute() if chosen else platformdirs.user_cache_path("musicrec") / "models"


def named(name: str) -> list[CatalogueEntry]:
    """Return the models that a name stands for: that of a model, or that of a download, which may make several.

    Raises:
        ExportError: There is no such name. The message lists the names, and what may have been meant.
    """
    found = entries()
    made = [entry for entry in found.values() if entry.download and entry.download.name == name]
    if made:
        return made
    if name in found:
        return [found[name]]
    downloads = {entry.download.name for entry in found.values() if entry.download}
    raise ExportError(f"{name}: no model has this name; {_suggestion(name, downloads - found.keys())}")


def resolve(name_or_path: str | os.PathLike) -> Path:
    """Return the export folder that a name or a path stands for. Nothing is downloaded.

    Args:
        name_or_path: An export folder, which wins over a name; the name of a model; or any other path, which is
            returned unchanged.

    Raises:
        ExportError: The model of this name has not been fetched, or there is neither such a path nor such a name.
    """
    text = os.fspath(name_or_path)
    path = Path(text)
    if _is_export(path.expanduser()):
        return path
    entry = entries().get(text)
    if entry is not None:
        if entry.is_present:
            return entry.folder
        if entry.download is None:
            raise ExportError(f"{text}: ships with musicrec, but {entry.folder} is missing; install musicrec again")
        raise ExportError(
            f"{text}: has not been fetched; run `musicrec models get {text}` "
            f"({megabytes(entry.download.bytes)}, {entry.licence} licence)"
        )
    if os.sep in text or text.startswith("~") or path.exists():
        return path
    made = [entry.name for entry in entries().values() if entry.download and entry.download.name == text]
    if made:
        raise ExportError(f"{text}: this download makes several models; name {' or '.join(made)}")
    raise ExportError(f"{text}: there is no such file or folder, and no model has this name; {_suggestion(text)}")


def default_models() -> list[str]:
    """Return the names of the default set: the models that ship, then those that have been fetched.

    A model is left out if earlier ones have all its heads; `default_remarks` says so.
    """
    return _default_set()[0]


def default_remarks() -> list[str]:
    """Return one sentence for each model that is present but not in the default set."""
    return _default_set()[1]


def _default_set() -> tuple[list[str], list[str]]:
    present = [entry for entry in entries().values() if entry.is_present]
    names: list[str] = []
    remarks: list[str] = []
    answering: dict[str, str] = {}
    for entry in sorted(present, key=lambda entry: entry.download is not None):  # stable: else as in the catalogue
        if all(head in answering for head in entry.heads):
            others = dict.fromkeys(answering[head] for head in entry.heads)
            remarks.append(f"{entry.name} is not used: {' and '.join(others)} answers the same; choose with --models")
            continue
        names.append(entry.name)
        for head in entry.heads:
            answering.setdefault(head, entry.name)
    return names, remarks


def megabytes(size: int) -> str:
    """Return a size in bytes as text, such as "29 MB" or "0.2 MB"."""
    return f"{size / 1e6:.1f} MB" if size < 9.5e6 else f"{size / 1e6:.0f} MB"


def _is_export(folder: Path) -> bool:
    return (folder / "config.json").is_file()


def _suggestion(text: str, others: Collection[str] = ()) -> str:
    """Say which names there are: those that may have been meant, all models, and others, which stand for several."""
    names = list(entries())
    close = difflib.get_close_matches(text.lower(), [*names, *others], n=3)
    meant = f"did you mean {' or '.join(close)}? " if close else ""
    several = f"; several at once: {', '.join(sorted(others))}" if others else ""
    return f"{meant}the models are {', '.join(names)}{several} (`musicrec models` describes them)"
