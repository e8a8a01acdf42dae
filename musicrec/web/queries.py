"""Queries as the API takes them, in the terms of `Recommender.query`."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import cache
from typing import Any

from musicrec.errors import ConfigError
from musicrec.recommend.musical_filters import MusicalFilters
from musicrec.recommend.presets import (
    Preset,
    filters_from,
    key_table_names,
    preset_names,
    read_key_table,
    read_preset,
)

_INSTEAD = {  # a range takes the place of a distance from the query, and the other way round
    "bpm": "bpm_percent",
    "energy": "energy_within",
    "loudness": "loudness_within",
    "year": "year_within",
}


def shipped_preset(name: str | None) -> Preset | None:
    """Return a preset that ships; None for None. A file of the server is never read.

    Raises:
        ConfigError: None of this name ships.
    """
    if name is None:
        return None
    if name not in preset_names():
        raise ConfigError(f"preset={name}: choose from: {', '.join(preset_names())}")
    return _read_once(name)


@cache
def _read_once(name: str) -> Preset:
    return read_preset(name)  # from YAML, which takes as long as a tenth of a query


def changed_filters(base: MusicalFilters | None, given: Mapping[str, Any]) -> MusicalFilters | None:
    """Return the filters of a preset with those that are given in their place.

    Args:
        base: The filters of the preset; None for no preset.
        given: Settings of `MusicalFilters`; None takes a filter away. `key_table` is the name of one that ships.

    Returns:
        None if nothing is given, so that those of the preset stay as they are.

    Raises:
        ConfigError: A setting is out of range.
    """
    if not given:
        return None
    usual = MusicalFilters()
    changes = {name: getattr(usual, name) if value is None else value for name, value in given.items()}
    for absolute, relative in _INSTEAD.items():
        for one, other in ((absolute, relative), (relative, absolute)):
            if given.get(one) is not None and other not in given:
                changes[other] = None
    if given.get("key_table") is not None:
        if given["key_table"] not in key_table_names():
            raise ConfigError(f"key_table={given['key_table']}: choose from: {', '.join(key_table_names())}")
        changes["key_table"] = read_key_table(given["key_table"])
    if given.get("max_per_artist") == 0:
        changes["max_per_artist"] = None
    for name, value in changes.items():
        if isinstance(value, list):
            changes[name] = tuple(value)
    return replace(base, **changes) if base is not None else filters_from(changes)


def preset_facts(preset: Preset) -> dict[str, Any]:
    """Return a preset in plain JSON types."""
    return asdict(replace(preset, weights=dict(preset.weights)))
