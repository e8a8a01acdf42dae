"""The settings of sets as YAML: presets in `conf/set`, and files of the user. Read here without Hydra."""

import os
from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from musicrec.config.value_check import check_choice, join_alternatives
from musicrec.errors import ConfigError
from musicrec.recommend.key_relations import KeyTable
from musicrec.recommend.presets import read_key_table
from musicrec.recommend.sets.axes import (
    CurveAxis,
    EnergyAxis,
    GenreAxis,
    KeyAxis,
    LoudnessAxis,
    TempoAxis,
    TimbreAxis,
)
from musicrec.recommend.sets.build import SetSettings
from musicrec.recommend.sets.tempo import TempoRules
from musicrec.recommend.sets.transition import TransitionScore

PRESETS = Path(__file__).parents[2] / "conf" / "set"
_AXES: dict[str, type[Any]] = {
    axis.name: axis for axis in (KeyAxis, TempoAxis, EnergyAxis, GenreAxis, TimbreAxis, LoudnessAxis, CurveAxis)
}
_SUFFIXES = (".yaml", ".yml")
_OF_HYDRA = ("_target_", "defaults")


def preset_names() -> list[str]:
    """Return the names of the settings that ship."""
    return sorted(file.stem for file in PRESETS.glob("*.yaml"))


def read_set_settings(name: str | os.PathLike[str]) -> SetSettings:
    """Return the settings of a preset or a file.

    Args:
        name: One of `preset_names`, or a YAML file. What it leaves out has its usual value.

    Raises:
        ConfigError: There is no such preset or file, or a setting in it is unknown or out of range.
    """
    text = os.fspath(name)
    if text in preset_names():
        file = PRESETS / f"{text}.yaml"
    elif text.endswith(_SUFFIXES):
        file = Path(text).expanduser()
    else:
        raise ConfigError(f"settings={text}: choose {join_alternatives(preset_names())}, or name a .yaml file")
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"settings={text}: cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"settings={text}: is no YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, Mapping | None):
        raise ConfigError(f"settings={text}: give settings by name, as in conf/set/default.yaml")
    wanted = {key: value for key, value in (content or {}).items() if key not in _OF_HYDRA}
    try:
        return set_settings(**wanted)
    except ConfigError as error:
        raise ConfigError(f"{text}: {error}") from None


def set_settings(
    *,
    axes: Mapping[str, Mapping[str, Any]] | None = None,
    keys: Mapping[str, Any] | str | None = None,
    tempo: Mapping[str, Any] | None = None,
    **search: Any,
) -> SetSettings:
    """Return settings from plain values, as they stand in YAML.

    Args:
        axes: {axis: its settings}; an axis that is not named has its usual ones.
        keys: The score of each relation of two keys, as `KeyTable` takes them, or the name of a published table (see
            `read_key_table`).
        tempo: As `TempoRules` takes them.
        search: The other settings of `SetSettings` and `TransitionScore`.

    Raises:
        ConfigError: A setting is unknown or out of range.
    """
    named = _mapping("axes", axes)
    for name in named:
        check_choice("axes", name, list(_AXES))
    table = read_key_table(keys) if isinstance(keys, str) else _built("keys", KeyTable, keys)
    made = [_built(f"axes.{name}", _with_table(kind, table), named.get(name), of=kind) for name, kind in _AXES.items()]
    rules = _built("tempo", TempoRules, tempo)
    scoring = {key: search.pop(key) for key in ("missing_costs",) if key in search}
    transitions = TransitionScore(axes=tuple(made), tempo=rules, **scoring)
    settings: SetSettings = _built("", partial(SetSettings, transitions=transitions), search, of=SetSettings)
    return settings


def _with_table(kind: Callable[..., Any], table: KeyTable) -> Callable[..., Any]:
    return partial(kind, table=table) if kind is KeyAxis else kind


def _mapping(key: str, values: Any) -> Mapping[str, Any]:
    if not isinstance(values, Mapping | None):
        raise ConfigError(f"{key}={values}: give settings by name, as in conf/set/default.yaml")
    return values or {}


def _built(key: str, make: Any, values: Any, *, of: type[Any] | None = None) -> Any:
    """Return what a dataclass, or a function that fills in a part of it, makes of settings by name."""
    values = _mapping(key, values)
    filled = getattr(make, "keywords", {})
    known = [field.name for field in fields(of or make) if field.name not in filled]
    place = f"{key}." if key else ""
    for name in values:
        if name not in known:
            more = ["axes", "keys", "tempo", "missing_costs"] * (not key)
            raise ConfigError(f"{place}{name}: there is no such setting; choose {join_alternatives([*known, *more])}")
    return make(**values)
