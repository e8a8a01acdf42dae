"""Find files below the root of a dataset, whatever the file system did to their names."""

import fnmatch
import os
from collections.abc import Mapping
from pathlib import Path

import polars as pl

from musicrec.audio.search import find_audio
from musicrec.data.adapters.tables import unreadable_file
from musicrec.data.store_build import with_file_state

Files = Mapping[str, int]  # {path below a folder: size in bytes} of every audio file there


def list_matching(folder: Path, pattern: str) -> list[Path]:
    """List the files and folders in a folder that match a pattern, in upper or lower case.

    Hidden names are left out: macOS writes a ``._name`` beside files on other disks.

    Args:
        folder: The folder; it need not exist.
        pattern: Such as ``*.mp3``.

    Returns:
        The paths, sorted.

    Raises:
        ManifestError: If the folder cannot be read.
    """
    try:
        names = sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise unreadable_file(folder, error) from None
    like = pattern.lower()
    return [folder / name for name in names if name[0] != "." and fnmatch.fnmatchcase(name.lower(), like)]


def audio_files(folder: Path) -> tuple[Files, list[tuple[str, str]]]:
    """Return the sorted audio files below a folder with their sizes, and (path, reason) of what cannot be used."""
    found = find_audio(folder)
    paths = pl.DataFrame({"path": [f"{folder}/{name}" for name in found.files]}, schema={"path": pl.String})
    return dict(zip(found.files, with_file_state(paths)["size"], strict=True)), found.skipped
