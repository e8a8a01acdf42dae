"""Collections of rekordbox, compared with the package pyrekordbox."""

import dataclasses
from datetime import date
from pathlib import Path
from urllib.parse import quote

import pytest

from musicrec.errors import ConfigError, PlaylistError
from musicrec.interchange.collection import Collection, CollectionPlaylist, CollectionTrack, Cue, GridPoint
from musicrec.interchange.rekordbox import file_address, path_of_address, read_rekordbox, write_rekordbox
from tests.interchange.collections_for_tests import FOLDERS, NAMES, full_collection, names

# Written by hand after the published list of elements.
EXAMPLE = """<?xml version="1.0" encoding="UTF-8"?>

<DJ_PLAYLISTS Version="1.0.0">
  <PRODUCT Name="rekordbox" Version="7.0.9" Company="AlphaTheta"/>
  <COLLECTION Entries="4">
    <TRACK TrackID="17" Name="First &amp; last" Artist="Somebody" Composer="X" Album="Both" Grouping="" Genre="House"
           Kind="MP3 File" Size="9437184" TotalTime="301" DiscNumber="0" TrackNumber="3" Year="2019"
           AverageBpm="128.00" DateAdded="2024-02-29" BitRate="320" SampleRate="44100" Comments="8A - 7"
           PlayCount="4" LastPlayed="2026-01-31" Rating="204" Remixer="" Tonality="8A" Label="L" Mix=""
           Location="file://localhost/C:/Music/A%20%26%20B/%231%20100%25%20caf%c3%a9+.mp3">
      <TEMPO Inizio="0.025" Bpm="128.00" Metro="4/4" Battito="1"/>
      <TEMPO Inizio="120.5" Bpm="130.00" Metro="3/4" Battito="2"/>
      <POSITION_MARK Name="Drop" Type="0" Start="60.025" Num="0" Red="40" Green="226" Blue="20"/>
      <POSITION_MARK Name="" Type="4" Start="90.000" End="97.500" Num="-1"/>
    </TRACK>
    <TRACK TrackID="18" Name="On a Mac" Location="file://localhost/Users/me/a%3Ab.aiff" TotalTime="0" AverageBpm="0.00"
           Year="0" Tonality="F#m" Rating="0" DateAdded="0000-00-00"/>
    <TRACK TrackID="19" Name="Streamed" Location="file://localhostsoundcloud:tracks:1"/>
    <TRACK TrackID="20" Name="Bad" Location="file://localhost/x.mp3" AverageBpm="fast" Year="-3" Rating="1000"
           DateAdded="2024-13-01" Tonality="all of them"/>
  </COLLECTION>
  <PLAYLISTS>
    <NODE Type="0" Name="ROOT" Count="2">
      <NODE Name="Folder" Type="0" Count="1">
        <NODE Name="Set" Type="1" KeyType="0" Entries="3"><TRACK Key="18"/><TRACK Key="17"/><TRACK Key="99"/></NODE>
      </NODE>
      <NODE Name="By address" Type="1" KeyType="1" Entries="1">
        <TRACK Key="file://localhost/Users/me/a%3Ab.aiff"/>
      </NODE>
    </NODE>
  </PLAYLISTS>
</DJ_PLAYLISTS>
"""


@pytest.fixture
def example(tmp_path: Path) -> Path:
    path = tmp_path / "rekordbox.xml"
    path.write_text(EXAMPLE)
    return path


def test_reads_the_example(example: Path):
    collection = read_rekordbox(example)
    first, mac, streamed, bad = collection.tracks
    assert first == CollectionTrack(
        path="C:/Music/A & B/#1 100% café+.mp3",
        title="First & last",
        artist="Somebody",
        album="Both",
        genre="House",
        year=2019,
        duration_s=301.0,
        bpm=128.0,
        key="8A",
        key_class=21,  # A minor
        rating=4,
        comment="8A - 7",
        cues=(
            Cue(position_s=60.025, name="Drop", hot_cue=0, colour=(40, 226, 20)),
            Cue(position_s=90.0, kind="loop", loop_s=7.5),
        ),
        beat_grid=(
            GridPoint(position_s=0.025, bpm=128.0),
            GridPoint(position_s=120.5, bpm=130.0, beat=2, metre="3/4"),
        ),
        play_count=4,
        date_added=date(2024, 2, 29),
        last_played=date(2026, 1, 31),
        source={
            f"rekordbox.{name}": text
            for name, text in {
                **{"TrackID": "17", "Composer": "X", "Kind": "MP3 File", "Size": "9437184", "DiscNumber": "0"},
                **{"TrackNumber": "3", "BitRate": "320", "SampleRate": "44100", "Label": "L"},
            }.items()
        },
    )
    assert (mac.path, mac.year, mac.bpm, mac.duration_s, mac.date_added, mac.rating) == (
        *("/Users/me/a:b.aiff", None, None, None, None, 0),
    )
    assert mac.key_class == 12 + 6
    assert streamed.path == "" and streamed.source["rekordbox.Location"] == "file://localhostsoundcloud:tracks:1"
    assert (bad.bpm, bad.year, bad.rating, bad.date_added, bad.key, bad.key_class) == (
        *(None, None, None, None, "all of them", None),
    )
    assert collection.program == "rekordbox 7.0.9"
    assert [problem.split(": ")[1].split("=")[0] for problem in collection.problems] == [
        *("Year", "AverageBpm", "Rating", "DateAdded"),
    ]
    line = EXAMPLE[: EXAMPLE.index('TrackID="20"')].count("\n") + 1
    assert all(problem.startswith(f"line {line}: ") for problem in collection.problems)
    assert list(collection.every_playlist()) == [
        (("Folder",), CollectionPlaylist(name="Set", tracks=(1, 0), missing=("99",))),
        ((), CollectionPlaylist(name="By address", tracks=(1,))),
    ]


