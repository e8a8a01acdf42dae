"""Collections of Traktor, compared with a reader that knows only the facts of the format."""

import dataclasses
import re
import xml.etree.ElementTree as ET
from datetime import date
from pathlib import Path

import pytest

from musicrec.errors import ConfigError, PlaylistError
from musicrec.interchange.collection import (
    Collection,
    CollectionPlaylist,
    CollectionTrack,
    Cue,
    GridPoint,
    PlaylistFolder,
)
from musicrec.interchange.traktor import location_of_path, path_of_location, read_traktor, write_traktor
from tests.interchange.collections_for_tests import FOLDERS, NAMES, full_collection, names

# Written by hand after published examples.
EXAMPLE = """<?xml version="1.0" encoding="UTF-8" standalone="no" ?>
<NML VERSION="19"><HEAD COMPANY="www.native-instruments.com" PROGRAM="Traktor"></HEAD>
<MUSICFOLDERS></MUSICFOLDERS>
<COLLECTION ENTRIES="4">
<ENTRY MODIFIED_DATE="2026/9/1" LOCK="1" AUDIO_ID="AaUT==" TITLE="Foxtrot &amp; Co" ARTIST="Lumen">
<LOCATION DIR="/:Users/:dj/:Music/:" FILE="12//30 #1 100%.mp3" VOLUME="Macintosh HD" VOLUMEID="12ab"></LOCATION>
<ALBUM OF_TRACKS="12" TRACK="3" TITLE="Night"></ALBUM>
<MODIFICATION_INFO AUTHOR_TYPE="user"></MODIFICATION_INFO>
<INFO BITRATE="320000" GENRE="House" LABEL="L" COMMENT="C" KEY="Fmin" PLAYCOUNT="142" PLAYTIME="440"
 PLAYTIME_FLOAT="439.414" RANKING="153" IMPORT_DATE="2014/6/17" LAST_PLAYED="2014/7/6" RELEASE_DATE="2014/6/15"
 FLAGS="28" FILESIZE="14676"></INFO>
<TEMPO BPM="124.67" BPM_QUALITY="100"></TEMPO>
<LOUDNESS PEAK_DB="-0" PERCEIVED_DB="1.1" ANALYZED_DB="1.1"></LOUDNESS>
<MUSICAL_KEY VALUE="17"></MUSICAL_KEY>
<CUE_V2 NAME="AutoGrid" DISPL_ORDER="0" TYPE="4" START="68.5" LEN="0" REPEATS="-1" HOTCUE="0"></CUE_V2>
<CUE_V2 NAME="Beat Marker" DISPL_ORDER="0" TYPE="4" START="90068" LEN="0" REPEATS="-1" HOTCUE="-1">
<GRID BPM="125.5"></GRID></CUE_V2>
<CUE_V2 NAME="Drop" DISPL_ORDER="0" TYPE="0" START="64000" LEN="0" REPEATS="-1" HOTCUE="1"></CUE_V2>
<CUE_V2 NAME="n.n." DISPL_ORDER="0" TYPE="5" START="90000" LEN="7741.9" REPEATS="-1" HOTCUE="-1"></CUE_V2>
<CUE_V2 NAME="n.n." DISPL_ORDER="0" TYPE="1" START="1000" LEN="0" REPEATS="-1" HOTCUE="-1"></CUE_V2>
<CUE_V2 NAME="n.n." DISPL_ORDER="0" TYPE="2" START="2000" LEN="0" REPEATS="-1" HOTCUE="-1"></CUE_V2>
<CUE_V2 NAME="n.n." DISPL_ORDER="0" TYPE="3" START="3000" LEN="0" REPEATS="-1" HOTCUE="-1"></CUE_V2>
</ENTRY>
<ENTRY TITLE="On Windows"><LOCATION DIR="/:Music/:Ä &amp; B/:" FILE="g.mp3" VOLUME="D:" VOLUMEID="1234"></LOCATION>
<INFO KEY="8m" RANKING="200"></INFO></ENTRY>
<ENTRY TITLE="On a disk"><LOCATION DIR="/:House/:" FILE="x.flac" VOLUME="USB &amp; Co" VOLUMEID="u"></LOCATION></ENTRY>
<ENTRY TITLE="No file"></ENTRY>
</COLLECTION>
<SETS ENTRIES="0"></SETS>
<PLAYLISTS><NODE TYPE="FOLDER" NAME="$ROOT"><SUBNODES COUNT="3">
<NODE TYPE="FOLDER" NAME="Gigs"><SUBNODES COUNT="1">
<NODE TYPE="PLAYLIST" NAME="Friday"><PLAYLIST ENTRIES="3" TYPE="LIST" UUID="x">
<ENTRY><PRIMARYKEY TYPE="TRACK" KEY="D:/:Music/:Ä &amp; B/:g.mp3"></PRIMARYKEY></ENTRY>
<ENTRY><PRIMARYKEY TYPE="TRACK" KEY="Macintosh HD/:Users/:dj/:Music/:12//30 #1 100%.mp3"></PRIMARYKEY></ENTRY>
<ENTRY><PRIMARYKEY TYPE="TRACK" KEY="C:/:gone.mp3"></PRIMARYKEY></ENTRY>
</PLAYLIST></NODE></SUBNODES></NODE>
<NODE TYPE="SMARTLIST" NAME="Loud">
<SMARTLIST UUID="y"><SEARCH_EXPRESSION QUERY="$RATING == 5"></SEARCH_EXPRESSION></SMARTLIST></NODE>
<NODE TYPE="PLAYLIST" NAME="Last"><PLAYLIST ENTRIES="0" TYPE="LIST" UUID="z"></PLAYLIST></NODE>
</SUBNODES></NODE></PLAYLISTS>
<INDEXING></INDEXING>
</NML>
"""


