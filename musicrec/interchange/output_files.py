"""What every writer checks before it replaces a file."""

import os
import re
from collections.abc import Iterable
from pathlib import Path

from musicrec.errors import PlaylistError
from musicrec.interchange.collection import CollectionTrack
from musicrec.interchange.file_paths import has_undecoded_bytes

MARK = "musicrec"  # stands in the head of the collections that this package writes
_HEAD_BYTES = 1024
_SHOWN = 3
NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def check_output(path: str | os.PathLike, *, suffixes: Iterable[str], replace: bool) -> Path:
    """Return the path of a file that may be written.

    Args:
        path: The file.
        suffixes: Suffixes of the format, such as ".xml".
        replace: Replace an existing file, but never the collection of another program.

    Raises:
        PlaylistError: The file exists and may not be replaced, or has another suffix.
    """
    path = Path(path)
    suffixes = tuple(suffixes)
    if path.suffix.lower() not in suffixes:
        raise PlaylistError(f"{path}: give it a name that ends in {' or '.join(suffixes)}")
    if os.path.lexists(path):
        if not path.is_file():
            raise PlaylistError(f"{path}: is not a regular file; give another name")
        if not replace:
            raise PlaylistError(f"{path}: exists already; give another name, or allow to replace it")
        if path.suffix.lower() in (".xml", ".nml") and not _is_ours(path):
            raise PlaylistError(f"{path}: was not written by musicrec, and is left as it is; give another name")
    return path


def check_paths(tracks: Iterable[CollectionTrack], *, output: Path, xml: bool = False) -> None:
    """Check that a format can hold the paths of all tracks.

    Args:
        tracks: The tracks to write.
        output: The file to write, for the message.
        xml: The paths become text in XML, which knows no control characters.

    Raises:
        PlaylistError: A name is not UTF-8, or holds a character that XML cannot.
    """
    bad = [
        track.path.encode(errors="backslashreplace").decode()
        for track in tracks
        if has_undecoded_bytes(track.path) or (xml and NOT_IN_XML.search(track.path))
    ]
    if bad:
        raise PlaylistError(
            f"{output}: cannot hold the names of {len(bad):,} {'file' if len(bad) == 1 else 'files'}, which are not "
            f"UTF-8 or hold control characters: {', '.join(map(repr, bad[:_SHOWN]))}{' …' * (len(bad) > _SHOWN)}; "
            "rename them"
        )


def clean_text(text: str) -> str:
    """Return a text without what XML cannot hold and tables should not: control characters, halves of characters."""
    return NOT_IN_XML.sub("", text)


def _is_ours(path: Path) -> bool:
    try:
        with open(path, "rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        raise PlaylistError(f"{path}: cannot be opened: {error.strerror}") from None
    return f'<PRODUCT Name="{MARK}"'.encode() in head or f"<!-- written by {MARK} -->".encode() in head