def test_files_that_moved(example: Path):
    paths = [
        track.path
        for track in read_rekordbox(example, relocate={"c:\\music": "/mnt/music/", "/Users/me": "/home/me"}).tracks
    ]
    assert paths == ["/mnt/music/A & B/#1 100% café+.mp3", "/home/me/a:b.aiff", "", "/x.mp3"]


def without_source(collection: Collection) -> Collection:
    tracks = tuple(dataclasses.replace(track, source={}) for track in collection.tracks)
    return dataclasses.replace(collection, tracks=tracks, program=None)


def test_round_trip(tmp_path: Path):
    collection = full_collection()
    read = read_rekordbox(write_rekordbox(tmp_path / "a.xml", collection))
    assert without_source(read) == collection
    assert read.program.startswith("musicrec ")


def test_round_trip_of_the_example_keeps_what_the_model_does_not_know(example: Path, tmp_path: Path):
    first = read_rekordbox(example)
    again = read_rekordbox(write_rekordbox(tmp_path / "again.xml", first))
    assert again.tracks == first.tracks
    # What was missing is not written.
    assert [it.tracks for _, it in again.every_playlist()] == [it.tracks for _, it in first.every_playlist()]


@pytest.mark.parametrize("seed", range(5))
def test_round_trip_of_random_names(tmp_path: Path, seed: int):
    tracks = tuple(CollectionTrack(path=f"/m/{name}", title=name) for name in names(seed=seed, count=100))
    read = read_rekordbox(write_rekordbox(tmp_path / "a.xml", Collection(tracks=tracks)))
    assert without_source(read).tracks == tracks


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("file://localhost/C:/a%20b.mp3", "C:/a b.mp3"),
        ("file://localhost//nas/share/a.mp3", "//nas/share/a.mp3"),
        ("file:///Users/me/a+b.mp3", "/Users/me/a+b.mp3"),
        ("FILE://LOCALHOST/Users/me/100%.mp3", "/Users/me/100%.mp3"),
        ("file://localhost/caf%E9.mp3", "/café.mp3"),
        ("file://localhost/" + quote("é🎧.mp3"), "/é🎧.mp3"),
        ("tidal:tracks:1", None),
        ("http://example.org/a.mp3", None),
        ("", None),
    ],
)
def test_addresses(address: str, path: str | None):
    assert path_of_address(address) == path


def test_key_notations(tmp_path: Path):
    collection = Collection(tracks=(CollectionTrack(path="/a", key="F#m"), CollectionTrack(path="/b", key="odd")))
    written = {}
    for notation in ("as_written", "camelot", "open_key", "musical"):
        path = write_rekordbox(tmp_path / f"{notation}.xml", collection, key_notation=notation)
        written[notation] = [track.key for track in read_rekordbox(path).tracks]
    assert written == {
        "as_written": ["F#m", "odd"],
        "camelot": ["11A", "odd"],
        "open_key": ["4m", "odd"],
        "musical": ["F#m", "odd"],
    }
    with pytest.raises(ConfigError, match="key_notation=roman: choose one of as_written, camelot"):
        write_rekordbox(tmp_path / "x.xml", collection, key_notation="roman")
    assert not (tmp_path / "x.xml").exists()


def test_existing_files_are_left_alone(example: Path, tmp_path: Path):
    own = write_rekordbox(tmp_path / "own.xml", Collection())
    with pytest.raises(PlaylistError, match=r"own\.xml: exists already"):
        write_rekordbox(own, full_collection())
    write_rekordbox(own, full_collection(), replace=True)
    assert read_rekordbox(own).tracks
    with pytest.raises(PlaylistError, match="was not written by musicrec"):
        write_rekordbox(example, full_collection(), replace=True)
    assert example.read_text() == EXAMPLE
    with pytest.raises(PlaylistError, match=r"ends in \.xml"):
        write_rekordbox(tmp_path / "master.db", Collection())


