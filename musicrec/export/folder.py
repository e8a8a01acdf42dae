"""Exports: a trained model as data.

An export is a folder with these files:

    model.safetensors   the network's weights
    config.json         network, front end, heads with their class names, training data, licence, git commit
    metrics.json        {split: {"<head>/<metric>": value}}
    README.md           the model card

No file holds code or pickles. Loading an export never executes code from it; it builds only classes of this package.
"""

import datetime
import json
import math
from collections.abc import Sequence
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save

from musicrec.errors import ExportError
from musicrec.export.description import Model, build_from, describe, load_weights
from musicrec.export.model_card import model_card
from musicrec.heads import Head
from musicrec.models import Network
from musicrec.models.frontends import Frontend
from musicrec.system.atomic_write import atomic_folder
from musicrec.system.version import VERSION, git_commit

FORMAT = "musicrec-export/1"


def write_export(
    folder: str | Path,
    *,
    network: Network,
    heads: Sequence[Head],
    frontend: Frontend,
    metrics: dict[str, dict[str, float]],
    data: dict,
    calibration: dict | None = None,
    licence: str = "unspecified",
) -> Path:
    """Write an export folder. It is written completely or not at all, and replaces an earlier export.

    Args:
        folder: The folder to write.
        network: The trained network.
        heads: Its heads.
        frontend: Its front end.
        metrics: Values by split and name, {split: {name: value}}.
        data: The data it was trained on, for the model card (manifest, hash, splits, tracks).
        calibration: The split on which the heads were calibrated, and the result: {"split": name, "heads": values}
            (evaluation/calibration.py).
        licence: Licence of the weights, for the model card.

    Returns:
        The folder.

    Raises:
        ExportError: The folder exists and is not an export, or it cannot be written.
    """
    folder = Path(folder)
    config = {
        "format": FORMAT,
        **describe(network, heads, frontend),
        "data": data,
        "calibration": calibration,
        "licence": licence,
        "git_commit": git_commit(),
        "musicrec_version": VERSION,
        "created": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
    }
    finite = {
        split: {name: None if math.isnan(value) else round(float(value), 6) for name, value in values.items()}
        for split, values in metrics.items()
    }
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    if folder.exists() and not _is_export(folder):
        raise ExportError(f"{folder} exists and is not an export; name another folder, or empty it")
    with atomic_folder(folder, error=ExportError) as new:
        (new / "model.safetensors").write_bytes(save(weights))
        (new / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
        (new / "metrics.json").write_text(json.dumps(finite, indent=1) + "\n", encoding="utf-8")
        (new / "README.md").write_text(model_card(config, finite), encoding="utf-8")
    return folder


def read_metrics(folder: str | Path) -> dict[str, dict[str, float | None]]:
    """Read the metrics of an export, {split: {name: value}}.

    Args:
        folder: The export folder.

    Raises:
        ExportError: The file is missing, or is not JSON.
    """
    path = Path(folder) / "metrics.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        reason = error.strerror or str(error)
    except ValueError as error:
        reason = f"not JSON ({error})"
    raise ExportError(f"cannot read {path}: {reason}; export the model again")


def _is_export(folder: Path) -> bool:
    """Whether a folder may be replaced: it is an export, or empty."""
    if not folder.is_dir():
        return False
    try:
        return json.loads((folder / "config.json").read_text()).get("format") == FORMAT
    except (OSError, ValueError, AttributeError):
        return not any(folder.iterdir())


def read_export(folder: str | Path) -> Model:
    """Load an export folder.

    Args:
        folder: The folder.

    Returns:
        The model, in eval mode.

    Raises:
        ExportError: The folder is not an export, or damaged. The message names the file and the problem.
    """
    folder = Path(folder)
    try:
        config = json.loads((folder / "config.json").read_text())
    except (FileNotFoundError, NotADirectoryError):
        raise ExportError(
            f"{folder} is not an export: it has no config.json; give the folder that train.py wrote"
        ) from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ExportError(f"{folder / 'config.json'} is not JSON ({error}); export the model again") from None
    if not isinstance(config, dict) or config.get("format") != FORMAT:
        found = config.get("format") if isinstance(config, dict) else None
        raise ExportError(f"{folder / 'config.json'}: format is {found!r}, this version reads {FORMAT!r}")
    network, heads, frontend = build_from(folder / "config.json", config)
    try:
        weights = load_file(folder / "model.safetensors")
    except (OSError, SafetensorError) as error:
        raise ExportError(f"cannot read {folder / 'model.safetensors'}: {error}; export the model again") from None
    load_weights(network, weights, source=folder / "model.safetensors")
    return Model(network=network.eval(), frontend=frontend, heads=heads, config=config, source=folder)
