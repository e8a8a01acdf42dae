"""Read M3U and M3U8 playlists as players, DJ programs and people write them, and write M3U8.

There is no standard. A line is the path of a file, absolute or relative to the playlist, or an address such as
``file:///music/a.mp3``. Lines that begin with ``#`` are comments; ``#EXTINF:seconds,artist - title`` describes the next
file. The text is UTF-8 with or without a byte order mark, UTF-16, or the Windows code page 1252 (a superset of Latin-1
but for control characters). Lines end in LF, CRLF or CR.
"""

import codecs
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

from musicrec.audio.suffixes import AUDIO_SUFFIXES
from musicrec.errors import PlaylistError
from musicrec.interchange.collection import CollectionTrack
from musicrec.interchange.file_paths import absolute, of_windows, relocated
from musicrec.interchange.output_files import check_output, check_paths, clean_text
from musicrec.system.atomic_write import write_text
from musicrec.system.file_names import one_spelling

PLAYLIST_SUFFIXES = frozenset({".m3u", ".m3u8"})
_MOST_BYTES = 1 << 26  # a playlist of a million tracks has about this size
_LONGEST = 1 << 14  # characters of an entry; systems allow paths of 4,096 bytes, three characters each in an address
_DEEPEST = 32  # parts of a path that are tried
_SHOWN = 5
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")  # of two letters or more: a single one is a drive of Windows
_FILE_ADDRESS = re.compile(r"file:(?://(?:localhost(?=/))?)?", re.IGNORECASE)
_DRIVE = re.compile(r"[A-Za-z]:(?=[\\/])")
_INFO = re.compile(r'#EXTINF:(?:[^,"]|"[^"]*")*,(.*)', re.IGNORECASE)  # -1 logo="a, b",Artist - Title


@dataclass(frozen=True, kw_only=True)
class PlaylistEntry:
    """A file of a playlist.

    Attributes:
        path: Absolute path of the file, which exists.
        artist: Artist as the playlist states it, None if it does not.
        title: Title as the playlist states it, None if it does not.
    """

    path: str
    artist: str | None
    title: str | None


@dataclass(frozen=True, kw_only=True)
class PlaylistFile:
    """The content of a playlist file.

    Attributes:
        entries: The files that exist, each once, in the order of the playlist.
        missing: Entries without a file, as the playlist spells them.
        unused: {reason: entries} of entries that are not files: addresses in the net, playlists and folders.
        moved: Entries with the path of another computer whose file was found by the end of that path.
        repeated: Number of entries that name an earlier file again.
    """

    entries: list[PlaylistEntry]
    missing: list[str]
    unused: dict[str, list[str]]
    moved: list[str]
    repeated: int


def is_playlist(path: str | os.PathLike) -> bool:
    """Return whether a path has the suffix of a playlist and is no folder."""
    return os.path.splitext(path)[1].lower() in PLAYLIST_SUFFIXES and not os.path.isdir(path)


