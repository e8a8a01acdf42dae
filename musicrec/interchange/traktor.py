"""Read and write the collections and playlists of Traktor (NML).

Native Instruments does not publish the format. What is known of it comes from files that Traktor wrote:

- The file of a track is in three parts. In `DIR` every folder begins with "/:", as in "/:Users/:me/:Music/:". A ":" in
  a name, which the Finder shows as "/", is written "//". `VOLUME` is the drive of Windows ("C:") or the name of a disk
  of macOS ("Macintosh HD"). A playlist names a track by the three parts one after the other.
- `MUSICAL_KEY VALUE` counts the major keys from C (0) to B (11), then the minor keys from C minor (12) to B minor (23).
  Public scripts that compare key estimators with Traktor document this order, and published files with both the number
  and a key in the tags of the file agree: VALUE="17" beside KEY="Fmin", VALUE="22" beside KEY="3A" (B flat minor). It
  is also the order of `musicrec.heads.keys.KEYS_24`.
- `RANKING` is 51 for each star. `PLAYTIME` is seconds. `START` and `LEN` of a cue are milliseconds. The types of cues
  are 0 cue, 1 fade-in, 2 fade-out, 3 load, 4 beat grid and 5 loop. A cue without a name is called "n.n.".
"""

import os
import re
import uuid
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Literal

from musicrec.errors import ConfigError, PlaylistError
from musicrec.heads.keys import KEYS_24
from musicrec.interchange.attribute_values import AttributeValues
from musicrec.interchange.collection import (
    Collection,
    CollectionPlaylist,
    CollectionTrack,
    Cue,
    CueKind,
    GridPoint,
    PlaylistFolder,
)
from musicrec.interchange.file_paths import absolute, of_windows, relocated
from musicrec.interchange.key_notation import KeyNotation, format_key
from musicrec.interchange.output_files import MARK, check_output, check_paths
from musicrec.interchange.playlist_tree import TreeBuilder
from musicrec.interchange.xml_file import XmlWriter, read_xml
from musicrec.system.atomic_write import atomic_write

_WHAT = "a collection of Traktor"
_BOOT_VOLUME = "Macintosh HD"
# Folders at the top of the disk that macOS starts from. Other disks are below /Volumes.
_TOP_FOLDERS = {"Users", "Volumes", "Applications", "Library", "System", "private", "opt", "home", "mnt", "media"}
_CUE_KINDS: tuple[CueKind, ...] = ("cue", "fade_in", "fade_out", "load", "grid", "loop")  # types 0 to 5
_NO_NAMES = {"n.n.", "AutoGrid", "Beat Marker"}
# Elements of a track whose other attributes are kept in `CollectionTrack.source`.
_KEPT = ("ENTRY", "LOCATION", "ALBUM", "MODIFICATION_INFO", "INFO", "TEMPO", "LOUDNESS")
_MODELLED = {
    *("ENTRY.TITLE", "ENTRY.ARTIST", "LOCATION.DIR", "LOCATION.FILE", "ALBUM.TITLE", "INFO.GENRE", "INFO.COMMENT"),
    *("INFO.KEY", "INFO.PLAYTIME", "INFO.PLAYTIME_FLOAT", "INFO.RANKING", "INFO.PLAYCOUNT", "INFO.IMPORT_DATE"),
    *("INFO.LAST_PLAYED", "TEMPO.BPM"),
}


def read_traktor(path: str | os.PathLike, *, relocate: Mapping[str, str] | None = None) -> Collection:
    """Read a collection or a playlist of Traktor.

    A disk of macOS other than the one it starts from is taken to be below /Volumes.

    Args:
        path: The NML file.
        relocate: {old folder: new folder} for files that are elsewhere on this computer.

    Returns:
        The collection. Files need not exist.

    Raises:
        PlaylistError: The file cannot be read, is damaged or cut off, or is something else.
    """
    reader = _NmlReader(relocate or {})
    read_xml(path, reader, root="NML", what=_WHAT)
    return reader.collection()


