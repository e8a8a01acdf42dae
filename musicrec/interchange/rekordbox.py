"""Read and write the XML files of rekordbox ("File > Export Collection in xml format", and the tree "rekordbox xml").

The format is DJ_PLAYLISTS 1.0.0 of https://rekordbox.com/en/support/developer/. A file is an address that begins with
``file://localhost/`` and whose special characters are percent-encoded, as in ``file://localhost/C:/Music/a%20b.mp3``.
Hot cues have the numbers 0 to 7 (A to H), memory cues -1. Times are seconds.
"""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from musicrec.errors import PlaylistError
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
from musicrec.interchange.file_paths import absolute, relocated
from musicrec.interchange.key_notation import KeyNotation, format_key
from musicrec.interchange.output_files import MARK, check_output, check_paths
from musicrec.interchange.playlist_tree import TreeBuilder
from musicrec.interchange.xml_file import XmlWriter, read_xml
from musicrec.system.atomic_write import atomic_write
from musicrec.system.version import VERSION

_WHAT = "a collection of rekordbox"
_ADDRESS = re.compile(r"file://(localhost)?(?=/)", re.IGNORECASE)
_CUE_KINDS: tuple[CueKind, ...] = ("cue", "fade_in", "fade_out", "load", "loop")  # types 0 to 4
# Attributes of a track that the model has no place for.
_KEPT = (
    *("TrackID", "Composer", "Grouping", "Kind", "Size", "DiscNumber", "TrackNumber", "DateModified", "BitRate"),
    *("SampleRate", "Remixer", "Label", "Mix", "Colour"),
)


def read_rekordbox(path: str | os.PathLike, *, relocate: Mapping[str, str] | None = None) -> Collection:
    """Read a collection of rekordbox.

    Args:
        path: The XML file.
        relocate: {old folder: new folder} for files that are elsewhere on this computer.

    Returns:
        The collection. Files need not exist.

    Raises:
        PlaylistError: The file cannot be read, is damaged or cut off, or is something else.
    """
    reader = _XmlReader(relocate or {})
    read_xml(path, reader, root="DJ_PLAYLISTS", what=_WHAT)
    return reader.collection()


def write_rekordbox(
    path: str | os.PathLike,
    collection: Collection,
    *,
    key_notation: KeyNotation = "as_written",
    relocate: Mapping[str, str] | None = None,
    replace: bool = False,
) -> Path:
    """Write a collection for the tree "rekordbox xml", from which rekordbox imports tracks and playlists.

    Tempi have two decimals and positions three, as rekordbox writes them.

    Args:
        path: The XML file.
        collection: The collection.
        key_notation: How keys are written.
        relocate: {folder here: folder on the computer of rekordbox}.
        replace: Replace an existing file; one that musicrec did not write is never replaced.

    Returns:
        The path.

    Raises:
        ConfigError: There is no such notation.
        PlaylistError: The file cannot be written, or cannot hold the name of a file.
    """
    path = check_output(path, suffixes=(".xml",), replace=replace)
    check_paths(collection.tracks, output=path)
    format_key(None, key_notation)
    ids = _track_ids(collection.tracks)
    with atomic_write(path, error=PlaylistError) as file:
        xml = XmlWriter(file)
        with xml.inside("DJ_PLAYLISTS", {"Version": "1.0.0"}):
            xml.element("PRODUCT", {"Name": MARK, "Version": VERSION, "Company": ""})
            with xml.inside("COLLECTION", {"Entries": len(collection.tracks)}):
                for track, track_id in zip(collection.tracks, ids, strict=True):
                    _write_track(xml, track, track_id, key_notation, relocate or {})
            with (
                xml.inside("PLAYLISTS"),
                xml.inside("NODE", {"Type": 0, "Name": "ROOT", "Count": len(collection.playlists)}),
            ):
                for item in collection.playlists:
                    _write_node(xml, item, ids)
    return path


def file_address(path: str) -> str:
    """Return the address of a file as rekordbox writes it.

    Args:
        path: An absolute path, also of Windows.
    """
    return "file://localhost/" + quote(path.removeprefix("/"), safe="/:")