@pytest.fixture
def example(tmp_path: Path) -> Path:
    path = tmp_path / "collection.nml"
    path.write_text(EXAMPLE)
    return path


def test_reads_the_example(example: Path):
    collection = read_traktor(example)
    first, windows, disk, no_file = collection.tracks
    assert dataclasses.replace(first, source={}) == CollectionTrack(
        path="/Users/dj/Music/12:30 #1 100%.mp3",
        title="Foxtrot & Co",
        artist="Lumen",
        album="Night",
        genre="House",
        year=2014,
        duration_s=439.414,
        bpm=124.67,
        key="Fmin",
        key_class=12 + 5,
        rating=3,
        comment="C",
        cues=(
            Cue(position_s=0.0685, kind="grid", hot_cue=0),
            Cue(position_s=64.0, name="Drop", hot_cue=1),
            Cue(position_s=90.0, kind="loop", loop_s=7.7419),
            Cue(position_s=1.0, kind="fade_in"),
            Cue(position_s=2.0, kind="fade_out"),
            Cue(position_s=3.0, kind="load"),
        ),
        beat_grid=(GridPoint(position_s=0.0685, bpm=124.67), GridPoint(position_s=90.068, bpm=125.5)),
        play_count=142,
        date_added=date(2014, 6, 17),
        last_played=date(2014, 7, 6),
    )
    assert first.source["traktor.INFO.LABEL"] == "L" and first.source["traktor.LOCATION.VOLUMEID"] == "12ab"
    assert (windows.path, windows.key, windows.key_class, windows.rating) == ("D:/Music/Ä & B/g.mp3", "8m", 12 + 10, 4)
    assert (disk.path, no_file.path) == ("/Volumes/USB & Co/House/x.flac", "")
    assert collection.program == "Traktor"
    assert len(collection.problems) == 1 and "the playlist 'Loud' of type SMARTLIST" in collection.problems[0]
    assert collection.playlists == (
        PlaylistFolder(
            name="Gigs", children=(CollectionPlaylist(name="Friday", tracks=(1, 0), missing=("C:/:gone.mp3",)),)
        ),
        CollectionPlaylist(name="Last"),
    )


def test_files_that_moved(example: Path):
    moved = {"d:/music/ä & b": "/mnt/d", "/Volumes/USB & Co": "/media/usb", "/Volumes": "/never"}
    paths = [track.path for track in read_traktor(example, relocate=moved).tracks]
    assert paths == ["/Users/dj/Music/12:30 #1 100%.mp3", "/mnt/d/g.mp3", "/media/usb/House/x.flac", ""]


