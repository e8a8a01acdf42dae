"""Find MIDI files, and derive artist, title and genre from their names and folders."""

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from musicrec.errors import MidiError

SUFFIXES = (".mid", ".midi", ".kar")


@dataclass(frozen=True)
class MidiFile:
    """A MIDI file and what its name and folders tell.

    Attributes:
        name: Path below the source folder.
        path: Path of the file.
        track_id: Name without suffix, unless another file has the same.
        artist: None if unknown.
        title: Title of the piece.
        genre: None if unknown.
    """

    name: str
    path: Path
    track_id: str
    artist: str | None
    title: str
    genre: str | None


def find_midi_files(source: Path, *, genre_folders: bool) -> list[MidiFile]:
    """Find all MIDI files below a folder, without hidden ones.

    ``Artist - Title.mid`` gives artist and title. For other names the folder of the file is the artist.

    Args:
        source: The folder.
        genre_folders: Whether the folders directly below `source` are genres instead of artists.

    Returns:
        The files, sorted.

    Raises:
        MidiError: If the folder does not exist or holds no MIDI file, or if a file name is not UTF-8.
    """
    if not source.is_dir():
        raise MidiError(f"{source}: no such folder; name the one that holds your MIDI files")
    found = []
    for parent, folders, files in os.walk(source):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(parent, name).relative_to(source) for name in files if name.lower().endswith(SUFFIXES)]
    found = sorted(path for path in found if not path.name.startswith("."))
    if not found:
        raise MidiError(f"{source}: no MIDI file below it (looked for {', '.join(SUFFIXES)}); name another folder")
    for path in found:
        if any("\ud800" <= character <= "\udfff" for character in str(path)):
            raise MidiError(f"{source}: file name {os.fsencode(path)!r} is not UTF-8; rename the file")
    stems = Counter(path.with_suffix("") for path in found)
    names = set(found)

    def has_own_stem(path: Path) -> bool:
        """Return whether no other file has the same name without the suffix."""
        return stems[path.with_suffix("")] == 1 and path.with_suffix("") not in names

    return [_midi_file(source, path, own_stem=has_own_stem(path), genre_folders=genre_folders) for path in found]


def _midi_file(source: Path, path: Path, *, own_stem: bool, genre_folders: bool) -> MidiFile:
    folders = path.parts[:-1]
    genre = folders[0] if genre_folders and folders else None
    folders = folders[1:] if genre_folders else folders
    artist, dash, title = path.stem.replace("_", " ").partition(" - ")
    if not dash:
        artist, title = folders[-1].replace("_", " ") if folders else "", artist
    return MidiFile(
        name=str(path),
        path=source / path,
        track_id=str(path.with_suffix("") if own_stem else path),
        artist=artist.strip() or None,
        title=title.strip(),
        genre=genre,
    )