def write_traktor(
    path: str | os.PathLike,
    collection: Collection,
    *,
    key_notation: KeyNotation = "as_written",
    relocate: Mapping[str, str] | None = None,
    volume: str = _BOOT_VOLUME,
    version: Literal[19, 20] = 19,
    replace: bool = False,
) -> Path:
    """Write an NML file that Traktor imports ("Import Collection" or "Import Playlist").

    Args:
        path: The NML file.
        collection: The collection.
        key_notation: How the text of the key is written. The key that Traktor mixes by is a number beside it.
        relocate: {folder here: folder on the computer of Traktor}.
        volume: Name of the disk that macOS starts from; paths of Windows and below /Volumes name their own.
        version: 19 is read by Traktor Pro 3 and 4, 20 by Traktor Pro 4.
        replace: Replace an existing file; one that musicrec did not write is never replaced.

    Returns:
        The path.

    Raises:
        ConfigError: There is no such notation or version.
        PlaylistError: The file cannot be written, or cannot hold the name of a file.
    """
    if version not in (19, 20):
        raise ConfigError(f"version={version}: choose 19 or 20")
    path = check_output(path, suffixes=(".nml",), replace=replace)
    check_paths(collection.tracks, output=path, xml=True)
    format_key(None, key_notation)
    places = [_place(track, relocate or {}, volume) for track in collection.tracks]
    with atomic_write(path, error=PlaylistError) as file:
        xml = XmlWriter(file)
        xml.comment(f"written by {MARK}")
        with xml.inside("NML", {"VERSION": version}):
            xml.element("HEAD", {"COMPANY": "www.native-instruments.com", "PROGRAM": "Traktor"})
            xml.element("MUSICFOLDERS", {})
            with xml.inside("COLLECTION", {"ENTRIES": len(collection.tracks)}):
                for track, place in zip(collection.tracks, places, strict=True):
                    _write_track(xml, track, place, key_notation)
            xml.element("SETS", {"ENTRIES": 0})
            with (
                xml.inside("PLAYLISTS"),
                xml.inside("NODE", {"TYPE": "FOLDER", "NAME": "$ROOT"}),
                xml.inside("SUBNODES", {"COUNT": len(collection.playlists)}),
            ):
                for item in collection.playlists:
                    _write_node(xml, item, places)
            xml.element("INDEXING", {})
    return path


def path_of_location(volume: str, folder: str, name: str) -> str:
    """Return the path of a file of Traktor.

    Args:
        volume: The attribute VOLUME.
        folder: The attribute DIR.
        name: The attribute FILE.
    """
    parts = [*re.split("/:", folder.removeprefix("/:").removesuffix("/:")), name]
    inside = "/".join(part.replace("//", ":") for part in parts if part)
    volume = volume.replace("\\", "/")
    if re.fullmatch("[A-Za-z]:", volume) or volume.startswith("//"):
        return f"{volume.rstrip('/')}/{inside}"
    if volume in ("", _BOOT_VOLUME) or parts[0] in _TOP_FOLDERS:
        return f"/{inside}"
    return f"/Volumes/{volume}/{inside}"


def location_of_path(path: str, *, volume: str) -> tuple[str, str, str]:
    """Return VOLUME, DIR and FILE of a path.

    Args:
        path: An absolute path, also of Windows.
        volume: Name of the disk for a path that does not name its own.
    """
    parts = path.split("/")
    if path.startswith("//"):  # //server/share/folder/file
        volume, parts = "\\\\" + "\\".join(parts[2:4]), parts[4:]
    elif of_windows(path):
        volume, parts = parts[0], parts[1:]
    elif parts[1] == "Volumes" and len(parts) > 3:
        volume, parts = parts[2], parts[3:]
    parts = [part.replace(":", "//") for part in parts if part]
    return volume, "/:" + "".join(f"{part}/:" for part in parts[:-1]), parts[-1] if parts else ""


