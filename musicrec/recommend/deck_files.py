"""Write tracks of a library for DJ programs, players and spreadsheets. Audio files are never touched.

Tempo and key are ours. What a collection that was indexed says besides (cues, beat grid, rating, comment, dates) is
written with the track, and its own tempo and key stand beside ours in JSON, as `source`. Where it has no beat grid,
ours is written, if the library was made with a model of beats.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from musicrec.config.value_check import join_alternatives
from musicrec.errors import ConfigError
from musicrec.interchange.collection import Collection, CollectionPlaylist, CollectionTrack, Cue, GridPoint
from musicrec.interchange.file_paths import absolute, relocated
from musicrec.interchange.key_notation import KeyNotation, format_key, parse_key_class
from musicrec.interchange.m3u import write_m3u
from musicrec.interchange.rekordbox import write_rekordbox
from musicrec.interchange.table_files import write_collection_json, write_track_table
from musicrec.interchange.traktor import write_traktor
from musicrec.recommend.library import Library, Listing
from musicrec.recommend.library_tracks import mix_facts, tracks_of
from musicrec.recommend.track import Track
from musicrec.system.file_names import path_on_disk

FORMATS = {
    ".xml": "rekordbox",
    ".nml": "Traktor",
    ".m3u8": "players",
    ".m3u": "players",
    ".csv": "spreadsheets",
    ".json": "programs",
}
"""{suffix: what reads it}."""
LEAST_CONFIDENCE = 0.2
"""A beat grid of less is not written: the music has no constant tempo, or its beat was not understood."""
SAME_TEMPO = 0.02
"""A beat grid whose tempo differs by more from that of the library is not written: one of them is wrong, and a DJ would
see two."""


@dataclass(frozen=True, kw_only=True)
class DeckExport:
    """What was written.

    Attributes:
        path: The file.
        tracks: Number of different tracks in it.
        entries: Number of entries of the playlist, in which a track may come twice; 0 if there is no playlist.
        left_out: What was left out, "missing: NAME" and "unknown: HASH".
        replaced: Whether a file was replaced.
    """

    path: str
    tracks: int
    entries: int
    left_out: list[str]
    replaced: bool = False


def check_format(file: str | os.PathLike[str], *, replace: bool = False, force: str = "replace=True") -> Path:
    """Return the path of a file that can be written, before any work is done for it.

    Args:
        file: The file.
        replace: Whether it may be there already.
        force: How to allow that, for the message.

    Raises:
        ConfigError: Its suffix is no format, or it exists.
    """
    path = Path(path_on_disk(Path(file).expanduser()))
    if path.suffix.lower() not in FORMATS:
        known = [f"{suffix} ({reader})" for suffix, reader in FORMATS.items() if suffix != ".m3u"]
        raise ConfigError(f"{file}: give a file whose name ends in {join_alternatives(known)}")
    if os.path.lexists(path) and not replace:
        raise ConfigError(f"{path}: exists already; give another name, or replace it with {force}")
    return path


def export_tracks(
    library: Library,
    file: str | os.PathLike[str],
    tracks: Sequence[str] | None,
    *,
    name: str | None,
    key_notation: KeyNotation,
    relative_to: str | os.PathLike[str] | None,
    relocate: Mapping[str, str],
    ratings: Mapping[str, int],
    replace: bool,
) -> DeckExport:
    """Write tracks of a library into a file; see `Recommender.export`."""
    path = check_format(file, replace=replace)
    suffix, replaced = path.suffix.lower(), path.exists()
    if relative_to is not None and suffix not in (".m3u8", ".m3u"):
        raise ConfigError(f"relative_to: paths in {suffix} are absolute; say where folders are there with relocate")
    format_key(None, key_notation)
    chosen, order, left_out = _chosen(library, tracks)
    if not chosen:
        raise ConfigError(f"{path}: there is no track to write{': ' + '; '.join(left_out[:3]) if left_out else ''}")
    said = library.listings(track.audio_hash for track in chosen)
    grids = library.beat_grids(track.audio_hash for track in chosen)
    rows = [
        _moved(
            collection_track(
                library,
                track,
                said.get(track.audio_hash, ()),
                ratings=ratings,
                beat_grid=grids.get(track.audio_hash),
            ),
            relocate,
        )
        for track in chosen
    ]
    listed = () if tracks is None else (CollectionPlaylist(name=name or path.stem, tracks=tuple(order)),)
    collection = Collection(tracks=tuple(rows), playlists=listed)
    played = [rows[number] for number in order]
    if suffix == ".xml":
        write_rekordbox(path, collection, key_notation=key_notation, replace=replace)
    elif suffix == ".nml":
        write_traktor(path, collection, key_notation=key_notation, replace=replace)
    elif suffix == ".csv":
        write_track_table(path, played, key_notation=key_notation, replace=replace)
    elif suffix == ".json":
        write_collection_json(path, collection, key_notation=key_notation, replace=replace)
    else:
        # Where the music is elsewhere, a playlist with relative paths would break when it is moved alone.
        above = f"{os.path.abspath(path.parent).rstrip('/')}/"
        relative = relative_to is not None or all(track.path.startswith(above) for track in played)
        write_m3u(path, played, name=name or path.stem, relative=relative, relative_to=relative_to, replace=replace)
    return DeckExport(
        path=str(path),
        tracks=len(rows),
        entries=len(order) if tracks is not None else 0,
        left_out=left_out,
        replaced=replaced,
    )


def collection_track(
    library: Library,
    track: Track,
    listings: Sequence[Listing],
    *,
    ratings: Mapping[str, int],
    beat_grid: Mapping[str, Any] | None = None,
) -> CollectionTrack:
    """Return a track as DJ programs know it.

    Args:
        library: The library.
        track: The track.
        listings: What collections say of it. Of several, the first one that says something counts.
        ratings: {audio hash: stars} of the user.
        beat_grid: Ours, as in the library. It is written, with its tempo, where no collection has one, if it is sure
            and agrees with the tempo of the library.
    """
    said: dict[str, Any] = {}
    source: dict[str, str] = {}
    for listing in listings:
        program = str(listing.metadata.get("program") or "collection").split()[0].lower()
        for field in ("bpm", "key"):
            if field in listing.metadata:
                source.setdefault(f"{program}.{field}", str(listing.metadata[field]))
        said = {**listing.metadata, **said}
    facts = mix_facts(library.heads, track)
    bpm = said.get("bpm") if facts.bpm is None else round(facts.bpm, 2)
    grid = tuple(GridPoint(**point) for point in said.get("beat_grid", ()))
    if not grid and beat_grid is not None and _is_sure(beat_grid, tempo_bpm=facts.bpm):
        grid = (grid_point(beat_grid),)
        bpm = round(grid[0].bpm, 2)
    key = parse_key_class(said["key"]) if facts.key is None and "key" in said else facts.key
    return CollectionTrack(
        path=track.path,
        title=(track.title or "").strip() or track.track_id,
        artist=track.artist,
        album=track.album,
        genre=track.genre,
        year=track.year,
        duration_s=track.duration_s,
        bpm=bpm,
        key_class=key,
        rating=ratings.get(track.audio_hash, said.get("rating")),
        comment=said.get("comment"),
        cues=tuple(Cue(**{**cue, "colour": _colour(cue)}) for cue in said.get("cues", ())),
        beat_grid=grid,
        play_count=said.get("play_count"),
        date_added=_day(said.get("date_added")),
        last_played=_day(said.get("last_played")),
        source=source,
    )


def _is_sure(beat_grid: Mapping[str, Any], *, tempo_bpm: float | None) -> bool:
    """Return whether a beat grid is to be written, given what the library says of the tempo."""
    if beat_grid["confidence"] < LEAST_CONFIDENCE:
        return False
    return tempo_bpm is None or abs(float(beat_grid["bpm"]) / tempo_bpm - 1) <= SAME_TEMPO


def grid_point(beat_grid: Mapping[str, Any]) -> GridPoint:
    """Return the first downbeat of a beat grid of the library, from which DJ programs count beats and bars."""
    metre, bpm = int(beat_grid["beats_per_bar"]), float(beat_grid["bpm"])
    before = (1 - int(beat_grid["first_place"])) % metre
    return GridPoint(position_s=float(beat_grid["first_beat_s"]) + before * 60 / bpm, bpm=bpm, metre=f"{metre}/4")


def _chosen(library: Library, audio_hashes: Sequence[str] | None) -> tuple[list[Track], list[int], list[str]]:
    """Return the tracks, their order as positions among them, and what was left out."""
    if audio_hashes is None:
        everything = library.read()[0]
        return everything, list(range(len(everything))), []
    found = tracks_of(library, audio_hashes)
    places: dict[str, int] = {}
    order: list[int] = []
    left_out: dict[str, None] = {}
    for audio_hash in audio_hashes:
        one = found.get(audio_hash)
        if one is None or one.missing:
            left_out[f"unknown: {audio_hash}" if one is None else f"missing: {one.track.path}"] = None
            continue
        order.append(places.setdefault(audio_hash, len(places)))
    return [found[audio_hash].track for audio_hash in places], order, list(left_out)


def _moved(track: CollectionTrack, relocate: Mapping[str, str]) -> CollectionTrack:
    """Return a track with its path on the other computer."""
    return replace(track, path=absolute(relocated(absolute(track.path), relocate))) if relocate else track


def _colour(cue: Mapping[str, Any]) -> tuple[int, int, int] | None:
    colour = cue.get("colour")
    return None if colour is None else (int(colour[0]), int(colour[1]), int(colour[2]))


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)
