"""The settings of a query in the config of `recommend.py`, which `action=query` and `action=evaluate` share."""

from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from musicrec.programs.build import plain
from musicrec.recommend.musical_filters import MusicalFilters, changed_filters
from musicrec.recommend.presets import Preset, filters_from, preset_from


def settings_of(cfg: DictConfig) -> dict[str, Any]:
    """Return the settings of `musicrec.recommend.query_settings.query_settings`, by name."""
    preset = preset_of(cfg)
    filters = {name: value for name, value in plain(cfg.filters).items() if value is not None}
    base = preset.filters if preset else MusicalFilters()
    given = filters_from(filters)
    return {
        "preset": preset,
        "filters": changed_filters(base, {name: getattr(given, name) for name in filters}) if filters else None,
        "tags": plain(cfg.filter),
        "weights": plain(cfg.weights),
        "metric": cfg.similarity.metric,
        "passage": cfg.similarity.passage,
        "neighbours": cfg.similarity.neighbours,
        "hubs": cfg.similarity.hubs,
        "balance": cfg.similarity.balance,
    }


def preset_of(cfg: DictConfig) -> Preset | None:
    """Return the preset that the config names, with changes of its settings such as preset.passage=whole."""
    if cfg.get("preset") is None:
        return None
    return preset_from(plain(cfg.preset), name=HydraConfig.get().runtime.choices.get("preset") or "preset")
