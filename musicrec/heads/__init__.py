"""What a label is: how it is read, learned, decoded, scored, drawn, moved by a deformation and compared.

A head is a small frozen dataclass without weights (the network holds the linear layer), and a class whose name ends in
`Head`. Everything that differs between kinds of labels is a method or an attribute of the head; `musicrec.heads.head`
lists them all. A new kind of label is a new file in this folder; see CONTRIBUTING.md.

Importing a head loads neither torch nor Polars. What a recommender asks of a head (`decode`, `ranked`, `limits`,
`compatibility`, `dj_facts`, `text`) works on NumPy arrays. The methods for training and evaluation take tensors; they
import their maths (`labels`, `outputs`, `metrics`) when they are called.
"""

import dataclasses
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from musicrec.config.class_lookup import class_modules
from musicrec.errors import ConfigError
from musicrec.heads.head import Head

__all__ = ["Head", "from_dict", "head_classes", "to_dict"]


def head_classes() -> dict[str, type[Head]]:
    """Return {name: class} of all heads: the public classes in this folder whose names end in `Head`."""
    modules = {name: module for name, module in class_modules(__name__).items() if name.endswith("Head")}
    return {name: getattr(import_module(module), name) for name, module in modules.items() if name != Head.__name__}


def to_dict(head: Head) -> dict[str, Any]:
    """Return the class and the settings of a head in plain JSON types; `from_dict` builds an equal head from them."""
    return {"class": type(head).__name__, **dataclasses.asdict(head)}


def from_dict(description: Mapping[str, Any]) -> Head:
    """Build the head that `to_dict` described.

    Raises:
        ConfigError: There is no such class or setting.
    """
    settings = {key: tuple(value) if isinstance(value, list) else value for key, value in description.items()}
    name, classes = settings.pop("class"), head_classes()
    if name not in classes:
        raise ConfigError(f"musicrec.heads has no head {name!r}; choose from: {', '.join(sorted(classes))}")
    try:
        return classes[name](**settings)
    except TypeError as error:
        raise ConfigError(f"head {description.get('name')}: {error}") from None
