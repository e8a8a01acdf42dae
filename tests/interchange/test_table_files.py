"""Tables for spreadsheets, and JSON."""

import csv
import json
from pathlib import Path

import pytest

from musicrec.errors import PlaylistError
from musicrec.interchange.collection import Collection, CollectionTrack
from musicrec.interchange.table_files import COLUMNS, safe_cell, write_collection_json, write_track_table
from tests.interchange.collections_for_tests import full_collection


def test_a_table(tmp_path: Path):
    collection = full_collection()
    path = write_track_table(tmp_path / "a.csv", collection.tracks, key_notation="camelot")
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["path"] for row in rows] == [track.path for track in collection.tracks]
    assert tuple(rows[0]) == COLUMNS
    assert rows[0] == {
        "position": "1",
        "artist": "Ä. É.",
        "title": collection.tracks[0].title,
        "album": "Album; 1, 2",
        "genre": "House / Techno",
        "year": "1999",
        "duration_s": "301.0",
        "bpm": "127.97",
        "key": "8A",
        "rating": "3",
        "play_count": "12",
        "date_added": "2024-02-29",
        "last_played": "2026-11-03",
        "comment": "'=1+1",
        "path": collection.tracks[0].path,
    }
    with pytest.raises(PlaylistError, match="exists already"):
        write_track_table(path, collection.tracks)


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1", "-1", "@x", "\t1", "\r1", "\n1", " =HYPERLINK(1)", "\u00a0=1", "＝1", "-", "=A0"],
)
def test_formulas_become_text(text: str):
    assert safe_cell(text) == f"'{text}"


@pytest.mark.parametrize(
    ("text", "safe"),
    [("a;=1", "a;'=1"), ("a; =1;-1", "a; '=1;'-1"), ("a\t@x", "a\t'@x"), ("a\r\n+1", "a\r\n'+1"), ('a;"=1', "a;\"'=1"),
     ("=1;=2", "'=1;'=2"), ("a|＝1", "a|'＝1"), ("\t=1", "'\t'=1"), ("\n=1", "'\n'=1")],
)  # fmt: skip
def test_formulas_behind_other_separators_become_text(text: str, safe: str):
    """Spreadsheets of languages in which the comma separates decimals open tables with semicolons between the cells."""
    assert safe_cell(text) == safe


@pytest.mark.parametrize("cell", ["a=b", "1-2", "", None, -1, -1.5, 0, "'x", "é", "a; b", "a;b=c", "a - b", "a\tb"])
def test_other_cells_stay(cell: object):
    assert safe_cell(cell) is cell


def test_every_text_column_is_safe(tmp_path: Path):
    texts = dict.fromkeys(("title", "artist", "album", "genre", "comment", "key", "path"), "=1")
    path = write_track_table(tmp_path / "a.csv", [CollectionTrack(**texts)])
    assert path.read_text().splitlines()[1] == "1,'=1,'=1,'=1,'=1,,,,'=1,,,,,'=1,'=1"


def test_texts_that_utf8_cannot_hold(tmp_path: Path):
    tracks = (CollectionTrack(path="/a\x01.mp3", title="b\ud800\x00c"),)
    table = write_track_table(tmp_path / "a.csv", tracks).read_text()
    assert table.splitlines()[1] == "1,,bc,,,,,,,,,,,,/a\x01.mp3"
    content = json.loads(write_collection_json(tmp_path / "a.json", Collection(tracks=tracks)).read_text())
    assert content["tracks"] == [{"path": "/a\x01.mp3", "title": "b?\x00c"}]


def test_json(tmp_path: Path):
    collection = full_collection()
    path = write_collection_json(tmp_path / "a.json", collection, key_notation="open_key")
    content = json.loads(path.read_text())
    assert [track["path"] for track in content["tracks"]] == [track.path for track in collection.tracks]
    first = content["tracks"][0]
    assert (first["key"], first["camelot"], first["date_added"]) == ("1m", "8A", "2024-02-29")
    assert first["cues"][2] == {"position_s": 60.125, "kind": "loop", "name": "L", "hot_cue": 7, "loop_s": 7.5}
    assert first["beat_grid"][0] == {"position_s": 0.025, "bpm": 127.97, "beat": 1, "metre": "4/4"}
    assert content["tracks"][1] == {"path": collection.tracks[1].path, "rating": 0, "play_count": 0}
    assert content["playlists"][0]["children"][0] == {"name": "Twice", "tracks": [0, 3, 0]}
    empty = write_collection_json(tmp_path / "empty.json", Collection())
    assert json.loads(empty.read_text()) == {"tracks": [], "playlists": []}
