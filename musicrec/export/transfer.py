"""Transfer: a network that begins with the weights of another, and parts of it that stay as they are."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from torch import nn

from musicrec.errors import ConfigError
from musicrec.export.folder import read_export
from musicrec.models.frontends import Frontend


class Start(NamedTuple):
    """With what a network began: how many tensors were copied, the parts that begin anew, such as ["classifier",
    "gru"], and, for the export's card, the data and the licence of the weights."""

    copied: int
    new: list[str]
    origin: dict


def start_from(export: str | Path, network: nn.Module, frontend: Frontend) -> Start:
    """Copy into `network` the weights of an export, wherever names and shapes agree.

    Other heads, or another size of a layer, leave those layers as they were drawn. The front ends must be equal:
    weights that know one picture of the sound know nothing of another.

    Raises:
        ExportError: no export there.
        ConfigError: another network or front end, or nothing that could be copied.
    """
    model = read_export(export)
    theirs, ours = type(model.network).__name__, type(network).__name__
    if theirs != ours:
        raise ConfigError(f"start_from={export}: holds a {theirs}, this run trains a {ours}; choose model= accordingly")
    hears, listens = type(model.frontend).__name__, type(frontend).__name__
    if hears != listens:
        raise ConfigError(
            f"start_from={export}: its network hears through a {hears}, this run has a {listens}; choose frontend= "
            "accordingly"
        )
    differ = [name for name, value in frontend.settings.items() if model.frontend.settings.get(name) != value]
    if differ:
        wanted = " ".join(f"frontend.{name}={model.frontend.settings.get(name)}" for name in differ)
        raise ConfigError(f"start_from={export}: its network hears through another front end; train with {wanted}")
    own = network.state_dict()
    copied = {
        name: tensor
        for name, tensor in model.network.state_dict().items()
        if name in own and own[name].shape == tensor.shape
    }
    if not copied:
        raise ConfigError(f"start_from={export}: no layer of it has the shape it has here; give the model its settings")
    network.load_state_dict(copied, strict=False)
    new = sorted({name.split(".")[0] for name in own.keys() - copied.keys()})
    data = model.config["data"]
    about = {name: data[name] for name in ("origin", "weights", "manifest", "manifest_hash") if name in data}
    return Start(len(copied), new, about | {"licence": model.config["licence"]})


def freeze(network: nn.Module, parts: Sequence[str]) -> list[nn.Module]:
    """Take the modules named in `parts`, such as "blocks.0", out of training; returns them.

    Their batch normalisation must stay in eval mode too, or its statistics would move: `MusicModule` sees to that.

    Raises:
        ConfigError: the network has no module of that name.
    """
    modules = dict(network.named_modules())
    unknown = [part for part in parts if part not in modules or not part]
    if unknown:
        names = [name for name in modules if name and name.count(".") < 2]
        raise ConfigError(
            f"freeze: {type(network).__name__} has no {', '.join(unknown)}; there are: {', '.join(names)}"
        )
    for part in parts:
        modules[part].requires_grad_(False)
    if parts and not any(parameter.requires_grad for parameter in network.parameters()):
        raise ConfigError(f"freeze={list(parts)}: nothing is left to train; leave a part out")
    return [modules[part] for part in parts]
