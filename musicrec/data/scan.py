"""The tracks of a source without labels: a folder of music, a playlist, or the collection of a DJ program."""

import logging
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from musicrec.audio.search import FolderScan, find_audio
from musicrec.audio.suffixes import AUDIO_SUFFIXES, UNDECODABLE_SUFFIXES
from musicrec.data.checks import first_few
from musicrec.data.schema import with_all_columns
from musicrec.errors import ManifestError, PlaylistError
from musicrec.interchange.collection import Collection
from musicrec.interchange.file_paths import of_windows
from musicrec.interchange.m3u import is_playlist, read_m3u
from musicrec.system.file_names import on_disk

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class SourceScan:
    """The audio files of a folder, a playlist or a collection.

    Attributes:
        top: The folder, or the innermost folder that contains all files of the playlist or collection; an absolute
            path.
        files: Paths below `top`, in the order of the source.
        left_out: (what, names) of what is in the source and cannot be used, such as ("2 files of …", ["a.m4p", …]).
        notes: The same for what needs no action.
        names: {path below `top`: (artist, title)} as the playlist or collection states them, None where it does not.
        unsearched: Absolute paths that could not be looked at: folders that cannot be opened, and broken links.
    """

    top: str
    files: list[str]
    left_out: list[tuple[str, list[str]]]
    notes: list[tuple[str, list[str]]]
    names: Mapping[str, tuple[str | None, str | None]] = field(default_factory=dict)
    unsearched: list[str] = field(default_factory=list)

    def not_searched(self, path: str) -> bool:
        """Return whether a file is in a place that could not be looked at, such as a disk that is not connected."""
        return any(path == place or path.startswith(f"{place.rstrip('/')}/") for place in self.unsearched)


def scan_source(source: str | os.PathLike) -> SourceScan:
    """Find the audio files of a folder, or of a playlist (M3U, M3U8).

    Args:
        source: The folder or the playlist.

    Returns:
        The files, and what was left out.

    Raises:
        ManifestError: The folder does not exist or holds no audio file.
        PlaylistError: The playlist cannot be read, or names no file that exists.
    """
    return _scan_playlist(Path(source)) if is_playlist(source) else _scan_folder(Path(source))


def scan_folder(folder: str | os.PathLike) -> pl.DataFrame:
    """Return a manifest of the audio files of a folder or a playlist, without labels; log what cannot be used.

    Args:
        folder: The folder or the playlist.

    Returns:
        One row per file.

    Raises:
        ManifestError: The folder does not exist or holds no audio file.
        PlaylistError: The playlist cannot be read, or names no file that exists.
    """
    found = scan_source(folder)
    for what, names in found.left_out:
        log.warning("%s: %s: %s", folder, what, first_few(names))
    return unlabelled_manifest(found)


def scan_collection(path: str | os.PathLike, collection: Collection) -> SourceScan:
    """Find the audio files of the collection of a DJ program.

    Args:
        path: The file of the collection, for messages.
        collection: What it holds.

    Returns:
        The files that exist, each once, and what was left out.

    Raises:
        PlaylistError: None of its files exists.
    """
    paths = on_disk(track.path for track in collection.tracks)
    names: dict[str, tuple[str | None, str | None]] = {}
    found: dict[str, str] = {}
    missing, elsewhere, repeated = [], [], 0
    for track, file in zip(collection.tracks, paths, strict=True):
        if not track.path:
            elsewhere.append(" - ".join(filter(None, (track.artist, track.title))) or "without a name")
        elif not os.path.isfile(file):
            missing.append(track.path)
        elif os.path.realpath(file) in found:
            repeated += 1
        else:
            found[os.path.realpath(file)] = os.path.abspath(file)
            names[os.path.abspath(file)] = (track.artist, track.title)
    hint = ""
    if any(of_windows(name) or name.startswith(("/Users/", "/Volumes/")) for name in missing):
        hint = "; for the paths of another computer, give --relocate OLD=NEW, as in C:/Users/me/Music=/mnt/music"
    if not found:
        if not missing:
            raise PlaylistError(f"{path}: the collection has no track with a file")
        files = f"none of the {len(missing):,} files" if len(missing) > 1 else "the only file"
        exist = "exists" if len(missing) > 1 else "does not exist"
        raise PlaylistError(f"{path}: {files} of the collection {exist} here: {first_few(missing)}{hint}")
    top = os.path.commonpath([os.path.dirname(file) for file in found.values()])
    left_out, notes = [], []
    if missing:
        tracks = _count(len(missing), "track", "tracks")
        left_out.append((f"{tracks} of the collection without a file here{hint}", missing))
    if elsewhere:
        left_out.append((f"{_count(len(elsewhere), 'track', 'tracks')} of a streaming service", elsewhere))
    if collection.problems:
        values = _count(len(collection.problems), "value", "values")
        notes.append((f"{values} of the collection not understood", list(collection.problems)))
    if repeated:
        notes.append((f"{_count(repeated, 'track has', 'tracks have')} the file of an earlier one", []))
    return SourceScan(
        top=top,
        files=[os.path.relpath(file, top) for file in found.values()],
        left_out=left_out,
        notes=notes,
        names={os.path.relpath(file, top): stated for file, stated in names.items() if any(stated)},
    )


