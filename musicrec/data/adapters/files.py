"""Finding files below the root of a dataset, whatever the disk they lie on has made of their names."""

import fnmatch
import os
from collections.abc import Mapping
from pathlib import Path

import polars as pl

from musicrec.data.adapters.tables import unreadable_file
from musicrec.data.build import with_file_state
from musicrec.data.scan import find_audio

Files = Mapping[str, int]  # every audio file below a folder, by its path there, and its size in bytes


def list_matching(folder: Path, pattern: str) -> list[Path]:
    """What lies in a folder and matches a pattern, in capitals or not, sorted. Hidden files do not count: a disk that
    was at a Mac has a ``._name`` beside many a name. Raises ManifestError where the folder cannot be read."""
    try:
        names = sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise unreadable_file(folder, error) from None
    like = pattern.lower()
    return [folder / name for name in names if name[0] != "." and fnmatch.fnmatchcase(name.lower(), like)]


def audio_files(folder: Path) -> tuple[Files, list[tuple[str, str]]]:
    """The audio files below a folder, sorted, and (path, why) of what is there and cannot be used."""
    found = find_audio(folder)
    paths = pl.DataFrame({"path": [f"{folder}/{name}" for name in found.files]}, schema={"path": pl.String})
    return dict(zip(found.files, with_file_state(paths)["size"], strict=True)), found.skipped
