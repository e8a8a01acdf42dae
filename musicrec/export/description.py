"""The description of a model: network, heads and front end as plain JSON types, and back."""

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from musicrec import heads as heads_package
from musicrec.config.class_lookup import find_class
from musicrec.errors import ExportError
from musicrec.heads import Head
from musicrec.models import Network
from musicrec.models.frontends import Frontend


@dataclass(kw_only=True)
class Model:
    """A model that is ready to run.

    Attributes:
        network: The network, in eval mode.
        frontend: The front end that it was trained with.
        heads: The heads, with their classes.
        config: The content of `config.json` of an export, or the description in a checkpoint.
        source: The export folder or checkpoint file it was read from.
    """

    network: Network
    frontend: Frontend
    heads: list[Head]
    config: dict
    source: Path | None = None

    @property
    def hears_audio(self) -> bool:
        """Whether the model can answer about audio, which a probe without its encoder cannot."""
        return getattr(self.network, "encoder", self) is not None

    @property
    def sample_rate(self) -> int:
        """Sample rate of the waveforms that the front end takes, in Hz."""
        return self.frontend.sample_rate

    def for_inference(self) -> "Model":
        """Return a model with the same answers, and the network in its fastest form, if it has one besides its own."""
        fast = getattr(self.network, "for_inference", None)
        return dataclasses.replace(self, network=fast()) if fast else self


def no_audio(source: str | Path | None) -> str:
    """Return what cannot be done with a probe whose encoder is no part of it, and what can."""
    return (
        f"{source}: is a probe on a table of embeddings, or on an encoder with code of its own, and cannot analyse "
        "audio or index music, as what computes the embeddings is no part of it; it can be evaluated with the encoder "
        f"of its training (musicrec evaluate export={source} encoder=table encoder.path=TABLE). For audio, train the "
        "probe with encoder=export, or encoder=hugging_face without remote_code"
    )


def describe(network: Network, heads: Sequence[Head], frontend: Frontend) -> dict:
    """Describe a model in plain JSON types, so that `build` can build it again.

    Args:
        network: The network.
        heads: Its heads.
        frontend: Its front end.

    Returns:
        The classes and settings, under the keys `network`, `frontend` and `heads`.
    """
    description = {
        "network": {"class": type(network).__name__, "settings": network.settings},
        "frontend": {"class": type(frontend).__name__, **frontend.settings},
        "heads": [heads_package.to_dict(head) for head in heads],
    }
    return json.loads(json.dumps(description))  # tuples become lists, as after a round trip through the file


def build(description: dict) -> tuple[Network, list[Head], Frontend]:
    """Build the model that `describe` described.

    Args:
        description: The result of `describe`.

    Returns:
        The untrained network, the heads and the front end.
    """
    heads = [heads_package.from_dict(head) for head in description["heads"]]
    cls = find_class("musicrec.models", description["network"]["class"])
    network = cls({head.name: len(head.classes) for head in heads}, **description["network"]["settings"])
    frontend = {"class": "MelSpectrogram", **description["frontend"]}  # old exports do not name the class
    return network, heads, find_class("musicrec.models.frontends", frontend.pop("class"))(**frontend)


def build_from(source: str | Path, description: dict) -> tuple[Network, list[Head], Frontend]:
    """Build the model that a file describes.

    Args:
        source: The file, for error messages.
        description: What it holds.

    Returns:
        The untrained network, the heads and the front end.

    Raises:
        ExportError: The description does not fit this version. The message names the file and what to do.
    """
    try:
        return build(description)
    except Exception as error:  # the file can be from anywhere and make the constructors raise anything
        commit = description.get("git_commit") if isinstance(description, dict) else None
        writer = f"the code that wrote it{f' (git commit {commit})' if isinstance(commit, str) else ''}"
        raise ExportError(
            f"{source} describes no model that this version knows: {error}; read it with {writer}, or train and export "
            "it again"
        ) from None


def load_weights(network: Network, weights: dict[str, Tensor], *, source: Path) -> None:
    """Load weights, all of them and no others.

    Args:
        network: The network that receives them.
        weights: Tensors by name.
        source: The file they come from, for error messages.

    Raises:
        ExportError: Tensors are missing, surplus or of another shape. The message names up to three of them.
    """
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
