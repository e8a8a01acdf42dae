"""Which MIDI files there are, and what their names and folders tell."""

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from musicrec.errors import MidiError

SUFFIXES = (".mid", ".midi", ".kar")


@dataclass(frozen=True)
class MidiFile:
    """name: its path below the source folder. artist and genre are None where nothing tells them."""

    name: str
    path: Path
    track_id: str
    artist: str | None
    title: str
    genre: str | None


def find_midi_files(source: Path, *, genre_folders: bool) -> list[MidiFile]:
    """All files below a folder, sorted; hidden ones are left out.

    ``Artist - Title.mid`` tells both, else the file's folder is the artist. genre_folders: the folders just below
    `source` are genres, and no artists.

    Raises:
        MidiError: no such folder, no MIDI file below it, or a file name that is not UTF-8.
    """
    if not source.is_dir():
        raise MidiError(f"{source}: no such folder")
    found = []
    for parent, folders, files in os.walk(source):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(parent, name).relative_to(source) for name in files if name.lower().endswith(SUFFIXES)]
    found = sorted(path for path in found if not path.name.startswith("."))
    if not found:
        raise MidiError(f"{source}: no MIDI file below it (looked for {', '.join(SUFFIXES)})")
    for path in found:
        if any("\ud800" <= character <= "\udfff" for character in str(path)):
            raise MidiError(f"{source}: file name {os.fsencode(path)!r} is not UTF-8; rename the file")
    alike = Counter(path.with_suffix("") for path in found)
    names = set(found)

    def alone(path: Path) -> bool:
        """Does its name without the suffix tell it from the others?"""
        return alike[path.with_suffix("")] == 1 and path.with_suffix("") not in names

    return [_named(source, path, alone=alone(path), genre_folders=genre_folders) for path in found]


def _named(source: Path, path: Path, *, alone: bool, genre_folders: bool) -> MidiFile:
    folders = path.parts[:-1]
    genre = folders[0] if genre_folders and folders else None
    folders = folders[1:] if genre_folders else folders
    artist, dash, title = path.stem.replace("_", " ").partition(" - ")
    if not dash:
        artist, title = folders[-1].replace("_", " ") if folders else "", artist
    return MidiFile(
        name=str(path),
        path=source / path,
        track_id=str(path.with_suffix("") if alone else path),
        artist=artist.strip() or None,
        title=title.strip(),
        genre=genre,
    )
