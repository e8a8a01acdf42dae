"""Whether front end, network and heads go together, and where two descriptions of them differ."""

import inspect
from collections.abc import Iterator, Sequence

from torch import nn

from musicrec.config.class_lookup import find_classes
from musicrec.errors import ConfigError
from musicrec.heads import Head
from musicrec.models.frontends import Frontend


def check_parts(network: nn.Module, heads: Sequence[Head], frontend: Frontend) -> None:
    """Raises ConfigError where the parts were told different things: the network would learn nonsense, silently.

    What a network knows of its front end has the name that it has there. A network of which an output means something
    by its place, such as a tempo, says by `check_heads` whether a head means the same.
    """
    of_frontends = {
        name for cls in find_classes("musicrec.models.frontends").values() for name in inspect.signature(cls).parameters
    }
    for name, taken in network.settings.items():
        given = frontend.settings.get(name)
        if name in of_frontends and given != taken:
            way = "set model.n_mels, which the front end follows"
            if name != "n_mels":
                way = f"leave out model.{name}, which follows the front end"
            raise ConfigError(f"frontend.{name}={given}: the network takes {taken}; {way}")
    if hasattr(network, "check_heads"):
        network.check_heads(heads)


def first_difference(theirs: dict, ours: dict) -> tuple[str, object, object] | None:
    """(key, their value, our value) of the first leaf in which two descriptions (`export.describe`) differ, such as
    ("network.settings.width", 64, 32); "absent" where one has no such leaf."""
    theirs, ours = dict(_leaves(theirs)), dict(_leaves(ours))
    for key in [*ours, *theirs]:
        pair = theirs.get(key, "absent"), ours.get(key, "absent")
        if pair[0] != pair[1]:
            return key, *pair
    return None


def _leaves(value: object, key: str = "") -> Iterator[tuple[str, object]]:
    """(full key, value) of what is neither dict nor list. The heads go by their names."""
    if isinstance(value, dict):
        parts = [(f"{key}.{name}" if key else name, part) for name, part in value.items()]
    elif isinstance(value, list):
        names = [part["name"] if isinstance(part, dict) and "name" in part else place
                 for place, part in enumerate(value)]  # fmt: skip
        parts = [(f"{key}[{name}]", part) for name, part in zip(names, value, strict=True)]
    else:
        parts = []
        yield key, value
    for name, part in parts:
        yield from _leaves(part, name)
