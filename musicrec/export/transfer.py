"""Transfer learning: start a network with the weights of another, and freeze parts of it."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from torch import nn

from musicrec.errors import ConfigError
from musicrec.export.folder import read_export
from musicrec.models import Network
from musicrec.models.frontends import Frontend


class Start(NamedTuple):
    """How a network was initialised.

    Attributes:
        copied: Number of tensors that were copied.
        new: Parts that keep their random weights, such as ["classifier", "gru"].
        origin: Data and licence of the copied weights, for the model card.
    """

    copied: int
    new: list[str]
    origin: dict


def start_from(export: str | Path, network: Network, frontend: Frontend) -> Start:
    """Copy the weights of an export into a network, wherever names and shapes agree.

    Layers of another size, such as those of other heads, keep their random weights. The front ends must be equal:
    weights learnt on one kind of spectrogram are of no use on another.

    Args:
        export: The export folder.
        network: The network that receives the weights.
        frontend: The front end of that network.

    Returns:
        What was copied, and from where.

    Raises:
        ExportError: There is no export.
        ConfigError: The export has another network or front end, or no weights that fit.
    """
    model = read_export(export)
    theirs, ours = type(model.network).__name__, type(network).__name__
    if theirs != ours:
        raise ConfigError(f"start_from={export}: holds a {theirs}, this run trains a {ours}; choose model= accordingly")
    their_frontend, our_frontend = type(model.frontend).__name__, type(frontend).__name__
    if their_frontend != our_frontend:
        raise ConfigError(
            f"start_from={export}: its network was trained with a {their_frontend}, this run has a {our_frontend}; "
            "choose frontend= accordingly"
        )
    differ = [name for name, value in frontend.settings.items() if model.frontend.settings.get(name) != value]
    if differ:
        wanted = " ".join(f"frontend.{name}={model.frontend.settings.get(name)}" for name in differ)
        raise ConfigError(f"start_from={export}: its network was trained with another front end; use {wanted}")
    own = network.state_dict()
    copied = {
        name: tensor
        for name, tensor in model.network.state_dict().items()
        if name in own and own[name].shape == tensor.shape
    }
    if not copied:
        raise ConfigError(
            f"start_from={export}: none of its layers has the shape of a layer here; use the settings of that model"
        )
    network.load_state_dict(copied, strict=False)
    new = sorted({name.split(".")[0] for name in own.keys() - copied.keys()})
    data = model.config["data"]
    about = {name: data[name] for name in ("origin", "weights", "manifest", "manifest_hash") if name in data}
    return Start(len(copied), new, about | {"licence": model.config["licence"]})


def freeze(network: nn.Module, parts: Sequence[str]) -> list[nn.Module]:
    """Exclude modules from training.

    Their batch normalisation must also stay in eval mode, or its statistics would change; `MusicModule` does that.

    Args:
        network: The network.
        parts: Names of modules, such as "blocks.0".

    Returns:
        The modules.

    Raises:
        ConfigError: The network has no such module, or nothing is left to train.
    """
    modules = dict(network.named_modules())
    unknown = [part for part in parts if part not in modules or not part]
    if unknown:
        names = [name for name in modules if name and name.count(".") < 2]
        raise ConfigError(
            f"freeze: {type(network).__name__} has no {', '.join(unknown)}; choose from: {', '.join(names)}"
        )
    for part in parts:
        modules[part].requires_grad_(False)
    if parts and not any(parameter.requires_grad for parameter in network.parameters()):
        raise ConfigError(f"freeze={list(parts)}: nothing is left to train; leave a part out")
    return [modules[part] for part in parts]
