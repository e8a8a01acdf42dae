"""Sets as the API takes them, in the terms of `Recommender.build_set`."""

from typing import Any

from musicrec.config.value_check import join_alternatives
from musicrec.errors import ConfigError
from musicrec.recommend.presets import key_table_names
from musicrec.recommend.sets.build import SetSettings
from musicrec.recommend.sets.curve import EnergyCurve
from musicrec.recommend.sets.settings import preset_names, read_set_settings, set_settings
from musicrec.recommend.sets.track_set import TrackSet
from musicrec.web.set_schemas import Curve, SetTuning


def energy_curve(curve: Curve | None) -> EnergyCurve | None:
    """Return the energy over a set.

    Raises:
        ConfigError: Its points are not in order.
    """
    if curve is None:
        return None
    return EnergyCurve(shape=curve) if isinstance(curve, str) else EnergyCurve(shape="points", points=curve)


def tuned(tuning: SetTuning) -> SetSettings | None:
    """Return how a set is searched; None for the usual way. A file of the server is never read.

    Raises:
        ConfigError: There is no such setting, or it is out of range.
    """
    changes = tuning.model_dump(exclude={"name"}, exclude_defaults=True)
    if tuning.name is not None:
        if tuning.name not in preset_names():
            raise ConfigError(f"settings.name={tuning.name}: choose {join_alternatives(preset_names())}")
        if changes:
            raise ConfigError(f"settings: give name={tuning.name}, or {', '.join(changes)}; not both")
        return read_set_settings(tuning.name)
    if tuning.keys is not None and tuning.keys not in key_table_names():
        raise ConfigError(f"settings.keys={tuning.keys}: choose {join_alternatives(key_table_names())}")
    return set_settings(**changes) if changes else None


def with_ids(made: TrackSet) -> dict[str, Any]:
    """Return a set in plain JSON types, each track with its id."""
    content = made.to_dict()
    content["tracks"] = [track | {"id": track["audio_hash"]} for track in content["tracks"]]
    return content