def test_every_number_of_a_key(tmp_path: Path):
    # Written out, so that neither the table of the package nor its order is the reference.
    major = ["C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B"]
    keys = [*major, "Cm", "Dbm", "Dm", "Ebm", "Em", "Fm", "F#m", "Gm", "Abm", "Am", "Bbm", "Bm"]
    tracks = tuple(CollectionTrack(path=f"/{key}.mp3", key=key) for key in keys)
    path = write_traktor(tmp_path / "keys.nml", Collection(tracks=tracks), key_notation="open_key")
    entries = ET.parse(path).findall("COLLECTION/ENTRY")
    assert [int(entry.find("MUSICAL_KEY").get("VALUE")) for entry in entries] == list(range(24))
    assert [entry.find("INFO").get("KEY") for entry in entries] == [
        *("1d", "8d", "3d", "10d", "5d", "12d", "7d", "2d", "9d", "4d", "11d", "6d"),
        *("10m", "5m", "12m", "7m", "2m", "9m", "4m", "11m", "6m", "1m", "8m", "3m"),
    ]


def without_source(collection: Collection) -> Collection:
    tracks = tuple(dataclasses.replace(track, source={}) for track in collection.tracks)
    return dataclasses.replace(collection, tracks=tracks, program=None)


def test_round_trip(tmp_path: Path):
    collection = full_collection()
    assert without_source(read_traktor(write_traktor(tmp_path / "a.nml", collection))) == collection


def test_round_trip_of_the_example_keeps_what_the_model_does_not_know(example: Path, tmp_path: Path):
    first = read_traktor(example)
    again = read_traktor(write_traktor(tmp_path / "again.nml", first))
    for ours, track in zip(again.tracks, first.tracks, strict=True):
        assert track.source.items() <= ours.source.items()
        assert dataclasses.replace(ours, source={}) == dataclasses.replace(track, source={})
    assert [it.tracks for _, it in again.every_playlist()] == [it.tracks for _, it in first.every_playlist()]


@pytest.mark.parametrize("seed", range(5))
def test_round_trip_of_random_names(tmp_path: Path, seed: int):
    drawn = names(seed=seed, count=200)
    tracks = tuple(
        CollectionTrack(path=f"/Users/{a}/{b}", title=b) for a, b in zip(drawn[::2], drawn[1::2], strict=True)
    )
    collection = Collection(
        tracks=tracks, playlists=(CollectionPlaylist(name=drawn[0], tracks=tuple(range(len(tracks)))),)
    )
    assert without_source(read_traktor(write_traktor(tmp_path / "a.nml", collection))) == collection


