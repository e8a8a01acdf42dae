"""Publish an export: a copy that can be passed on, with nothing of the run in it and a model card for strangers.

The copy is the same, byte for byte, for every training that gave the same weights and metrics. So it has no date and no
git commit.
"""

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from musicrec.errors import ExportError
from musicrec.export import catalogue, onnx_file
from musicrec.export.checksums import write_checksums
from musicrec.export.folder import read_export, read_metrics
from musicrec.export.model_card import model_card
from musicrec.system.atomic_write import atomic_folder

_OF_A_RUN = ("created", "git_commit")  # keys of config.json
_CARD = {"title": str, "about": str, "measured": list}
_SECTION = {"title": str, "text": str, "columns": list, "rows": list}


def publish_export(source: str | Path, out: str | Path, *, card: str | Path | None = None) -> str:
    """Write a copy of an export that can be passed on.

    Args:
        source: The export, or the name of a model.
        out: The folder to write; an export that is there is replaced.
        card: A JSON file for the model card: `title`, `about` (Markdown), and `measured`, a list of what was measured
            elsewhere: `title`, `text`, and a table of `columns` and `rows`.

    Returns:
        SHA-256 of the weights, hexadecimal.

    Raises:
        ExportError: `source` is neither an export nor a name, the card is not of this form, `out` cannot be written, or
            `source` has a `model.onnx`, and it cannot be made here.
    """
    source, out = catalogue.resolve(source), Path(out)
    config = read_export(source).config
    metrics = read_metrics(source)
    config = {key: None if key in _OF_A_RUN else value for key, value in config.items()}
    if card is not None:
        config["card"] = read_card(card)
    is_export, is_empty = (out / "config.json").is_file(), out.is_dir() and not any(out.iterdir())
    if out.exists() and not is_export and not is_empty:
        raise ExportError(f"{out} exists and is not an export; name another folder, or empty it")
    with atomic_folder(out, error=ExportError) as new:
        shutil.copyfile(source / "model.safetensors", new / "model.safetensors")
        (new / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
        (new / "metrics.json").write_text(json.dumps(metrics, indent=1) + "\n", encoding="utf-8")
        has_onnx = (source / onnx_file.FILE).is_file()
        if has_onnx:  # made anew from the weights: the one that is there may be older than they are
            onnx_file.write_onnx(source, out=new / onnx_file.FILE)
        (new / "README.md").write_text(model_card(config, metrics, has_onnx=has_onnx), encoding="utf-8")
        write_checksums(new)
    return hashlib.sha256((out / "model.safetensors").read_bytes()).hexdigest()


def read_card(path: str | Path) -> dict:
    """Read what a model card says besides the training, see `publish_export`.

    Raises:
        ExportError: The file cannot be read, or is not of this form. The message names the file and the problem.
    """
    try:
        card = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ExportError(
            f"--card {path} cannot be read: {error.strerror}; name a JSON file, see docs/models.md"
        ) from None
    except ValueError as error:
        raise ExportError(f"--card {path} is not JSON: {error}") from None
    problem = _problem(card)
    if problem is not None:
        raise ExportError(f"--card {path}: {problem}")
    return card


def _problem(card: Any) -> str | None:
    """Return what is wrong with a card, if anything."""
    problem = _wrong_keys(card, _CARD)
    if problem is not None:
        return problem
    for number, section in enumerate(card["measured"], start=1):
        where = f"measured, entry {number}"
        problem = _wrong_keys(section, _SECTION)
        if problem is not None:
            return f"{where}: {problem}"
        for row in section["rows"]:
            if not isinstance(row, list) or len(row) != len(section["columns"]):
                return f"{where}: a row has not as many cells as there are columns: {row}"
    return None


def _wrong_keys(given: object, wanted: Mapping[str, type]) -> str | None:
    """Return what is wrong with the keys of a mapping and the types of its values, if anything."""
    if not isinstance(given, Mapping):
        return f"give a mapping with {', '.join(wanted)}"
    wrong = [f"no {key}" for key in wanted if key not in given]
    wrong += [f"unknown key {key}" for key in given if key not in wanted]
    if wrong:
        return f"{', '.join(wrong)}; give {', '.join(wanted)}, and nothing else"
    for key, kind in wanted.items():
        if not isinstance(given[key], kind):
            return f"{key} is not {'text' if kind is str else 'a list'}"
    return None