def path_of_address(address: str) -> str | None:
    """Return the path of the address of a file, None if it is none, as for tracks of a streaming service.

    Args:
        address: Such as ``file://localhost/C:/a%20b.mp3``. A "+" is no space. Bytes that are not UTF-8 are read in the
            Windows code page 1252.
    """
    match = _ADDRESS.match(address)
    if match is None:
        return None
    raw = unquote_to_bytes(address[match.end() :])
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = raw.decode("cp1252", errors="replace")
    return re.sub(r"^/(?=[A-Za-z]:/)", "", text)


class _XmlReader:
    """Builds the collection from the elements."""

    def __init__(self, relocate: Mapping[str, str]) -> None:
        self._relocate = relocate
        self._values = AttributeValues()
        self._program: str | None = None
        self._tracks: list[CollectionTrack] = []
        self._track: dict[str, Any] | None = None
        self._cues: list[Cue] = []
        self._grid: list[GridPoint] = []
        self._by_id: dict[str, int] = {}
        self._by_address: dict[str, int] = {}
        self._tree = TreeBuilder()
        self._key_types: list[str] = []

    def collection(self) -> Collection:
        """Return what was read."""
        return Collection(
            tracks=tuple(self._tracks),
            playlists=self._tree.build(self._find),
            program=self._program,
            problems=tuple(self._values.problems),
        )

    def _find(self, entry: tuple[str, str]) -> int | None:
        key_type, key = entry
        return (self._by_address if key_type == "1" else self._by_id).get(key)

    def start(self, name: str, attributes: Mapping[str, str], above: Sequence[str], line: int) -> None:
        self._values.line = line
        if name == "PRODUCT" and len(above) == 1:
            self._program = " ".join(filter(None, (attributes.get("Name"), attributes.get("Version")))) or None
        elif name == "TRACK" and above[-1:] == ["COLLECTION"]:
            self._start_track(attributes)
        elif name == "TEMPO" and self._track is not None:
            self._add_grid_point(attributes)
        elif name == "POSITION_MARK" and self._track is not None:
            self._add_cue(attributes)
        elif name == "NODE" and "PLAYLISTS" in above:
            self._key_types.append(attributes.get("KeyType", "0"))
            root = above[-1] == "PLAYLISTS" and attributes.get("Type") == "0"
            if not root:
                self._tree.start(attributes.get("Name", ""), folder=attributes.get("Type") == "0")
            else:
                self._tree.start_root()
        elif name == "TRACK" and self._key_types:
            self._tree.add((self._key_types[-1], attributes.get("Key", "")))

    def end(self, name: str, above: Sequence[str]) -> None:
        if name == "TRACK" and self._track is not None and above[-1:] == ["COLLECTION"]:
            self._tracks.append(CollectionTrack(**self._track, cues=tuple(self._cues), beat_grid=tuple(self._grid)))
            self._track, self._cues, self._grid = None, [], []
        elif name == "NODE" and self._key_types:
            self._key_types.pop()
            self._tree.end()

    def _start_track(self, attributes: Mapping[str, str]) -> None:
        values, number = self._values, len(self._tracks)
        address = attributes.get("Location", "")
        path = path_of_address(address)
        source = {f"rekordbox.{name}": attributes[name] for name in _KEPT if attributes.get(name)}
        if path is None and address:
            source["rekordbox.Location"] = address
        self._by_id.setdefault(attributes.get("TrackID", "").strip(), number)
        self._by_address.setdefault(address, number)
        self._track = {
            "path": relocated(path, self._relocate) if path else "",
            "title": values.text(attributes, "Name"),
            "artist": values.text(attributes, "Artist"),
            "album": values.text(attributes, "Album"),
            "genre": values.text(attributes, "Genre"),
            "year": values.whole(attributes, "Year", most=9999) or None,
            "duration_s": values.positive(attributes, "TotalTime"),
            "bpm": values.positive(attributes, "AverageBpm", most=10_000),
            "key": values.text(attributes, "Tonality"),
            "rating": values.stars(attributes, "Rating"),
            "comment": values.text(attributes, "Comments"),
            "play_count": values.whole(attributes, "PlayCount"),
            "date_added": values.day(attributes, "DateAdded"),
            "last_played": values.day(attributes, "LastPlayed"),
            "source": source,
        }

    def _add_grid_point(self, attributes: Mapping[str, str]) -> None:
        position = self._values.number(attributes, "Inizio")
        bpm = self._values.positive(attributes, "Bpm", most=10_000)
        if position is not None and bpm is not None:
            beat = self._values.whole(attributes, "Battito", least=1, most=999)
            self._grid.append(
                GridPoint(position_s=position, bpm=bpm, beat=beat or 1, metre=attributes.get("Metro") or "4/4")
            )

    def _add_cue(self, attributes: Mapping[str, str]) -> None:
        values = self._values
        position, end = values.number(attributes, "Start"), values.number(attributes, "End")
        kind = values.whole(attributes, "Type", most=len(_CUE_KINDS) - 1)
        number = values.whole(attributes, "Num", least=-1, most=999)
        if position is None or kind is None:
            return
        colours = [values.whole(attributes, name, most=255) for name in ("Red", "Green", "Blue")]
        red, green, blue = colours
        self._cues.append(
            Cue(
                position_s=position,
                kind=_CUE_KINDS[kind],
                name=values.text(attributes, "Name"),
                hot_cue=None if number in (None, -1) else number,
                loop_s=max(0.0, round(end - position, 6)) if end is not None else None,
                colour=None if red is None or green is None or blue is None else (red, green, blue),
            )
        )