class _NmlReader:
    """Builds the collection from the elements."""

    def __init__(self, relocate: Mapping[str, str]) -> None:
        self._relocate = relocate
        self._values = AttributeValues()
        self._program: str | None = None
        self._tracks: list[CollectionTrack] = []
        self._track: dict[str, Any] | None = None
        self._cues: list[Cue] = []
        self._grid: list[tuple[float, float | None]] = []  # position, tempo
        self._by_key: dict[str, int] = {}
        self._tree = TreeBuilder()

    def collection(self) -> Collection:
        """Return what was read."""
        return Collection(
            tracks=tuple(self._tracks),
            playlists=self._tree.build(lambda entry: self._by_key.get(entry[1])),
            program=self._program,
            problems=tuple(self._values.problems),
        )

    def start(self, name: str, attributes: Mapping[str, str], above: Sequence[str], line: int) -> None:
        self._values.line = line
        if name == "HEAD" and len(above) == 1:
            self._program = attributes.get("PROGRAM") or None
        elif name == "ENTRY" and above[-1:] == ["COLLECTION"]:
            self._track = {"path": "", "source": {}}
            self._keep(name, attributes)
            self._track |= self._texts(attributes, title="TITLE", artist="ARTIST")
        elif self._track is not None:
            self._add(name, attributes, above)
        elif name == "NODE" and "PLAYLISTS" in above:
            self._start_node(attributes, above)
        elif name == "PRIMARYKEY" and "PLAYLIST" in above:
            self._tree.add((attributes.get("TYPE", ""), attributes.get("KEY", "")))

    def end(self, name: str, above: Sequence[str]) -> None:
        if name == "ENTRY" and self._track is not None and above[-1:] == ["COLLECTION"]:
            bpm = self._track.get("bpm")
            grid = [(position, tempo or bpm) for position, tempo in self._grid]
            points = tuple(GridPoint(position_s=position, bpm=tempo) for position, tempo in grid if tempo)
            self._tracks.append(CollectionTrack(**self._track, cues=tuple(self._cues), beat_grid=points))
            self._track, self._cues, self._grid = None, [], []
        elif name == "NODE" and "PLAYLISTS" in above:
            self._tree.end()

    def _start_node(self, attributes: Mapping[str, str], above: Sequence[str]) -> None:
        kind, name = attributes.get("TYPE", ""), attributes.get("NAME", "")
        if kind == "FOLDER" and above[-1] == "PLAYLISTS":
            self._tree.start_root()
        elif kind in ("FOLDER", "PLAYLIST"):
            self._tree.start(name, folder=kind == "FOLDER")
        else:  # a smart playlist is a search, not a list of tracks
            self._values.note(f"the playlist {name[:40]!r} of type {kind[:20]} was left out")
            self._tree.start_root()

    def _add(self, name: str, attributes: Mapping[str, str], above: Sequence[str]) -> None:
        """Add an element of a track."""
        assert self._track is not None
        values = self._values
        if name == "CUE_V2":
            self._add_cue(attributes)
        elif name == "GRID" and above[-1] == "CUE_V2" and self._grid:
            self._grid[-1] = (self._grid[-1][0], values.positive(attributes, "BPM", most=10_000))
        elif above[-1] != "ENTRY":
            return
        elif name == "LOCATION":
            volume, folder, file = (attributes.get(part, "") for part in ("VOLUME", "DIR", "FILE"))
            self._by_key.setdefault(volume + folder + file, len(self._tracks))
            self._track["path"] = relocated(path_of_location(volume, folder, file), self._relocate) if file else ""
        elif name == "ALBUM":
            self._track |= self._texts(attributes, album="TITLE")
        elif name == "INFO":
            released = values.day(attributes, "RELEASE_DATE")
            self._track |= self._texts(attributes, genre="GENRE", comment="COMMENT", key="KEY")
            self._track |= {
                "year": released.year if released else None,
                "duration_s": values.positive(attributes, "PLAYTIME_FLOAT") or values.positive(attributes, "PLAYTIME"),
                "rating": values.stars(attributes, "RANKING"),
                "play_count": values.whole(attributes, "PLAYCOUNT"),
                "date_added": values.day(attributes, "IMPORT_DATE"),
                "last_played": values.day(attributes, "LAST_PLAYED"),
            }
        elif name == "TEMPO":
            self._track["bpm"] = values.positive(attributes, "BPM", most=10_000)
        elif name == "MUSICAL_KEY":
            self._track["key_class"] = values.whole(attributes, "VALUE", most=len(KEYS_24) - 1)
        if name in _KEPT:
            self._keep(name, attributes)

    def _add_cue(self, attributes: Mapping[str, str]) -> None:
        values = self._values
        start = values.number(attributes, "START")
        kind = values.whole(attributes, "TYPE", most=len(_CUE_KINDS) - 1)
        number = values.whole(attributes, "HOTCUE", least=-1, most=999)
        length = values.number(attributes, "LEN", least=0)
        if start is None or kind is None:
            return
        position_s = round(start / 1000, 9)
        if _CUE_KINDS[kind] == "grid":
            self._grid.append((position_s, None))
            if number in (None, -1):
                return
        name = values.text(attributes, "NAME")
        self._cues.append(
            Cue(
                position_s=position_s,
                kind=_CUE_KINDS[kind],
                name=None if name in _NO_NAMES else name,
                hot_cue=None if number in (None, -1) else number,
                loop_s=round(length / 1000, 9) if length else None,
            )
        )

    def _texts(self, attributes: Mapping[str, str], **names: str) -> dict[str, str | None]:
        return {field: self._values.text(attributes, name) for field, name in names.items()}

    def _keep(self, element: str, attributes: Mapping[str, str]) -> None:
        assert self._track is not None
        for name, value in attributes.items():
            if value and f"{element}.{name}" not in _MODELLED:
                self._track["source"][f"traktor.{element}.{name}"] = value