def unlabelled_manifest(found: SourceScan) -> pl.DataFrame:
    """Turn the result of a search into a manifest without labels.

    The track_id is the path below the folder without its suffix, or with it where files differ in nothing else.

    Args:
        found: The result of `scan_source`.

    Returns:
        One row per file, with absolute paths and all columns of a manifest.
    """
    stems = Counter(os.path.splitext(name)[0] for name in found.files)
    track_ids: dict[str, None] = {}
    for name in found.files:
        stem = os.path.splitext(name)[0]
        track_id = stem if stems[stem] == 1 and stem.strip() else name
        while track_id in track_ids:  # a.flac and a.mp3 beside a.flac.wav
            track_id += "~"
        track_ids[track_id] = None
    paths = [os.path.join(found.top, name) for name in found.files]
    return with_all_columns(pl.DataFrame({"track_id": list(track_ids), "path": paths}))


def _scan_folder(folder: Path) -> SourceScan:
    if not folder.is_dir():
        raise ManifestError(
            f"{folder}: no such folder; name the folder of your music, and check that its disk is there"
        )
    found, top = find_audio(folder), os.path.abspath(folder)
    left_out = _left_out(found)
    if not found.files:
        because = "".join(f"; {what}: {names[0]}" for what, names in left_out)
        raise ManifestError(
            f"{folder}: no audio file below it (looked for {len(AUDIO_SUFFIXES)} suffixes such as .flac, .m4a, .mp3, "
            f".ogg, .wav{because})"
        )
    passed_over = f"{_count(found.hidden, 'hidden file or folder', 'hidden files and folders')} passed over"
    return SourceScan(
        top=top,
        files=found.files,
        left_out=left_out,
        notes=[(passed_over, [])] if found.hidden else [],
        unsearched=[os.path.join(top, name) for name in found.unsearched],
    )


def _left_out(found: FolderScan) -> list[tuple[str, list[str]]]:
    left_out = []
    if found.skipped:
        names = [f"{name} ({why})" for name, why in found.skipped]
        left_out.append((f"{_count(len(names), 'path', 'paths')} left out", names))
    by_reason: dict[str, list[str]] = {}
    for name in found.undecodable:
        by_reason.setdefault(UNDECODABLE_SUFFIXES[os.path.splitext(name)[1].lower()], []).append(name)
    for reason, names in by_reason.items():
        left_out.append((f"{_count(len(names), 'file', 'files')} that cannot be decoded ({reason})", names))
    return left_out


def _scan_playlist(path: Path) -> SourceScan:
    playlist = read_m3u(path)
    paths = [entry.path for entry in playlist.entries]
    try:
        "".join(paths).encode()
    except UnicodeEncodeError:
        raise PlaylistError(f"{path}: names a file or folder whose name is not UTF-8: rename it") from None
    top = os.path.commonpath([os.path.dirname(file) for file in paths])
    left_out, notes = [], []
    if playlist.missing:
        entries = _count(len(playlist.missing), "entry", "entries")
        left_out.append((f"{entries} of the playlist without a file", playlist.missing))
    for reason, names in playlist.unused.items():
        left_out.append((f"{_count(len(names), 'entry', 'entries')} of the playlist ({reason})", names))
    if playlist.moved:
        entries = _count(len(playlist.moved), "entry", "entries")
        notes.append((f"{entries} with a path of Windows found near the playlist", playlist.moved))
    if playlist.repeated:
        entries = _count(playlist.repeated, "entry names", "entries name")
        notes.append((f"{entries} a file that an earlier one names", []))
    names = {
        os.path.relpath(entry.path, top): (entry.artist, entry.title)
        for entry in playlist.entries
        if entry.artist or entry.title
    }
    files = [os.path.relpath(file, top) for file in paths]
    return SourceScan(top=top, files=files, left_out=left_out, notes=notes, names=names)


def _count(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"
