"""The audio files below a folder."""

import logging
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from musicrec.audio.decode import AUDIO_SUFFIXES
from musicrec.data.schema import with_all_columns
from musicrec.errors import ManifestError

_SHOWN = 5

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class FolderScan:
    """files: the audio files by their paths below the folder, sorted. skipped: (path, why) of what is there and cannot
    be used."""

    files: list[str]
    skipped: list[tuple[str, str]]


def find_audio(folder: str | os.PathLike) -> FolderScan:
    """Look for audio files below a folder, at any depth. Hidden files and folders are left out.

    Links to folders are followed, and no folder is read twice, so that links in a circle have an end.
    """
    top, files, skipped, seen = Path(folder), [], [], set()
    folders, links = [""], []
    while folders or links:
        links.sort(reverse=True)
        below = folders.pop() if folders else links.pop()
        try:
            problem = _why_not_again(top, below, seen)
            with os.scandir(top / below) as entries:
                inside = [] if problem else list(entries)
        except OSError as error:
            problem, inside = f"cannot be looked through: {error.strerror}", []
        if problem:
            skipped.append((below or ".", problem))
        for entry in inside:
            name = os.path.join(below, entry.name)
            if entry.name.startswith("."):
                continue
            if _is_folder(entry):
                (links if entry.is_symlink() else folders).append(name)
            elif os.path.splitext(name)[1].lower() in AUDIO_SUFFIXES:
                problem = _problem(entry)
                if problem:
                    skipped.append((name, problem))
                else:
                    files.append(name)
    skipped = [(name.encode(errors="surrogateescape").decode(errors="backslashreplace"), why) for name, why in skipped]
    return FolderScan(files=sorted(files), skipped=sorted(skipped))


def _why_not_again(top: Path, below: str, seen: set[tuple[int, int]]) -> str | None:
    """What is wrong with looking through a folder, which is `seen` from now on."""
    folder = top / below
    if below and folder.is_symlink() and top.resolve().is_relative_to(folder.resolve()):
        return "a link to a folder that it lies in"
    status = folder.stat()
    if (status.st_dev, status.st_ino) in seen:
        return "a link to a folder that is looked through already"
    seen.add((status.st_dev, status.st_ino))
    return None


def scan_folder(folder: str | os.PathLike) -> pl.DataFrame:
    """A manifest without labels of the audio files below a folder, sorted; what cannot be used is logged.

    Raises:
        ManifestError: there is no such folder, or no audio file below it.
    """
    found = find_audio(folder)
    frame = unlabelled_manifest(found, folder)
    if found.skipped:
        first = ", ".join(f"{path} ({why})" for path, why in found.skipped[:_SHOWN])
        more = f" and {len(found.skipped) - _SHOWN:,} more" if len(found.skipped) > _SHOWN else ""
        log.warning("%s: left out are %s%s", folder, first, more)
    return frame


def unlabelled_manifest(found: FolderScan, folder: str | os.PathLike) -> pl.DataFrame:
    """A row a file, without labels. The track_id is the path below the folder without its suffix, or with it where two
    files differ in nothing else. Raises ManifestError where there is no such folder, or no audio file below it."""
    top = os.path.abspath(folder)
    if not os.path.isdir(top):
        raise ManifestError(f"{folder}: no such folder")
    if not found.files:
        because = f"; left out is {': '.join(found.skipped[0])}" if found.skipped else ""
        raise ManifestError(
            f"{folder}: no audio file below it (looked for {', '.join(sorted(AUDIO_SUFFIXES))}{because})"
        )
    alike = Counter(os.path.splitext(name)[0] for name in found.files)
    track_ids: dict[str, None] = {}
    for name in found.files:
        stem = os.path.splitext(name)[0]
        track_id = stem if alike[stem] == 1 and stem.strip() else name
        while track_id in track_ids:  # a.flac and a.mp3 beside a.flac.wav
            track_id += "~"
        track_ids[track_id] = None
    paths = [os.path.join(top, name) for name in found.files]
    return with_all_columns(pl.DataFrame({"track_id": list(track_ids), "path": paths}))


def _is_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _problem(entry: os.DirEntry) -> str | None:
    """Why a file cannot be used by a manifest."""
    try:
        entry.path.encode()
    except UnicodeEncodeError:
        return "its name, or its folder's, is not UTF-8: rename it"
    try:
        if entry.is_file():
            return None
    except OSError:
        pass
    return "a link that leads nowhere" if entry.is_symlink() else "no ordinary file"