def _track_ids(tracks: Sequence[CollectionTrack]) -> list[int]:
    """Return a number for every track: the one it had in rekordbox, or the next one that is free."""
    own = [track.source.get("rekordbox.TrackID", "") for track in tracks]
    ids = [int(text) if re.fullmatch(r"[0-9]{1,18}", text) else None for text in own]
    used: set[int] = set()
    following = max((number for number in ids if number is not None), default=0) + 1
    found = []
    for number in ids:
        if number is None or number in used:
            number, following = following, following + 1
        used.add(number)
        found.append(number)
    return found


def _write_track(
    xml: XmlWriter, track: CollectionTrack, track_id: int, key_notation: KeyNotation, relocate: Mapping[str, str]
) -> None:
    kept = {name: track.source.get(f"rekordbox.{name}") for name in _KEPT}
    location = track.source.get("rekordbox.Location")
    if track.path:
        location = file_address(absolute(relocated(absolute(track.path), relocate)))
    attributes = {
        **kept,
        "TrackID": track_id,
        "Name": track.title,
        "Artist": track.artist,
        "Album": track.album,
        "Genre": track.genre,
        "TotalTime": None if track.duration_s is None else round(track.duration_s),
        "Year": track.year,
        "AverageBpm": None if track.bpm is None else f"{track.bpm:.2f}",
        "DateAdded": track.date_added,
        "LastPlayed": track.last_played,
        "Comments": track.comment,
        "PlayCount": track.play_count,
        "Rating": None if track.rating is None else 51 * track.rating,
        "Tonality": format_key(track.key_class, key_notation, written=track.key),
        "Location": location,
    }
    if not track.cues and not track.beat_grid:
        xml.element("TRACK", attributes)
        return
    with xml.inside("TRACK", attributes):
        for point in track.beat_grid:
            xml.element(
                "TEMPO",
                {
                    "Inizio": f"{point.position_s:.3f}",
                    "Bpm": f"{point.bpm:.2f}",
                    "Metro": point.metre,
                    "Battito": point.beat,
                },
            )
        for cue in track.cues:
            red, green, blue = cue.colour or (None, None, None)
            xml.element(
                "POSITION_MARK",
                {
                    "Name": cue.name or "",
                    "Type": 0 if cue.kind == "grid" else _CUE_KINDS.index(cue.kind),
                    "Start": f"{cue.position_s:.3f}",
                    "End": None if cue.loop_s is None else f"{cue.position_s + cue.loop_s:.3f}",
                    "Num": -1 if cue.hot_cue is None else cue.hot_cue,
                    "Red": red,
                    "Green": green,
                    "Blue": blue,
                },
            )


def _write_node(xml: XmlWriter, item: CollectionPlaylist | PlaylistFolder, ids: Sequence[int]) -> None:
    if isinstance(item, CollectionPlaylist):
        with xml.inside("NODE", {"Name": item.name, "Type": 1, "KeyType": 0, "Entries": len(item.tracks)}):
            for number in item.tracks:
                xml.element("TRACK", {"Key": ids[number]})
    else:
        with xml.inside("NODE", {"Name": item.name, "Type": 0, "Count": len(item.children)}):
            for child in item.children:
                _write_node(xml, child, ids)