def test_another_reader_understands_it(tmp_path: Path):
    """The reader follows the facts of the format, and shares no code with the package."""
    collection = full_collection()
    root = ET.parse(write_traktor(tmp_path / "a.nml", collection, key_notation="camelot")).getroot()
    assert (root.tag, root.get("VERSION")) == ("NML", "19")
    entries = root.findall("COLLECTION/ENTRY")
    assert int(root.find("COLLECTION").get("ENTRIES")) == len(entries) == len(collection.tracks)

    def path(key: str) -> str:
        volume, *parts = re.split(r"/:", key)
        whole = "/".join(part.replace("//", ":") for part in parts)
        if volume.startswith("\\\\"):
            return volume.replace("\\", "/") + "/" + whole
        if volume == "Macintosh HD":
            return "/" + whole
        return f"{volume}/{whole}" if volume == "C:" else f"/Volumes/{volume}/{whole}"

    keys = []
    for entry in entries:
        place = entry.find("LOCATION")
        assert place.get("DIR").startswith("/:") and place.get("DIR").endswith("/:")
        keys.append(place.get("VOLUME") + place.get("DIR") + place.get("FILE"))
    assert [path(key) for key in keys] == [track.path for track in collection.tracks]

    first, entry = collection.tracks[0], entries[0]
    assert (entry.get("TITLE"), entry.get("ARTIST")) == (first.title, first.artist)
    assert entry.find("ALBUM").get("TITLE") == first.album
    info = entry.find("INFO")
    assert [info.get(name) for name in ("KEY", "RANKING", "PLAYCOUNT", "PLAYTIME", "IMPORT_DATE", "RELEASE_DATE")] == [
        *("8A", "153", "12", "301", "2024/2/29", "1999/1/1"),
    ]
    assert entry.find("MUSICAL_KEY").get("VALUE") == "21"
    assert float(entry.find("TEMPO").get("BPM")) == first.bpm
    cues = entry.findall("CUE_V2")
    assert [
        (int(cue.get("TYPE")), float(cue.get("START")), float(cue.get("LEN")), int(cue.get("HOTCUE"))) for cue in cues
    ] == [
        *((4, 25.0, 0.0, -1), (4, 100_000.0, 0.0, -1)),
        *((0, 500.0, 0.0, 0), (1, 10_250.0, 0.0, -1), (5, 60_125.0, 7500.0, 7)),
        *((2, 200_000.0, 0.0, -1), (3, 0.0, 0.0, -1)),
    ]
    assert [float(cue.find("GRID").get("BPM")) for cue in cues[:2]] == [127.97, 128.5]
    lists = {node.get("NAME"): node.find("PLAYLIST") for node in root.iter("NODE") if node.get("TYPE") == "PLAYLIST"}
    assert [it.get("KEY") for it in lists["Twice"].iter("PRIMARYKEY")] == [keys[0], keys[3], keys[0]]
    assert [it.get("KEY") for it in lists["All of <them> & more"].iter("PRIMARYKEY")] == keys
    assert int(root.find("PLAYLISTS/NODE/SUBNODES").get("COUNT")) == len(collection.playlists)


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/Users/me/a.mp3", ("Boot", "/:Users/:me/:", "a.mp3")),
        ("/a.mp3", ("Boot", "/:", "a.mp3")),
        ("/Volumes/USB/a.mp3", ("USB", "/:", "a.mp3")),
        ("/Volumes/a.mp3", ("Boot", "/:Volumes/:", "a.mp3")),
        ("C:/Music/a.mp3", ("C:", "/:Music/:", "a.mp3")),
        ("//nas/share/x/a.mp3", ("\\\\nas\\share", "/:x/:", "a.mp3")),
        ("/Users/12:30/:x:/a:.mp3", ("Boot", "/:Users/:12//30/://x///:", "a//.mp3")),
    ],
)
def test_places_of_files(path: str, location: tuple[str, str, str]):
    assert location_of_path(path, volume="Boot") == location
    if path != "/a.mp3":
        assert path_of_location(*location) == path


def test_a_start_disk_with_another_name_keeps_it(tmp_path: Path):
    text = EXAMPLE.replace('VOLUME="Macintosh HD"', 'VOLUME="SSD"').replace("Macintosh HD/:", "SSD/:")
    (tmp_path / "collection.nml").write_text(text)
    collection = read_traktor(tmp_path / "collection.nml")
    assert collection.tracks[0].path == "/Users/dj/Music/12:30 #1 100%.mp3"
    write_traktor(tmp_path / "again.nml", collection)
    assert 'VOLUME="SSD" VOLUMEID="12ab"' in (tmp_path / "again.nml").read_text()
    write_traktor(tmp_path / "moved.nml", collection, relocate={"/Users/dj": "C:/dj"})
    assert 'FILE="12//30 #1 100%.mp3" VOLUME="C:" VOLUMEID="C:"' in (tmp_path / "moved.nml").read_text()


def test_names_that_xml_cannot_hold(tmp_path: Path):
    for name in ("a\x01.mp3", "a\udce9.mp3"):
        with pytest.raises(PlaylistError, match="cannot hold the names of 1 file"):
            write_traktor(tmp_path / "a.nml", Collection(tracks=(CollectionTrack(path=f"/{name}"),)))
    with pytest.raises(ConfigError, match="version=21: choose 19 or 20"):
        write_traktor(tmp_path / "a.nml", Collection(), version=21)
    assert not list(tmp_path.iterdir())


def test_existing_collections_are_left_alone(example: Path):
    with pytest.raises(PlaylistError, match=r"collection\.nml: was not written by musicrec"):
        write_traktor(example, Collection(), replace=True)
    assert example.read_text() == EXAMPLE


def test_every_name_is_read_back():
    for path in (f"{folder}/{name}" for folder in FOLDERS for name in NAMES if folder[0] == "/"):
        assert path_of_location(*location_of_path(path, volume="Macintosh HD")) == path
