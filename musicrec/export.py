"""Exports: a trained model as data. A folder holds

    model.safetensors   the network's weights
    config.json         network, front end, heads with their class names, what it was trained on, licence, git commit
    metrics.json        {split: {"<head>/<metric>": value}}
    README.md           the model card

Nothing in it is code or pickled; loading it builds only classes of this package.
"""

import datetime
import json
import math
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from musicrec import heads as heads_package
from musicrec.errors import ExportError
from musicrec.frontend import Frontend, LogFrequencySpectrogram, MelSpectrogram
from musicrec.heads import Head
from musicrec.registry import find_class

FORMAT = "musicrec-export/1"
FRONTENDS = {cls.__name__: cls for cls in (MelSpectrogram, LogFrequencySpectrogram)}


@dataclass(kw_only=True)
class Model:
    """What an export holds, ready to run: front end and network in eval mode, heads, and the rest of config.json."""

    network: nn.Module
    frontend: Frontend
    heads: list[Head]
    config: dict
    source: Path | None = None

    @property
    def sample_rate(self) -> int:
        return self.frontend.sample_rate


def describe(network: nn.Module, heads: Sequence[Head], frontend: Frontend) -> dict:
    """Network, front end and heads in plain JSON types, enough to build them again with `build`."""
    description = {
        "network": {"class": type(network).__name__, "settings": network.settings},
        "frontend": {"class": type(frontend).__name__, **frontend.settings},
        "heads": [heads_package.to_dict(head) for head in heads],
    }
    return json.loads(json.dumps(description))  # tuples become lists, as after a round trip through the file


def build(description: dict) -> tuple[nn.Module, list[Head], Frontend]:
    """The untrained network, the heads and the front end that `describe` described."""
    heads = [heads_package.from_dict(head) for head in description["heads"]]
    cls = find_class("musicrec.models", description["network"]["class"])
    network = cls({head.name: len(head.classes) for head in heads}, **description["network"]["settings"])
    frontend = {"class": "MelSpectrogram", **description["frontend"]}  # what exports without the class have
    return network, heads, FRONTENDS[frontend.pop("class")](**frontend)


def build_from(source: str | Path, description: dict) -> tuple[nn.Module, list[Head], Frontend]:
    """`build` of what the file `source` says. Raises ExportError that names the file and the way out."""
    try:
        return build(description)
    except Exception as error:  # the file is anybody's: whatever it makes the constructors raise
        commit = description.get("git_commit") if isinstance(description, dict) else None
        writer = f"the code that wrote it{f' (git commit {commit})' if isinstance(commit, str) else ''}"
        raise ExportError(
            f"{source} describes no model that this version knows: {error}; read it with {writer}, or train and export "
            "it again"
        ) from None


