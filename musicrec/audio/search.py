"""Find the audio files below a folder."""

import os
from dataclasses import dataclass
from pathlib import Path

from musicrec.audio.suffixes import AUDIO_SUFFIXES, UNDECODABLE_SUFFIXES

# Folders and files that systems leave beside the music, beside those with a leading dot. They may hold thumbnails,
# resource forks and deleted files under names that end like audio.
_LEFTOVERS = frozenset(
    {"__macosx", "@eadir", "@recycle", "#recycle", "#snapshot", "$recycle.bin"}
    | {"system volume information", "thumbs.db", "desktop.ini"}
)


@dataclass(frozen=True, kw_only=True)
class FolderScan:
    """The result of searching a folder. All paths are below the folder, and sorted.

    Attributes:
        files: The audio files.
        skipped: (path, reason) of what was found and cannot be used.
        undecodable: Files whose suffix is one of `UNDECODABLE_SUFFIXES`.
        unsearched: Folders that cannot be opened and broken links. There may be audio files in them.
        hidden: Number of hidden files and folders, and of other leftovers of systems, that were passed over.
    """

    files: list[str]
    skipped: list[tuple[str, str]]
    undecodable: list[str]
    unsearched: list[str]
    hidden: int


def find_audio(folder: str | os.PathLike) -> FolderScan:
    """Find audio files below a folder, at any depth, without hidden files and folders.

    Links to folders are followed. Every folder is searched once, so circular links do no harm. A name that begins with
    two dots, such as "...And Justice for All", is not hidden.

    Args:
        folder: The folder to search.

    Returns:
        The files, and what was skipped.
    """
    top, hidden = Path(folder), 0
    seen: set[tuple[int, int]] = set()
    files: list[str] = []
    undecodable: list[str] = []
    unsearched: list[str] = []
    skipped: list[tuple[str, str]] = []
    folders, links = [""], list[str]()
    while folders or links:
        links.sort(reverse=True)
        below = folders.pop() if folders else links.pop()
        try:
            problem = _folder_problem(top, below, seen)
            with os.scandir(top / below) as entries:
                inside = [] if problem else list(entries)
        except OSError as error:
            problem, inside = f"cannot be opened: {error.strerror}", []
            unsearched.append(below)
        if problem:
            skipped.append((below or ".", problem))
        for entry in inside:
            name = os.path.join(below, entry.name)
            suffix = os.path.splitext(entry.name)[1].lower()
            if _is_leftover(entry.name):
                hidden += 1
            elif _is_folder(entry):
                (links if entry.is_symlink() else folders).append(name)
            elif entry.is_symlink() and not os.path.exists(entry.path):
                unsearched.append(name)
                skipped.append((name, "a broken link"))
            elif suffix in AUDIO_SUFFIXES:
                problem = _file_problem(entry)
                if problem:
                    skipped.append((name, problem))
                else:
                    files.append(name)
            elif suffix in UNDECODABLE_SUFFIXES:
                undecodable.append(name)
    return FolderScan(
        files=sorted(files),
        skipped=sorted((_shown(name), why) for name, why in skipped),
        undecodable=sorted(map(_shown, undecodable)),
        unsearched=sorted(unsearched),
        hidden=hidden,
    )


def _is_leftover(name: str) -> bool:
    return (name.startswith(".") and not name.startswith("..")) or name.lower() in _LEFTOVERS


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
    return "not a regular file"


def _shown(name: str) -> str:
    """Return a name that can be printed, whatever its bytes are."""
    return name.encode(errors="surrogateescape").decode(errors="backslashreplace")