def read_m3u(path: str | os.PathLike) -> PlaylistFile:
    """Read a playlist and find its files.

    Nothing is fetched from the net. A path with a drive letter or backslashes is looked for below the folder of the
    playlist and below the folders that contain it: whole, and then without its first folders.

    Args:
        path: The playlist.

    Returns:
        The files, and what could not be used.

    Raises:
        PlaylistError: The playlist cannot be read, is a list of the segments of a stream (HLS), or names no file that
            exists.
    """
    folder = Path(os.path.abspath(path)).parent
    finder = _Finder(folder)
    entries: dict[str, PlaylistEntry] = {}
    missing: list[str] = []
    moved: list[str] = []
    unused: dict[str, list[str]] = {}
    repeated = 0
    artist = title = None
    for line in _lines(Path(path)):
        if line.startswith("#EXT-X-"):
            raise PlaylistError(
                f"{path}: lists the segments of a stream (HLS, {line.split(':')[0]}), not tracks; give a playlist of "
                "audio files"
            )
        if line.startswith("#") and not finder.is_audio(line):
            if info := _INFO.match(line):
                artist, title = _names(info[1])
            continue
        if len(line) > _LONGEST:
            raise PlaylistError(f"{path}: is not a playlist, as one of its lines has {len(line):,} characters")
        found = finder.find(line)
        if found is None:
            if _ADDRESS.match(line.strip()) and not _FILE_ADDRESS.match(line.strip()):
                unused.setdefault("not fetched from the net", []).append(line)
            else:
                missing.append(line)
        elif os.path.isdir(found.path):
            unused.setdefault("a folder, not a file", []).append(line)
        elif is_playlist(found.path):
            unused.setdefault("a playlist within the playlist; give it as a source of its own", []).append(line)
        elif os.path.realpath(found.path) in entries:
            repeated += 1
        else:
            entry = PlaylistEntry(path=found.path, artist=artist, title=title)
            entries[os.path.realpath(found.path)] = entry
            if found.moved:
                moved.append(line)
        artist = title = None
    if not entries:
        lost = [*missing, *(entry for of_reason in unused.values() for entry in of_reason)]
        names = f": {', '.join(lost[:_SHOWN])}{' …' * (len(lost) > _SHOWN)}" if lost else ""
        raise PlaylistError(
            f"{path}: none of its {len(lost):,} entries is a file that exists{names}; relative paths start at {folder}"
            if lost
            else f"{path}: the playlist is empty; add tracks to it, or give a folder of music"
        )
    return PlaylistFile(entries=list(entries.values()), missing=missing, unused=unused, moved=moved, repeated=repeated)


def write_m3u(
    path: str | os.PathLike,
    tracks: Iterable[CollectionTrack],
    *,
    name: str | None = None,
    relative: bool = True,
    relative_to: str | os.PathLike | None = None,
    relocate: Mapping[str, str] | None = None,
    replace: bool = False,
) -> Path:
    """Write a playlist in UTF-8, with the length, artist and title of each track.

    Tracks that are no files, as in a streaming service, are left out. A name that could be taken for something else,
    because it begins with "#" or a blank, gets "./" or its whole path; one that holds a line break becomes an address.

    Args:
        path: The playlist, .m3u8 or .m3u.
        tracks: Its tracks, in their order.
        name: The name that a player shows.
        relative: Write paths relative to the folder of the playlist, so that both can be moved together; paths of
            Windows stay absolute.
        relative_to: The folder that relative paths begin at, if the playlist will be moved there.
        relocate: {folder here: folder on the computer of the player}.
        replace: Replace an existing file.

    Returns:
        The path.

    Raises:
        PlaylistError: The file cannot be written, or the name of a file is not UTF-8.
    """
    path = check_output(path, suffixes=sorted(PLAYLIST_SUFFIXES, reverse=True), replace=replace)
    tracks = [track for track in tracks if track.path]
    check_paths(tracks, output=path)
    folder = os.path.abspath(path.parent if relative_to is None else relative_to)
    lines = ["#EXTM3U"]
    if name:
        lines.append(f"#PLAYLIST:{_one_line(name)}")
    for track in tracks:
        title = " - ".join(_one_line(text) for text in (track.artist, track.title) if text)
        seconds = -1 if track.duration_s is None else round(track.duration_s)
        lines.append(f"#EXTINF:{seconds},{title or os.path.basename(_one_line(track.path))}")
        lines.append(_line_of_path(absolute(relocated(absolute(track.path), relocate or {})), folder, relative))
    write_text(path, "\n".join(lines) + "\n", error=PlaylistError)
    return path


def _one_line(text: str) -> str:
    return " ".join(clean_text(text).split())


def _line_of_path(path: str, folder: str, relative: bool) -> str:
    if re.search(r"[\r\n]", path):
        return "file://" + quote(path if path.startswith("/") else f"/{path}", safe="/:")
    if of_windows(path) or not relative:
        return path
    line = os.path.relpath(path, folder)
    return f"./{line}" if re.match(r"[#\s]|[^/]*:", line) else line


