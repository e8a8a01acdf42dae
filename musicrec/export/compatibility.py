"""Check that front end, network and heads fit together; find where two descriptions of models differ."""

import inspect
from collections.abc import Iterator, Sequence

import torch

from musicrec.config.class_lookup import find_classes
from musicrec.errors import ConfigError
from musicrec.heads import Head
from musicrec.heads.frames import is_frame_wise
from musicrec.models import Network
from musicrec.models.frontends import Frontend


def check_parts(network: Network, heads: Sequence[Head], frontend: Frontend) -> None:
    """Check that front end, network and heads agree. If they do not, training would give nonsense without an error.

    A network that names a front end (`needs_frontend`) must get that one. A setting that both the network and the front
    end have must have one value. A frame-wise head needs a network with frames, which has an attribute `output_rate`. A
    network whose outputs have a fixed meaning, such as a tempo each, has a method `check_heads(heads)` that raises
    ConfigError if a head differs.

    Args:
        network: The network.
        heads: Its heads.
        frontend: Its front end.

    Raises:
        ConfigError: Two parts disagree. The message names the setting and what to change.
    """
    needed, kind = getattr(network, "needs_frontend", None), type(frontend).__module__.rpartition(".")[2]
    if needed not in (None, kind):
        raise ConfigError(f"frontend={kind}: {type(network).__name__} cannot use its output; add frontend={needed}")
    frontend_settings = {
        name for cls in find_classes("musicrec.models.frontends").values() for name in inspect.signature(cls).parameters
    }
    for name, taken in network.settings.items():
        given = frontend.settings.get(name)
        if name in frontend_settings and given != taken:
            advice = "set model.n_mels, which the front end follows"
            if name != "n_mels":
                advice = f"leave out model.{name}, which follows the front end"
            raise ConfigError(f"frontend.{name}={given}: the network takes {taken}; {advice}")
    for head in heads:
        if is_frame_wise(head) and not hasattr(network, "output_rate"):
            raise ConfigError(
                f"task.heads.{head.name}: {type(network).__name__} answers once per chunk, but this head needs every "
                "frame; take model=beat_net, or leave the head out"
            )
    check_heads = getattr(network, "check_heads", None)
    if check_heads is not None:
        check_heads(heads)


@torch.no_grad()
def check_chunk(network: Network, frontend: Frontend) -> None:
    """Run a network on a silent chunk, so that chunks that are too short for it are found before anything is decoded.

    Args:
        network: The network, in training mode, which it keeps.
        frontend: Its front end.

    Raises:
        ConfigError: The chunks are too short for the network.
    """
    network.eval()
    network(frontend(torch.zeros(1, network.chunk_samples)))
    network.train()


def first_difference(theirs: dict, ours: dict) -> tuple[str, object, object] | None:
    """Find the first value in which two descriptions (see `describe`) differ.

    Args:
        theirs: One description.
        ours: The other description.

    Returns:
        The key, their value and our value, such as ("network.settings.width", 64, 32); None if they are equal. A value
        that one of them lacks is "absent".
    """
    their_values, our_values = dict(_leaves(theirs)), dict(_leaves(ours))
    for key in [*our_values, *their_values]:
        their, our = their_values.get(key, "absent"), our_values.get(key, "absent")
        if their != our:
            return key, their, our
    return None


def _leaves(value: object, key: str = "") -> Iterator[tuple[str, object]]:
    """Yield (full key, value) of everything that is neither dict nor list. Heads are keyed by their names."""
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