_Place = tuple[str, str, str]


def _place(track: CollectionTrack, relocate: Mapping[str, str], boot_volume: str) -> _Place:
    """Return VOLUME, DIR and FILE; a track that keeps its path keeps its volume, too."""
    if not track.path:
        return track.source.get("traktor.LOCATION.VOLUME", ""), "", ""
    path = absolute(relocated(absolute(track.path), relocate))
    volume, folder, name = location_of_path(path, volume=boot_volume)
    own = track.source.get("traktor.LOCATION.VOLUME", volume)
    if own != volume and path_of_location(own, folder, name) == path:
        volume = own
    return volume, folder, name


def _write_track(xml: XmlWriter, track: CollectionTrack, place: _Place, key_notation: KeyNotation) -> None:
    kept: dict[str, dict[str, str]] = {element: {} for element in _KEPT}
    for field, value in track.source.items():
        program, _, rest = field.partition(".")
        element, _, name = rest.partition(".")
        if program == "traktor" and element in kept and re.fullmatch(r"[A-Z][A-Z0-9_]*", name):
            kept[element][name] = value
    volume, folder, name = place
    if kept["LOCATION"].get("VOLUME") != volume:
        kept["LOCATION"] = {"VOLUME": volume, "VOLUMEID": volume}
    released = kept["INFO"].pop("RELEASE_DATE", "")
    if track.year is not None and not released.startswith(f"{track.year}/"):
        released = f"{track.year}/1/1"
    duration_s = track.duration_s
    info = {
        "GENRE": track.genre,
        "COMMENT": track.comment,
        "KEY": format_key(track.key_class, key_notation, written=track.key),
        "PLAYCOUNT": track.play_count,
        "PLAYTIME": None if duration_s is None else round(duration_s),
        "PLAYTIME_FLOAT": None if duration_s is None else f"{duration_s:.6f}",
        "RANKING": None if track.rating is None else 51 * track.rating,
        "IMPORT_DATE": _day(track.date_added),
        "LAST_PLAYED": _day(track.last_played),
        "RELEASE_DATE": released or None,
    }
    with xml.inside("ENTRY", {**kept["ENTRY"], "TITLE": track.title, "ARTIST": track.artist}):
        xml.element("LOCATION", {"DIR": folder, "FILE": name, **kept["LOCATION"]})
        if track.album or kept["ALBUM"]:
            xml.element("ALBUM", {**kept["ALBUM"], "TITLE": track.album})
        if kept["MODIFICATION_INFO"]:
            xml.element("MODIFICATION_INFO", kept["MODIFICATION_INFO"])
        xml.element("INFO", {**kept["INFO"], **info})
        if track.bpm is not None:
            xml.element("TEMPO", {"BPM": f"{track.bpm:.6f}", "BPM_QUALITY": "100.000000", **kept["TEMPO"]})
        if kept["LOUDNESS"]:
            xml.element("LOUDNESS", kept["LOUDNESS"])
        if track.key_class is not None:
            xml.element("MUSICAL_KEY", {"VALUE": track.key_class})
        _write_cues(xml, track)