def _lines(path: Path) -> list[str]:
    """Return the lines of a playlist that are not blank."""
    try:
        if path.exists() and not path.is_file():
            raise PlaylistError(f"{path}: is {'a folder' if path.is_dir() else 'not a regular file'}, not a playlist")
        with open(path, "rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        raise PlaylistError(f"{path}: no such playlist") from None
    except OSError as error:
        raise PlaylistError(f"{path}: cannot be opened: {error.strerror}") from None
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        content = content.decode("utf-16", errors="replace").encode(errors="replace")
    content = content.removeprefix(codecs.BOM_UTF8)
    if len(content) > _MOST_BYTES or b"\0" in content:
        raise PlaylistError(f"{path}: is not a playlist in text, as it is too large or holds bytes of 0")
    # Each line by itself: programs append lines in another encoding. Bytes are not split at the "…" of Windows, 0x85.
    lines = [_decoded(line) for line in content.splitlines()]
    return [line for line in lines if line.strip()]


def _decoded(line: bytes) -> str:
    for encoding in ("utf-8", "cp1252"):
        try:
            return line.decode(encoding)
        except UnicodeDecodeError:
            continue
    return line.decode("latin-1")


def _names(info: str) -> tuple[str | None, str | None]:
    """Return artist and title of the text of an #EXTINF line; without a dash between them, all of it is the title."""
    parts = [part.strip() for part in re.split(r"\s[-–—]\s", info, maxsplit=1)]
    artist, title = parts if len(parts) == 2 and all(parts) else ("", info.strip())
    return artist or None, title or None


@dataclass(frozen=True)
class _Found:
    path: str
    moved: bool


class _Finder:
    """Finds the files of the entries of a playlist in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._inside: dict[str, dict[str, str]] = {}

    def is_audio(self, line: str) -> bool:
        """Return whether a line is the name of an audio file beside the playlist, although it begins with "#"."""
        name = line.strip()
        return os.path.splitext(name)[1].lower() in AUDIO_SUFFIXES and os.path.isfile(self.folder / name)

    def find(self, line: str) -> _Found | None:
        """Return the path of the file or folder that a line names, None if there is none."""
        names = [line, line.strip()]
        for name in names[:]:
            if address := _FILE_ADDRESS.match(name):
                names.append(re.sub(r"^/(?=[A-Za-z]:/)", "", name[address.end() :]))
        names += [_decoded(unquote_to_bytes(name)) for name in names if "%" in name]
        for name in dict.fromkeys(names):
            if found := self._existing(self.folder, name) or self._existing(self.folder, name.replace("\\", "/")):
                return _Found(found, moved=False)
        for name in dict.fromkeys(names):
            if (_DRIVE.match(name) or "\\" in name) and (found := self._elsewhere(name)):
                return _Found(found, moved=True)
        return None

    def _elsewhere(self, name: str) -> str | None:
        """Look for the end of a path of Windows: whole below every folder above the playlist, then its last parts."""
        parts = [part for part in re.split(r"[\\/]+", _DRIVE.sub("", name)) if part][-_DEEPEST:]
        for above in (self.folder, *self.folder.parents):
            if parts and (found := self._existing(above, "/".join(parts))):
                return found
        for first in range(1, len(parts)):
            if found := self._existing(self.folder, "/".join(parts[first:])):
                return found
        return None

    def _existing(self, folder: Path, name: str) -> str | None:
        """Return the absolute path of a file or folder, whatever the case and the form of accents in `name`."""
        path = os.path.join(folder, name)
        if os.path.exists(path):
            tidy = os.path.abspath(path)
            return tidy if os.path.exists(tidy) and os.path.samefile(path, tidy) else os.path.realpath(path)
        lost = []
        while not os.path.exists(path):
            path, last = os.path.split(path.rstrip("/"))
            if not last:
                return None
            lost.append(last)
        for last in reversed(lost):
            spelled = self._listed(path).get(_folded(last))
            if spelled is None:
                return None
            path = os.path.join(path, spelled)
        return os.path.abspath(path)

    def _listed(self, folder: str) -> dict[str, str]:
        """Return {folded name: name} of a folder."""
        if folder not in self._inside:
            try:
                self._inside[folder] = {_folded(name): name for name in sorted(os.listdir(folder), reverse=True)}
            except OSError:
                self._inside[folder] = {}
        return self._inside[folder]


def _folded(name: str) -> str:
    return one_spelling(name).casefold()
