"""Settings of a wrong type, told by their key before anything is built: the constructor is the schema."""

import fnmatch
import inspect
import types
from collections.abc import Iterator, Sequence
from typing import Union, get_args, get_origin

from hydra.errors import InstantiationException
from hydra.utils import get_object
from omegaconf import DictConfig, ListConfig
from omegaconf.errors import OmegaConfBaseException

from musicrec.errors import ConfigError

_NAMES = {int: "a whole number", float: "a number", bool: "true or false", str: "text", type(None): "null"}


def check_types(cfg: DictConfig, *, allowed: Sequence[str]) -> None:
    """Hold every value in a config that goes to a parameter of a plain type (int, float, bool, str) against that type.

    allowed: patterns of the targets that may be looked up at all. Raises ConfigError that lists all that is wrong.
    """
    wrong = [
        f"{key}={value}: give {_expected(kinds)}"
        for key, value, kinds in _plain_settings(cfg, allowed)
        if not _fits(value, kinds)
    ]
    if wrong:
        raise ConfigError("; ".join(wrong))


def _plain_settings(cfg: DictConfig | ListConfig, allowed: Sequence[str]) -> Iterator[tuple[str, object, set[type]]]:
    """(full key, value, types that it may have) of every setting whose parameter is of plain types."""
    parameters = {}
    if isinstance(cfg, DictConfig) and "_target_" in cfg:
        parameters = _parameters(str(cfg["_target_"]), allowed)
    for name in cfg if isinstance(cfg, DictConfig) else range(len(cfg)):
        try:
            value = cfg[name]
        except OmegaConfBaseException:  # missing, or referring to what is: who needs it tells
            continue
        if name in parameters and value is not None:  # what is null may be for the program to fill in
            yield cfg._get_full_key(name), value, parameters[name]
        if isinstance(value, DictConfig | ListConfig):
            yield from _plain_settings(value, allowed)


def _parameters(target: str, allowed: Sequence[str]) -> dict[str, set[type]]:
    """{parameter: its types} of a class or function, as far as they are plain ones."""
    if not any(fnmatch.fnmatchcase(target, pattern) for pattern in allowed):
        return {}
    try:
        given = inspect.signature(get_object(target)).parameters.values()
    except (ImportError, InstantiationException, TypeError, ValueError):
        return {}  # what is wrong with the target is told when it is built
    kinds = {parameter.name: _kinds(parameter.annotation) for parameter in given}
    return {name: found for name, found in kinds.items() if found and found <= _NAMES.keys()}


def _kinds(annotation: object) -> set[type]:
    if get_origin(annotation) in (Union, types.UnionType):
        return {kind for part in get_args(annotation) for kind in _kinds(part)}
    return {type(None) if annotation is None else annotation} if isinstance(annotation, type | None) else {object}


def _fits(value: object, kinds: set[type]) -> bool:
    """A whole number is a number, too; and a name such as 2024 is one to the command line."""
    kinds = kinds | {int} if float in kinds else kinds | {int, float} if str in kinds else kinds
    return type(value) in kinds


def _expected(kinds: set[type]) -> str:
    return " or ".join(name for kind, name in _NAMES.items() if kind in kinds and not (kind is int and float in kinds))
