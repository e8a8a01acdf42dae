"""What `musicrec set` prints and writes."""

import json
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from musicrec.config.value_check import join_alternatives
from musicrec.errors import ConfigError
from musicrec.programs.export_command import parse_notation, written_text
from musicrec.recommend.deck_files import check_format
from musicrec.recommend.recommender import Recommender
from musicrec.recommend.sets.curve import SHAPES, EnergyCurve
from musicrec.recommend.sets.settings import read_set_settings
from musicrec.recommend.sets.table import as_table
from musicrec.recommend.sets.track_set import TrackSet
from musicrec.recommend.wording import counted, length_text
from musicrec.system.console import answer_console

_PICTURES = (".png", ".svg")


def build(
    recommender: Recommender,
    start: str,
    *,
    end: str | None = None,
    tracks: int | None = None,
    minutes: float | None = None,
    curve: str | None = None,
    lock: Sequence[str] = (),
    ban: Sequence[str] = (),
    picture: Sequence[str | Path] = (),
    settings: str | None = None,
    without: Collection[str] = (),
    export: Sequence[str | Path] = (),
    key_notation: str = "camelot",
    force: bool = False,
    as_json: bool = False,
) -> TrackSet:
    """Build a set, print it, and draw it if asked.

    Args:
        recommender: Builds the set.
        start: The first track.
        end: The last track; None leaves it open.
        tracks: Number of tracks. If neither this nor `minutes` is given, 12.
        minutes: Length in minutes.
        curve: See `parse_curve`.
        lock: Tracks at a place, as "5=TRACK".
        ban: Tracks that must not be in the set.
        picture: Files to draw the set into, .png or .svg. Older pictures are replaced.
        settings: How the set is searched: a name or a file of `read_set_settings`; None for the usual settings.
        without: Recordings to leave out unless they are named.
        export: Files to write the set into for DJ programs and players; see `musicrec export`.
        key_notation: How keys are written there: "camelot", "open" or "name".
        force: Replace such files if they exist.
        as_json: Print JSON instead of a table.

    Returns:
        The set.

    Raises:
        ConfigError: An option cannot be read.
    """
    files = [Path(file) for file in picture]
    for file in files:
        if file.suffix.lower() not in _PICTURES:
            raise ConfigError(f"--picture {file}: give a file whose name ends in {join_alternatives(_PICTURES)}")
    if tracks is not None and minutes is not None:
        raise ConfigError(f"-n {tracks} and --minutes {minutes:g}: give one of them")
    if end is not None and end == start:
        raise ConfigError(f"--end {end}: the set begins with this track; leave --end out, or name another track")
    notation = parse_notation(key_notation)
    decks = [check_format(file, replace=force, force="--force") for file in export]
    made = recommender.build_set(
        start,
        end=end,
        tracks=12 if tracks is None and minutes is None else tracks,
        minutes=minutes,
        curve=None if curve is None else parse_curve(curve),
        locked=parse_locks(lock),
        banned=list(ban),
        without=without,
        settings=None if settings is None else read_set_settings(settings),
        progress=True,
    )
    if files:
        draw(made, files)
    hashes = [track.audio_hash for track in made.tracks]
    done = [
        recommender.export(deck, hashes, name=f"Set from {made.tracks[0].name}", key_notation=notation, replace=force)
        for deck in decks
    ]
    out = answer_console()
    if as_json:
        print(json.dumps(made.to_dict(), indent=1, ensure_ascii=False))
    else:
        out.print(as_table(made, width=out.width), crop=False)
        for file in files:
            out.print(f"picture: {file}", soft_wrap=True, markup=False)
        for line in (line for one in done for line in written_text(one)):
            out.print(line, soft_wrap=True, markup=False)
    return made


def draw(made: TrackSet, files: Sequence[Path]) -> None:
    """Draw a set into files.

    Args:
        made: The set, with names.
        files: The files, .png or .svg.
    """
    from musicrec.figures.sets import DrawnTrack, set_figure  # here: matplotlib takes a second to import
    from musicrec.figures.style import save

    led_into: list[float | None] = [None, *(transition.score for transition in made.transitions)]
    drawn = [
        DrawnTrack(
            name=track.label,
            starts=length_text(round(60 * track.starts_min)),
            bpm=track.bpm,
            mixed_bpm=mixed_bpm,
            energy=track.energy,
            target=track.target,
            camelot=track.camelot,
            locked=track.locked,
            led_into=score,
        )
        for track, mixed_bpm, score in zip(made.tracks, made.mixed_bpm, led_into, strict=True)
    ]
    title = (
        f"Set of {counted(len(drawn))}, {length_text(60 * made.minutes)}, "
        f"score {made.score:.2f}, weakest transition {made.weakest:.2f}"
    )
    for file in files:
        save(set_figure(drawn, title=title), file)


def parse_curve(text: str) -> EnergyCurve:
    """Read an energy curve: a shape, a shape with its lowest and highest energy, or points.

    Args:
        text: "rise", "peak:4-9", or points as energies at equal distances, "4,6,8,5".

    Raises:
        ConfigError: It is none of these.
    """
    shape, _, limits = text.strip().partition(":")
    try:
        if shape in SHAPES and shape != "points":
            energies: dict[str, Any] = {}
            if limits:
                low, _, high = limits.partition("-")
                energies = {"low": float(low)} | ({"high": float(high)} if high else {})
            return EnergyCurve(shape=shape, **energies)
        values = [float(value) for value in text.split(",")]
        if len(values) < 2:
            raise ValueError
        places = np.linspace(0, 1, len(values)).tolist()
        return EnergyCurve(shape="points", points=list(zip(places, values, strict=True)))
    except (ValueError, ConfigError):
        shapes = ", ".join(name for name in SHAPES if name != "points")
        raise ConfigError(
            f"--curve {text}: give one of {shapes}; with limits from 1 to 10, as in peak:4-9; "
            "or two or more energies from 1 to 10, as in 4,6,8,5"
        ) from None


def parse_locks(words: Sequence[str]) -> dict[int, str]:
    """Read tracks at places, {place: track}, from words such as "5=artist – title".

    Raises:
        ConfigError: A word has no place or no track, or a place is named twice.
    """
    locks: dict[int, str] = {}
    for word in words:
        place, _, track = word.partition("=")
        if not place.strip().isdecimal() or not track:
            raise ConfigError(f"--lock {word}: give a place and a track, as in 5=TRACK")
        if int(place) < 2:
            raise ConfigError(f"--lock {word}: the set begins with TRACK; lock a track at place 2 or behind")
        if int(place) in locks:
            raise ConfigError(f"--lock {word}: another track is locked at place {int(place)}")
        locks[int(place)] = track
    return locks
