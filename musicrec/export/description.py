"""A model in words: network, heads and front end as plain JSON types, and back."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from musicrec import heads as heads_package
from musicrec.config.class_lookup import find_class
from musicrec.errors import ExportError
from musicrec.heads import Head
from musicrec.models.frontends import Frontend


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
    return network, heads, find_class("musicrec.models.frontends", frontend.pop("class"))(**frontend)


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