def test_names_that_no_format_can_hold(tmp_path: Path):
    collection = Collection(tracks=(CollectionTrack(path="/music/\udce9.mp3"),))
    with pytest.raises(PlaylistError, match="cannot hold the names of 1 file") as failure:
        write_rekordbox(tmp_path / "a.xml", collection)
    assert str(failure.value).isascii() and not list(tmp_path.iterdir())


def test_texts_lose_what_xml_cannot_hold(tmp_path: Path):
    collection = Collection(tracks=(CollectionTrack(path="/a\x01\n.mp3", title="a\x00b\ufffe", comment="\ud800c"),))
    track = read_rekordbox(write_rekordbox(tmp_path / "a.xml", collection)).tracks[0]
    assert (track.path, track.title, track.comment) == ("/a\x01\n.mp3", "ab", "c")


class TestAgainstPyrekordbox:
    @pytest.fixture
    def rbxml(self):
        return pytest.importorskip("pyrekordbox.rbxml", reason="pyrekordbox is not installed; pip install pyrekordbox")

    def test_it_reads_what_we_write(self, rbxml, tmp_path: Path):
        collection = full_collection()
        theirs = rbxml.RekordboxXml(str(write_rekordbox(tmp_path / "a.xml", collection, key_notation="camelot")))
        assert theirs.num_tracks == len(collection.tracks)
        for ours, track in zip(collection.tracks, theirs.get_tracks(), strict=True):
            if "\\" not in ours.path:  # which it takes for Windows
                assert track._element.attrib["Location"] == rbxml.encode_path(ours.path.removeprefix("/"))
            assert (track.Name, track.Artist) == (ours.title, ours.artist)
            assert track.Rating == ours.rating
        first, track = collection.tracks[0], theirs.get_track(0)
        assert (track.TotalTime, track.AverageBpm, track.Year, track.PlayCount) == (301, 127.97, 1999, 12)
        assert (track.Tonality, track.DateAdded, track.LastPlayed) == ("8A", "2024-02-29", "2026-11-03")
        assert [(tempo.Inizio, tempo.Bpm) for tempo in track.tempos] == [(0.025, 127.97), (100.0, 128.5)]
        kinds = {"fade_in": "fadein", "fade_out": "fadeout"}
        assert [(mark.Name, mark.Type, mark.Start, mark.End, mark.Num) for mark in track.marks] == [
            (
                cue.name or "",
                kinds.get(cue.kind, cue.kind),
                cue.position_s,
                cue.loop_s and cue.position_s + cue.loop_s,
                -1 if cue.hot_cue is None else cue.hot_cue,
            )
            for cue in first.cues
        ]
        assert theirs.get_playlist("Folder & Co", "Twice").get_tracks() == [1, 4, 1]
        assert theirs.get_playlist("Folder & Co", "Inside", "Empty").get_tracks() == []
        assert len(theirs.get_playlist("All of <them> & more").get_tracks()) == len(collection.tracks)

    def test_we_read_what_it_writes(self, rbxml, tmp_path: Path):
        paths = [f"{folder}/{name}" for folder in FOLDERS for name in NAMES if "\\" not in name]
        theirs = rbxml.RekordboxXml(name="other", version="1", company="")
        for i, path in enumerate(paths):
            track = theirs.add_track(path.removeprefix("/"), Name=NAMES[i % len(NAMES)], AverageBpm=120 + i, Rating=102)
            track.add_tempo(Inizio=0.5, Bpm=120 + i, Metro="4/4", Battito=3)
            track.add_mark(Name="Ü", Type="loop", Start=1.0, End=3.0, Num=2)
        theirs.add_playlist_folder("F").add_playlist("P", keytype="TrackID").add_track(2)
        theirs.add_playlist("Q", keytype="Location").add_track(rbxml.encode_path(paths[3].removeprefix("/")))
        theirs.save(str(tmp_path / "theirs.xml"))

        ours = read_rekordbox(tmp_path / "theirs.xml")
        assert [track.path for track in ours.tracks] == paths
        assert [track.title for track in ours.tracks] == [NAMES[i % len(NAMES)] for i in range(len(paths))]
        assert [track.bpm for track in ours.tracks] == [120 + i for i in range(len(paths))]
        assert {track.rating for track in ours.tracks} == {2}
        assert ours.tracks[1].beat_grid == (GridPoint(position_s=0.5, bpm=121.0, beat=3),)
        assert ours.tracks[1].cues == (Cue(position_s=1.0, kind="loop", name="Ü", hot_cue=2, loop_s=2.0),)
        assert list(ours.every_playlist()) == [
            (("F",), CollectionPlaylist(name="P", tracks=(1,))),
            ((), CollectionPlaylist(name="Q", tracks=(3,))),
        ]


def test_addresses_of_other_characters_are_read_back():
    for path in (f"{folder}/{name}" for folder in FOLDERS for name in NAMES):
        assert path_of_address(file_address(path)) == path