def _write_cues(xml: XmlWriter, track: CollectionTrack) -> None:
    on_grid = {cue.position_s: cue.hot_cue for cue in track.cues if cue.kind == "grid"}
    for point in track.beat_grid:
        hot_cue = on_grid.pop(point.position_s, None)
        with xml.inside("CUE_V2", _cue("AutoGrid", 4, point.position_s, 0.0, hot_cue)):
            xml.element("GRID", {"BPM": f"{point.bpm:.6f}"})
    for cue in track.cues:
        kind = cue.kind
        if kind == "grid":
            if cue.position_s not in on_grid:
                continue
            kind = "cue"  # without a point of the grid there is no tempo to write
        xml.element(
            "CUE_V2", _cue(cue.name or "n.n.", _CUE_KINDS.index(kind), cue.position_s, cue.loop_s or 0.0, cue.hot_cue)
        )


def _cue(name: str, kind: int, position_s: float, length_s: float, hot_cue: int | None) -> dict[str, object]:
    return {
        "NAME": name,
        "DISPL_ORDER": 0,
        "TYPE": kind,
        "START": f"{1000 * position_s:.6f}",
        "LEN": f"{1000 * length_s:.6f}",
        "REPEATS": -1,
        "HOTCUE": -1 if hot_cue is None else hot_cue,
    }


def _day(value: date | None) -> str | None:
    return None if value is None else f"{value.year}/{value.month}/{value.day}"


def _write_node(
    xml: XmlWriter, item: CollectionPlaylist | PlaylistFolder, places: Sequence[_Place], above: str = ""
) -> None:
    full_name = f"{above}/{item.name}"
    if isinstance(item, PlaylistFolder):
        with (
            xml.inside("NODE", {"TYPE": "FOLDER", "NAME": item.name}),
            xml.inside("SUBNODES", {"COUNT": len(item.children)}),
        ):
            for child in item.children:
                _write_node(xml, child, places, full_name)
        return
    with (
        xml.inside("NODE", {"TYPE": "PLAYLIST", "NAME": item.name}),
        xml.inside("PLAYLIST", {"ENTRIES": len(item.tracks), "TYPE": "LIST", "UUID": _uuid(full_name)}),
    ):
        for number in item.tracks:
            with xml.inside("ENTRY"):
                xml.element("PRIMARYKEY", {"TYPE": "TRACK", "KEY": "".join(places[number])})


def _uuid(full_name: str) -> str:
    """Return the same number for the same playlist each time, so that writing again changes nothing."""
    return uuid.uuid5(uuid.NAMESPACE_URL, f"{MARK}:{full_name}").hex
