"""Sets as the API takes them, in the terms of `Recommender.build_set`."""

from collections.abc import Mapping, Sequence
from typing import Any

from musicrec.config.value_check import join_alternatives
from musicrec.errors import ConfigError
from musicrec.recommend.presets import key_table_names
from musicrec.recommend.recommender import Recommender
from musicrec.recommend.sets.build import SetSettings
from musicrec.recommend.sets.curve import EnergyCurve
from musicrec.recommend.sets.settings import preset_names, read_set_settings, set_settings
from musicrec.recommend.sets.track_set import TrackSet
from musicrec.system.progress import StepListener

_USUAL_TRACKS = 12


def build(
    recommender: Recommender,
    asked: Mapping[str, Any],
    *,
    user: str,
    profiles: str | None,
    progress: bool | StepListener = False,
) -> dict[str, Any]:
    """Build a set as `musicrec set --json` does. What the user never wants again is left out, unless it is named.

    Args:
        recommender: The recommender.
        asked: The settings of `set_schemas.SetRequest`; of `settings` only those that are given.
        user: Who asks.
        profiles: Where profiles are kept.
        progress: As for `Recommender.build_set`.

    Returns:
        The set in plain JSON types, each track with its id.

    Raises:
        ConfigError: A setting is out of range, or there are too few tracks.
        LibraryError: The library cannot be read.
    """
    known = recommender.library.ids_of(asked["banned"])
    return with_ids(
        recommender.build_set(
            asked["start"],
            end=asked["end"],
            tracks=_USUAL_TRACKS if asked["tracks"] is None and asked["minutes"] is None else asked["tracks"],
            minutes=asked["minutes"],
            curve=energy_curve(asked["curve"]),
            locked={int(place): track for place, track in asked["locked"].items()},
            banned=[one for one in asked["banned"] if one in known],
            without=recommender.never_again(user, profiles=profiles),
            settings=tuned(asked["settings"]),
            progress=progress,
        )
    )


def explain(recommender: Recommender, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return the transitions and the score of tracks in the order of `set_schemas.OrderRequest`; see `build`."""
    first, *others = asked["tracks"]
    return with_ids(
        recommender.build_set(
            first,
            tracks=len(asked["tracks"]),
            curve=energy_curve(asked["curve"]),
            locked=dict(enumerate(others, start=2)),
            settings=tuned(asked["settings"]),
        )
    )


def energy_curve(curve: str | Sequence[Sequence[float]] | None) -> EnergyCurve | None:
    """Return the energy over a set.

    Raises:
        ConfigError: Its points are not in order.
    """
    if curve is None:
        return None
    if isinstance(curve, str):
        return EnergyCurve(shape=curve)
    return EnergyCurve(shape="points", points=[(place, energy) for place, energy in curve])


def tuned(tuning: Mapping[str, Any]) -> SetSettings | None:
    """Return how a set is searched; None for the usual way. A file of the server is never read.

    Args:
        tuning: The settings of `set_schemas.SetTuning` that are given.

    Raises:
        ConfigError: There is no such setting, or it is out of range.
    """
    changes = {name: value for name, value in tuning.items() if name != "name"}
    if (chosen := tuning.get("name")) is not None:
        if chosen not in preset_names():
            raise ConfigError(f"settings.name={chosen}: choose {join_alternatives(preset_names())}")
        if changes:
            raise ConfigError(f"settings: give name={chosen}, or {', '.join(changes)}; not both")
        return read_set_settings(chosen)
    if "keys" in changes and changes["keys"] not in key_table_names():
        raise ConfigError(f"settings.keys={changes['keys']}: choose {join_alternatives(key_table_names())}")
    return set_settings(**changes) if changes else None


def with_ids(made: TrackSet) -> dict[str, Any]:
    """Return a set in plain JSON types, each track with its id."""
    content = made.to_dict()
    content["tracks"] = [track | {"id": track["audio_hash"]} for track in content["tracks"]]
    return content
