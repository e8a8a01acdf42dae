"""Find the audio files below a folder."""

import logging
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from musicrec.audio.suffixes import AUDIO_SUFFIXES
from musicrec.data.schema import with_all_columns
from musicrec.errors import ManifestError

_SHOWN = 5

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class FolderScan:
    """The result of searching a folder.

    Attributes:
        files: The audio files as paths below the folder, sorted.
        skipped: (path, reason) of what was found and cannot be used, sorted.
    """

    files: list[str]
    skipped: list[tuple[str, str]]


def find_audio(folder: str | os.PathLike) -> FolderScan:
    """Find audio files below a folder, at any depth, without hidden files and folders.

    Links to folders are followed. Every folder is searched once, so circular links do no harm.

    Args:
        folder: The folder to search.

    Returns:
        The files, and what was skipped.
    """
    top, files, skipped, seen = Path(folder), [], [], set()
    folders, links = [""], []
    while folders or links:
        links.sort(reverse=True)
        below = folders.pop() if folders else links.pop()
        try:
            problem = _folder_problem(top, below, seen)
            with os.scandir(top / below) as entries:
                inside = [] if problem else list(entries)
        except OSError as error:
            problem, inside = f"cannot be opened: {error.strerror}", []
        if problem:
            skipped.append((below or ".", problem))
        for entry in inside:
            name = os.path.join(below, entry.name)
            if entry.name.startswith(".") and not entry.name.startswith(".."):  # "...And Justice for All" is an album
                continue
            if _is_folder(entry):
                (links if entry.is_symlink() else folders).append(name)
            elif os.path.splitext(name)[1].lower() in AUDIO_SUFFIXES:
                problem = _file_problem(entry)
                if problem:
                    skipped.append((name, problem))
                else:
                    files.append(name)
    skipped = [(name.encode(errors="surrogateescape").decode(errors="backslashreplace"), why) for name, why in skipped]
    return FolderScan(files=sorted(files), skipped=sorted(skipped))


def _folder_problem(top: Path, below: str, seen: set[tuple[int, int]]) -> str | None:
    """Return why a folder is not to be searched, None if it is; add it to those seen."""
    folder = top / below
    if below and folder.is_symlink() and top.resolve().is_relative_to(folder.resolve()):
        return "a link to a folder that contains it"
    status = folder.stat()
    if (status.st_dev, status.st_ino) in seen:
        return "a link to a folder that is searched already"
    seen.add((status.st_dev, status.st_ino))
    return None


def scan_folder(folder: str | os.PathLike) -> pl.DataFrame:
    """Return a manifest of the audio files below a folder, without labels; log what cannot be used.

    Args:
        folder: The folder to search.

    Returns:
        One row per file, sorted by path.

    Raises:
        ManifestError: If the folder does not exist or holds no audio file.
    """
    found = find_audio(folder)
    frame = unlabelled_manifest(found, folder)
    if found.skipped:
        first = ", ".join(f"{path} ({why})" for path, why in found.skipped[:_SHOWN])
        more = f" and {len(found.skipped) - _SHOWN:,} more" if len(found.skipped) > _SHOWN else ""
        log.warning("%s: left out: %s%s", folder, first, more)
    return frame


def unlabelled_manifest(found: FolderScan, folder: str | os.PathLike) -> pl.DataFrame:
    """Turn the result of a search into a manifest without labels.

    The track_id is the path below the folder without its suffix, or with it where files differ in nothing else.

    Args:
        found: The result of `find_audio`.
        folder: The folder that was searched.

    Returns:
        One row per file, with absolute paths and all columns of a manifest.

    Raises:
        ManifestError: If the folder does not exist or holds no audio file.
    """
    top = os.path.abspath(folder)
    if not os.path.isdir(top):
        raise ManifestError(f"{folder}: no such folder")
    if not found.files:
        because = f"; left out: {': '.join(found.skipped[0])}" if found.skipped else ""
        raise ManifestError(
            f"{folder}: no audio file below it (looked for {len(AUDIO_SUFFIXES)} suffixes such as .flac, .m4a, .mp3, "
            f".ogg, .wav{because})"
        )
    stems = Counter(os.path.splitext(name)[0] for name in found.files)
    track_ids: dict[str, None] = {}
    for name in found.files:
        stem = os.path.splitext(name)[0]
        track_id = stem if stems[stem] == 1 and stem.strip() else name
        while track_id in track_ids:  # a.flac and a.mp3 beside a.flac.wav
            track_id += "~"
        track_ids[track_id] = None
    paths = [os.path.join(top, name) for name in found.files]
    return with_all_columns(pl.DataFrame({"track_id": list(track_ids), "path": paths}))


def _is_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that points at itself
        return False


def _file_problem(entry: os.DirEntry) -> str | None:
    """Return why a manifest cannot name a file, None if it can."""
    try:
        entry.path.encode()
    except UnicodeEncodeError:
        return "the name of the file or its folder is not UTF-8: rename it"
    try:
        if entry.is_file():
            return None
    except OSError:
        pass
    return "a broken link" if entry.is_symlink() else "not a regular file"
