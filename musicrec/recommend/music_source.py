"""What can be indexed: a folder, a playlist, the collection of a DJ program, or a manifest."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import polars as pl

from musicrec.audio.suffixes import AUDIO_SUFFIXES
from musicrec.data.manifest import read_manifest
from musicrec.data.scan import SourceScan, scan_collection, scan_source, unlabelled_manifest
from musicrec.errors import ConfigError, ManifestError
from musicrec.interchange.collection import Collection, CollectionTrack
from musicrec.interchange.collection_files import is_collection, read_collection
from musicrec.interchange.m3u import is_playlist
from musicrec.system.file_names import on_disk

_KEPT = ("bpm", "key", "rating", "comment", "play_count")  # of a track of a collection, as they are


@dataclass(frozen=True, kw_only=True)
class MusicSource:
    """The tracks of a folder, a playlist, the collection of a DJ program or a manifest.

    Attributes:
        place: The folder, playlist, collection or manifest.
        frame: One row per track, in the columns of a manifest.
        scan: What was found in the folder, playlist or collection; None for a manifest.
        collection: The collection with cues, ratings, keys, tempi and playlists; None for other sources.
    """

    place: Path
    frame: pl.DataFrame
    scan: SourceScan | None = None
    collection: Collection | None = None

    @property
    def kind(self) -> str:
        """What it is: "folder", "playlist", "collection" or "manifest"."""
        if self.collection is not None:
            return "collection"
        return "manifest" if self.scan is None else "folder" if self.place.is_dir() else "playlist"

    def stated_names(self) -> dict[str, tuple[str | None, str | None]]:
        """Return {path: (artist, title)} as a playlist or collection states them."""
        if self.scan is None:
            return {}
        return {os.path.join(self.scan.top, name): stated for name, stated in self.scan.names.items()}


def _nearest(path: Path) -> str:
    """Return what may be meant by a path that does not exist, or where it was looked for, to end a message with."""
    try:
        near = get_close_matches(path.name, os.listdir(path.parent), n=1)
    except OSError:
        near = []
    if near:
        return f"; did you mean {path.parent / near[0]}?"
    return "" if path.is_absolute() else f" in {Path.cwd()}"


def read_source(place: str | Path, *, relocate: Mapping[str, str] | None = None) -> MusicSource:
    """Read the tracks of a folder, a playlist (M3U, M3U8), a collection (rekordbox XML, Traktor NML) or a manifest.

    Titles and artists of a collection come from it, those of a folder or a playlist from the tags in the files.

    Args:
        place: The source.
        relocate: {old folder: new folder} for the files of a collection that are elsewhere on this computer.

    Raises:
        ManifestError: The folder or manifest does not exist or lists no tracks.
        PlaylistError: The playlist or collection cannot be read or names no file that exists.
        ConfigError: The source is a single audio file, or is no collection and has files to relocate.
    """
    path = Path(place)
    if not os.path.exists(path):
        raise ManifestError(f"{place}: there is no such folder, playlist, collection or manifest{_nearest(path)}")
    if is_collection(path):
        collection = read_collection(path, relocate=relocate)
        scan = scan_collection(path, collection)
        return MusicSource(place=path, frame=_named(unlabelled_manifest(scan), scan), scan=scan, collection=collection)
    if relocate:
        raise ConfigError(f"relocate: {place} is no collection (rekordbox XML, Traktor NML), so leave it out")
    if path.is_dir() or is_playlist(path):
        scan = scan_source(path)
        return MusicSource(place=path, frame=unlabelled_manifest(scan), scan=scan)
    if path.suffix.lower() in AUDIO_SUFFIXES:
        raise ConfigError(
            f"source={place} is an audio file; give a folder of music, a playlist (M3U8), a collection (rekordbox XML, "
            "Traktor NML) or a manifest (CSV, Parquet)"
        )
    return MusicSource(place=path, frame=read_manifest(path))


def of_splits(source: MusicSource, splits: Sequence[str]) -> pl.DataFrame:
    """Return the tracks of some splits.

    Args:
        source: The tracks, from `read_source`.
        splits: Names of the splits; empty for all tracks.

    Raises:
        ConfigError: The source has no track of one of the splits.
    """
    if not splits:
        return source.frame
    known = set(source.frame["split"].drop_nulls())
    if not known:
        raise ConfigError(f"splits: {source.place} has none; give a manifest with a column split, or leave splits out")
    if unknown := [split for split in splits if split not in known]:
        raise ConfigError(
            f"splits: {source.place} has no track of {', '.join(unknown)}, only {', '.join(sorted(known))}"
        )
    return source.frame.filter(pl.col("split").is_in(list(splits)))


def statements(source: MusicSource) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Return what a collection says, in plain JSON types.

    Args:
        source: The collection; other sources say nothing.

    Returns:
        Of the collection its "program" and its "playlists", [{"name": [folder, …, name], "paths": […]}]; and {path:
        what it says of the file}: program, bpm, key, rating, comment, play_count, date_added, last_played, cues,
        beat_grid, and playlists, the names of those that it is in. What the collection does not say is left out.
    """
    collection = source.collection
    if collection is None:
        return {}, {}
    paths = [os.path.abspath(path) if path else "" for path in on_disk(track.path for track in collection.tracks)]
    of_files: dict[str, dict[str, Any]] = {}
    for path, track in zip(paths, collection.tracks, strict=True):
        if path and path not in of_files:
            of_files[path] = {"program": collection.program} | _statement(track)
    playlists = []
    for above, playlist in collection.every_playlist():
        listed = [paths[number] for number in playlist.tracks if paths[number]]
        playlists.append({"name": [*above, playlist.name], "paths": listed})
        for path in dict.fromkeys(listed):
            of_files[path].setdefault("playlists", []).append("/".join([*above, playlist.name]))
    return {"program": collection.program, "playlists": playlists}, of_files


def _statement(track: CollectionTrack) -> dict[str, Any]:
    said: dict[str, Any] = {name: getattr(track, name) for name in _KEPT}
    said |= {name: day.isoformat() for name in ("date_added", "last_played") if (day := getattr(track, name))}
    said["cues"] = [_without_nothing(asdict(cue)) for cue in track.cues]
    said["beat_grid"] = [asdict(point) for point in track.beat_grid]
    return _without_nothing(said)


def _without_nothing(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None and value != [] and value != ""}


def _named(frame: pl.DataFrame, scan: SourceScan) -> pl.DataFrame:
    """Fill in the artists and titles of a collection."""
    stated = [scan.names.get(name, (None, None)) for name in scan.files]
    return frame.with_columns(
        artist=pl.Series([artist for artist, _ in stated], dtype=pl.String),
        title=pl.Series([title for _, title in stated], dtype=pl.String),
    )