def write_export(
    folder: str | Path,
    *,
    network: nn.Module,
    heads: Sequence[Head],
    frontend: Frontend,
    metrics: dict[str, dict[str, float]],
    data: dict,
    calibration: dict | None = None,
    licence: str = "unspecified",
) -> Path:
    """Write an export folder, all of it or nothing; one that is there already is replaced.

    metrics: {split: {name: value}}. data: what the model card says of the data (manifest, hash, splits, tracks).
    calibration: {"split", "heads"}: on what the heads were calibrated, and what was found (evaluation/calibration.py).
    """
    folder = Path(folder)
    config = {
        "format": FORMAT,
        **describe(network, heads, frontend),
        "data": data,
        "calibration": calibration,
        "licence": licence,
        "git_commit": git_commit(),
        "musicrec_version": package_version(),
        "created": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
    }
    finite = {
        split: {name: None if math.isnan(value) else round(float(value), 6) for name, value in values.items()}
        for split, values in metrics.items()
    }
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    if folder.exists() and not _is_export(folder):
        raise ExportError(f"{folder} exists and is not an export; name another folder, or empty it")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        partial.chmod(0o755)
        try:
            save_file(weights, partial / "model.safetensors")
            (partial / "model.safetensors").chmod(0o644)  # safetensors keeps it to its owner
            (partial / "config.json").write_text(json.dumps(config, indent=1) + "\n")
            (partial / "metrics.json").write_text(json.dumps(finite, indent=1) + "\n")
            (partial / "README.md").write_text(model_card(config, finite))
            if folder.exists():
                os.replace(folder, partial.with_name(partial.name + ".old"))
            os.replace(partial, folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        for left in folder.parent.iterdir():  # also by exports that were killed
            if re.fullmatch(rf"\.{re.escape(folder.name)}-[a-z0-9_]{{8}}(\.old)?", left.name):
                shutil.rmtree(left, ignore_errors=True)
    except OSError as error:
        raise ExportError(f"cannot write the export {folder}: {error.strerror or error}") from error
    return folder


def _is_export(folder: Path) -> bool:
    """Whether a folder may be replaced: an export of ours, or empty."""
    if not folder.is_dir():
        return False
    try:
        return json.loads((folder / "config.json").read_text()).get("format") == FORMAT
    except (OSError, ValueError, AttributeError):
        return not any(folder.iterdir())


def read_export(folder: str | Path) -> Model:
    """Load an export folder. Raises ExportError that names the file and what is wrong with it."""
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


def read_checkpoint(path: str | Path) -> Model:
    """Load the model of a training checkpoint (weights-only, so nothing in it is run)."""
    path = Path(path)
    if not path.is_file():
        raise ExportError(f"{path}: there is no such file; name a checkpoint of train.py")
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        description, state = checkpoint["musicrec"], checkpoint["state_dict"]
    except KeyError as error:
        raise ExportError(
            f"{path} is not a checkpoint of train.py: it has no {error}; public weights become an export with "
            "musicrec.import_checkpoint"
        ) from None
    except Exception as error:  # torch raises half a dozen kinds for a broken file, some with unsafe advice
        raise ExportError(
            f"{path} is not a checkpoint of train.py: PyTorch cannot read it as weights and plain types "
            f"({type(error).__name__})"
        ) from None
    network, heads, frontend = build_from(path, description)
    prefix = "network."
    weights = {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}
    load_weights(network, weights, source=path)
    return Model(network=network.eval(), frontend=frontend, heads=heads, config=description, source=path)


def read_model(path: str | Path) -> Model:
    """An export folder or a checkpoint file."""
    if not Path(path).exists():
        raise ExportError(f"{path}: there is no such file or folder; give an export folder or a checkpoint of train.py")
    return read_checkpoint(path) if Path(path).is_file() else read_export(path)


def load_weights(network: nn.Module, weights: dict[str, torch.Tensor], *, source: Path) -> None:
    """Strictly load weights; the error says in one line what is missing, surplus or of another shape."""
    own = network.state_dict()
    wrong = [f"missing {name}" for name in own.keys() - weights.keys()]
    wrong += [f"surplus {name}" for name in weights.keys() - own.keys()]
    wrong += [
        f"{name} is {tuple(weights[name].shape)} instead of {tuple(own[name].shape)}"
        for name in own.keys() & weights.keys()
        if own[name].shape != weights[name].shape
    ]
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise ExportError(
            f"{source} holds other weights than {type(network).__name__} has: {', '.join(sorted(wrong)[:3])}{more}"
        )
    network.load_state_dict(weights)


def model_card(config: dict, metrics: dict[str, dict[str, float | None]]) -> str:
    """README.md of an export."""
    data, network = config["data"], config["network"]
    lines = [
        f"# {network['class']}",
        "",
        "A music model exported by musicrec.",
        "",
        f"- **Network**: {network['class']} {json.dumps(network['settings'])}",
        f"- **Predicts**: {'; '.join(_head_line(head) for head in heads_of(config))}",
        f"- **Input**: mono audio at {config['frontend']['sample_rate']} Hz",
        *(f"- **{key.replace('_', ' ').capitalize()}**: {_plain(value)}" for key, value in data.items()),
        f"- **Calibration**: {_calibration_line(config)}",
        f"- **Licence**: {config['licence']}",
        f"- **Made**: {config['created']}, musicrec {config['musicrec_version']}, "
        f"git commit {config['git_commit'] or 'unknown'}",
        "",
    ]
    if metrics:
        names = sorted({name for values in metrics.values() for name in values})
        lines += ["| metric | " + " | ".join(metrics) + " |", "|---" * (len(metrics) + 1) + "|"]
        for name in names:
            cells = [metrics[split].get(name) for split in metrics]
            lines.append(f"| {name} | " + " | ".join("–" if c is None else f"{c:.3f}" for c in cells) + " |")
        lines.append("")
    lines += ["Load it with `musicrec.load(folder)`; the files hold weights and JSON, no code.", ""]
    return "\n".join(lines)


def heads_of(config: dict) -> list[Head]:
    return [heads_package.from_dict(head) for head in config["heads"]]


def _head_line(head: Head) -> str:
    shown = ", ".join(head.classes[:8]) + (f", … ({len(head.classes)} classes)" if len(head.classes) > 8 else "")
    return f"{head.name} ({shown})"


def _calibration_line(config: dict) -> str:
    """Which temperatures, fitted on what."""
    if not config["calibration"]:
        return "none; a probability is the mean of the network's"
    temperatures = ", ".join(f"{head.name} {head.temperature:.2f}" for head in heads_of(config))
    return f"temperatures {temperatures}, and thresholds for tags, fitted on split {config['calibration']['split']}"


def _plain(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_plain(item)}" for key, item in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def git_commit() -> str | None:
    """Commit of this source tree, with "+changes" when files differ from it; None outside a checkout."""
    here = Path(__file__).resolve().parents[1]

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", here, *arguments], capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        if Path(git("rev-parse", "--show-toplevel")) != here:
            return None  # installed inside somebody else's repository
        return git("rev-parse", "HEAD") + ("+changes" if git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def package_version() -> str:
    try:
        return version("musicrec")
    except PackageNotFoundError:
        return "unknown (not installed)"
