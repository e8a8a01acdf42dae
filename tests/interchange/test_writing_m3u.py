"""Playlists that are written are read back by the same package, and by the rules of the format."""

import os
from pathlib import Path

import pytest

from musicrec.errors import PlaylistError
from musicrec.interchange.collection import CollectionTrack
from musicrec.interchange.m3u import read_m3u, write_m3u
from tests.interchange.collections_for_tests import NAMES, names


def test_the_text(tmp_path: Path):
    tracks = [
        CollectionTrack(path=f"{tmp_path}/music/a.mp3", artist="A\nB", title=" C  D ", duration_s=61.6),
        CollectionTrack(path=f"{tmp_path}/#2.mp3", title="Only"),
        CollectionTrack(path="C:\\Music\\ü.mp3"),
        CollectionTrack(path=""),
        CollectionTrack(path=f"{tmp_path}/new\nline.mp3"),
        CollectionTrack(path="//nas/x/y.mp3"),
    ]
    path = write_m3u(tmp_path / "list.m3u8", tracks, name="My\nset")
    assert path.read_text().split("\n") == [
        "#EXTM3U",
        "#PLAYLIST:My set",
        *("#EXTINF:62,A B - C D", "music/a.mp3"),
        *("#EXTINF:-1,Only", "./#2.mp3"),
        *("#EXTINF:-1,C:\\Music\\ü.mp3", "C:/Music/ü.mp3"),
        *("#EXTINF:-1,new line.mp3", f"file://{tmp_path}/new%0Aline.mp3"),
        *("#EXTINF:-1,y.mp3", "//nas/x/y.mp3"),
        "",
    ]
    write_m3u(path, tracks[:1], relative=False, relocate={str(tmp_path): "D:/sticks"}, replace=True)
    assert path.read_text().split("\n")[2] == "D:/sticks/music/a.mp3"
    with pytest.raises(PlaylistError, match="exists already"):
        write_m3u(path, tracks)
    with pytest.raises(PlaylistError, match=r"ends in \.m3u8 or \.m3u"):
        write_m3u(tmp_path / "list.pls", tracks)
    with pytest.raises(PlaylistError, match="not UTF-8"):
        write_m3u(tmp_path / "other.m3u8", [CollectionTrack(path="/\udce9.mp3")])


@pytest.mark.parametrize("relative", [True, False])
def test_every_name_is_found_again(tmp_path: Path, relative: bool):
    music = tmp_path / "all my #music"
    music.mkdir()
    odd = {*NAMES, *names(seed=1, count=60), "new\nline.mp3", "cr\rlf\n.mp3", "#.mp3", " .mp3", "\ttab.mp3"}
    # One of the two spellings of a name with accents: the reader takes both for the same file if only one exists.
    kept = [name for name in sorted(odd) if name != "Cafe\u0301 e\u0301.mp3"]
    for name in kept:
        (music / name).touch()
    tracks = [CollectionTrack(path=str(music / name), artist="A", title=name) for name in kept]
    path = write_m3u(music / "list.m3u8", tracks, relative=relative)
    assert [os.path.basename(entry.path) for entry in read_m3u(path).entries] == kept
    if relative:  # both can be moved together
        moved = music.rename(tmp_path / "moved")
        kept = [name for name in kept if "\n" not in name]
        assert {*kept} <= {os.path.basename(entry.path) for entry in read_m3u(moved / "list.m3u8").entries}
