"""Settings of a wrong type or beyond their limits, told by their keys before anything is built: the constructor is the
schema, with the limits of musicrec/config/number_types.py."""

import fnmatch
import inspect
import types
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le
from hydra.errors import InstantiationException
from hydra.utils import get_object
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from musicrec.errors import ConfigError

_NAMES = {int: "a whole number", float: "a number", bool: "true or false", str: "text", type(None): "null"}


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """What a parameter of plain types takes."""

    kinds: frozenset[type]
    limits: tuple[Ge | Gt | Le, ...] = ()

    def holds(self, value: object) -> bool:
        """A whole number is a number, too; and a name such as 2024 is one to the command line."""
        kinds = self.kinds | ({int} if float in self.kinds else {int, float} if str in self.kinds else set())
        return type(value) in kinds and all(_within(value, limit) for limit in self.limits)

    def __str__(self) -> str:
        shown = self.kinds - {int} if float in self.kinds else self.kinds
        kinds = " or ".join(name for kind, name in _NAMES.items() if kind in shown)
        return ", ".join([kinds, " and ".join(map(_worded, self.limits))] if self.limits else [kinds])


SWITCH = Accepted(kinds=frozenset({bool}))

# What the programs read themselves, without a constructor.
SWITCHES = ("resume", "channels_last", "figures", "plots", "mixed", "augment.move_labels")

# Whose own annotations tell no limits.
_OTHERS = {
    "pytorch_lightning.Trainer": {
        "max_epochs": Ge(-1),
        "max_steps": Ge(-1),
        "gradient_clip_val": Ge(0),
        "accumulate_grad_batches": Ge(1),
        "log_every_n_steps": Ge(1),
    }
}


def check_settings(cfg: DictConfig, *, allowed: Sequence[str]) -> None:
    """Hold every value in a config that goes to a parameter of plain types (int, float, bool, str) against that.

    allowed: patterns of the targets that may be looked up at all. Raises ConfigError that lists all that is wrong.
    """
    switches = ((key, OmegaConf.select(cfg, key), SWITCH) for key in SWITCHES)
    found = [*(switch for switch in switches if switch[1] is not None), *_plain_settings(cfg, allowed)]
    wrong = [f"{key}={value}: give {accepted}" for key, value, accepted in found if not accepted.holds(value)]
    if wrong:
        raise ConfigError("; ".join(dict.fromkeys(wrong)))  # several may refer to one key


def _plain_settings(cfg: DictConfig | ListConfig, allowed: Sequence[str]) -> Iterator[tuple[str, object, Accepted]]:
    """(full key, value, what it may be) of every setting whose parameter is of plain types."""
    parameters = {}
    if isinstance(cfg, DictConfig) and "_target_" in cfg:
        parameters = _parameters(str(cfg["_target_"]), allowed)
    for name in cfg if isinstance(cfg, DictConfig) else range(len(cfg)):
        try:
            value = cfg[name]
        except OmegaConfBaseException:  # missing, or referring to what is: who needs it tells
            continue
        if name in parameters and value is not None:  # what is null may be for the program to fill in
            yield _full_key(cfg, name), value, parameters[name]
        if isinstance(value, DictConfig | ListConfig):
            yield from _plain_settings(value, allowed)


def _full_key(cfg: DictConfig, name: str) -> str:
    """Where a setting can be changed: a value that refers to another key is changed there."""
    node = cfg._get_node(name)
    return (node._dereference_node() if node._is_interpolation() else node)._get_full_key(None)


def _parameters(target: str, allowed: Sequence[str]) -> dict[str, Accepted]:
    """{parameter: what it takes} of a class or function, as far as its types are plain ones."""
    if not any(fnmatch.fnmatchcase(target, pattern) for pattern in allowed):
        return {}
    try:
        given = inspect.signature(get_object(target)).parameters.values()
    except (ImportError, InstantiationException, TypeError, ValueError):
        return {}  # what is wrong with the target is told when it is built
    found = {}
    for parameter in given:
        kinds, limits = _kinds(parameter.annotation)
        if kinds and kinds <= _NAMES.keys():
            limit = _OTHERS.get(target, {}).get(parameter.name)
            found[parameter.name] = Accepted(kinds=kinds, limits=limits if limit is None else (limit,))
    return found


def _kinds(annotation: object) -> tuple[frozenset[type], tuple[Ge | Gt | Le, ...]]:
    """The types of an annotation, and the limits of its numbers."""
    if get_origin(annotation) in (Union, types.UnionType):
        parts = [_kinds(part) for part in get_args(annotation)]
        return frozenset().union(*(kinds for kinds, _ in parts)), sum((limits for _, limits in parts), ())
    if get_origin(annotation) is Annotated:
        kind, *limits = get_args(annotation)
        return frozenset({kind}), tuple(limits)
    kind = type(None) if annotation is None else annotation
    return frozenset({kind if isinstance(kind, type) else object}), ()


def _within(value: float, limit: Ge | Gt | Le) -> bool:
    if isinstance(limit, Ge):
        return value >= limit.ge
    return value > limit.gt if isinstance(limit, Gt) else value <= limit.le


def _worded(limit: Ge | Gt | Le) -> str:
    if isinstance(limit, Ge):
        return f"{limit.ge} or more"
    return f"above {limit.gt}" if isinstance(limit, Gt) else f"at most {limit.le}"
