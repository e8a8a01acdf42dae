"""Playlists as players and DJ programs write them."""

import os
from pathlib import Path
from unicodedata import normalize
from urllib.parse import quote

import pytest

from musicrec.data.manifest import read_manifest
from musicrec.errors import ManifestError, PlaylistError
from musicrec.interchange.m3u import is_playlist, read_m3u


@pytest.fixture
def music(tmp_path: Path) -> Path:
    folder = tmp_path / "my music"
    for name in ("a.mp3", "Café/é, ñ.mp3", "Café/100% [x] #1.mp3", "#2 hit.mp3", "b.flac"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def names(playlist: Path) -> list[str]:
    """Return the files of a playlist below its folder."""
    return [os.path.relpath(entry.path, playlist.parent) for entry in read_m3u(playlist).entries]


@pytest.mark.parametrize(
    "entry",
    [
        "Café/é, ñ.mp3",
        "./Café/../Café/é, ñ.mp3",
        "../my music/Café/é, ñ.mp3",
        "  Café/é, ñ.mp3  ",
        normalize("NFD", "Café/é, ñ.mp3"),
        "CAFÉ/É, ñ.MP3",
        quote("Café/é, ñ.mp3"),
        quote("Café/é, ñ.mp3", encoding="latin-1"),
        r"Café\é, ñ.mp3",
        r"C:\Music\Café\é, ñ.mp3",
        r"D:\Café\é, ñ.mp3",
        "D:/Café/é, ñ.mp3",
        r"\Café\é, ñ.mp3",
        r"\\nas\share\Café\é, ñ.mp3",
        r"E:\my music\Café\é, ñ.mp3",
        "file:///C:/Music/Caf%C3%A9/%C3%A9,%20%C3%B1.mp3",
        "{folder}/Café/é, ñ.mp3",
        "file://{folder}/Café/é, ñ.mp3",
        "file://{quoted}/Caf%C3%A9/%C3%A9,%20%C3%B1.mp3",
        "file://localhost{quoted}/Caf%c3%a9/%C3%A9,%20%C3%B1.mp3",
        "FILE:{quoted}/Caf%E9/%E9,%20%F1.mp3",
    ],
)
def test_the_ways_to_write_a_path(music: Path, entry: str):
    playlist = music / "list.m3u8"
    playlist.write_text(entry.replace("{folder}", str(music)).replace("{quoted}", quote(str(music))))
    assert names(playlist) == ["Café/é, ñ.mp3"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "cp1252", "utf-16", "utf-16-le"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encodings_and_line_ends(music: Path, encoding: str, end: str):
    lines = ["#EXTM3U", "#EXTINF:12,Zoë - Été", "Café/é, ñ.mp3", "", "   ", "# a comment", "a.mp3", ""]
    content = end.join(lines).encode(encoding)
    playlist = music / "list.m3u"
    playlist.write_bytes(content if encoding != "utf-16-le" else b"\xff\xfe" + content)
    first, second = read_m3u(playlist).entries
    assert (Path(first.path).name, first.artist, first.title) == ("é, ñ.mp3", "Zoë", "Été")
    assert (Path(second.path).name, second.artist, second.title) == ("a.mp3", None, None)


def test_lines_in_several_encodings(music: Path):
    """Programs append in another encoding. In cp1252, 0x85 is an ellipsis and no end of a line."""
    (music / "wait….mp3").touch()
    playlist = music / "list.m3u"
    playlist.write_bytes("Café/é, ñ.mp3\n".encode() + "wait….mp3\n".encode("cp1252") + b"a.mp3")
    assert names(playlist) == ["Café/é, ñ.mp3", "wait….mp3", "a.mp3"]


def test_signs_that_have_a_meaning_in_addresses_or_comments(music: Path):
    playlist = music / "list.m3u8"
    playlist.write_text("Café/100% [x] #1.mp3\n#2 hit.mp3\n#3 is a comment.mp3\n#a.mp3\n")
    assert names(playlist) == ["Café/100% [x] #1.mp3", "#2 hit.mp3"]
    playlist.write_text("Caf%C3%A9/100%25%20%5Bx%5D%20%231.mp3\n")
    assert names(playlist) == ["Café/100% [x] #1.mp3"]


@pytest.mark.parametrize(
    ("line", "artist", "title"),
    [
        ("#EXTINF:123,Ada - Song", "Ada", "Song"),
        ("#EXTINF:-1 , Ada – Song - Remix", "Ada", "Song - Remix"),
        ("#EXTINF:12.5,Jean-Luc", None, "Jean-Luc"),
        ('#EXTINF:-1 tvg-name="x, y" group-title="z",Ada - Song, Part 2', "Ada", "Song, Part 2"),
        ("#extinf:0,Ada - ", None, "Ada -"),
        ("#EXTINF:0,", None, None),
        ("#EXTINF:123", None, None),
        ("#EXTALB:Ada - Song", None, None),
    ],
)
def test_artist_and_title(music: Path, line: str, artist: str | None, title: str | None):
    playlist = music / "list.m3u8"
    playlist.write_text(f"{line}\n#EXTGRP:group\na.mp3\nb.flac\n")
    first, second = read_m3u(playlist).entries
    assert (first.artist, first.title) == (artist, title)
    assert (second.artist, second.title) == (None, None), "it describes one file"


def test_what_cannot_be_used_is_counted_and_named(music: Path):
    (music / "other.M3U").touch()
    playlist = music / "list.m3u8"
    playlist.write_text(
        "a.mp3\n./a.mp3\ngone.mp3\nhttp://radio.example/stream.mp3\nHTTPS://x.example/a.mp3\nCafé\nother.M3U\nlist.m3u8\n"
        "C:\\Music\\b.flac\nfile:///nowhere/c.mp3\nC:\\gone.mp3\n"
    )
    found = read_m3u(playlist)
    assert [Path(entry.path).name for entry in found.entries] == ["a.mp3", "b.flac"] and found.repeated == 1
    assert found.missing == ["gone.mp3", "file:///nowhere/c.mp3", r"C:\gone.mp3"]
    assert found.moved == [r"C:\Music\b.flac"]
    assert found.unused == {
        "not fetched from the net": ["http://radio.example/stream.mp3", "HTTPS://x.example/a.mp3"],
        "a folder, not a file": ["Café"],
        "a playlist within the playlist; give it as a source of its own": ["other.M3U", "list.m3u8"],
    }


def test_a_file_under_two_names_counts_once(music: Path):
    (music / "link.mp3").symlink_to("a.mp3")
    playlist = music / "list.m3u8"
    playlist.write_text("link.mp3\na.mp3\n")
    assert names(playlist) == ["link.mp3"] and read_m3u(playlist).repeated == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the playlist is empty"),
        (b"\xef\xbb\xbf#EXTM3U\r\n\r\n", "the playlist is empty"),
        (b"x.mp3\nhttp://y\n", "none of its 2 entries is a file that exists: x.mp3, http://y; relative paths start at"),
        (b"\n".join(b"%d.mp3" % i for i in range(9)), "none of its 9 entries .*: 0.mp3, .*4.mp3 …; relative"),
        (b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:9,\na.mp3\n", r"segments of a stream \(HLS, #EXT-X-TARGETDUR"),
        (b"ID3\x04\0\0\0", "is not a playlist in text"),
        (b"a/" * 3000 + b"\n" + b"C:" + b"\\a" * 3000 + b"\n" + b"x" * 5000, "none of its 3 entries"),
        (b"a.mp3\n" + b"/a" * 1_000_000, "is not a playlist, as one of its lines has 2,000,000 characters"),
    ],
)
def test_playlists_without_a_track_are_refused(music: Path, content: bytes, message: str):
    playlist = music / "list.m3u8"
    playlist.write_bytes(content)
    with pytest.raises(PlaylistError, match=rf"list\.m3u8: .*{message}"):
        read_m3u(playlist)


def test_what_is_no_file_is_refused(tmp_path: Path):
    (tmp_path / "folder.m3u8").mkdir()
    os.mkfifo(tmp_path / "pipe.m3u8")
    assert is_playlist("LIST.M3U") and not is_playlist(tmp_path / "folder.m3u8") and not is_playlist("list.csv")
    for name, message in (("folder", "is a folder"), ("pipe", "is not a regular file"), ("absent", "no such playlist")):
        with pytest.raises(PlaylistError, match=message):
            read_m3u(tmp_path / f"{name}.m3u8")


def test_a_playlist_is_no_table(music: Path):
    (music / "list.m3u8").write_text("a.mp3\n")
    (music / "list.pls").write_text("[playlist]\n")
    with pytest.raises(ManifestError, match=r"is a playlist, not a table; .* data=folder data.root=.*list.m3u8"):
        read_manifest(music / "list.m3u8")
    with pytest.raises(ManifestError, match="a kind that musicrec does not read; save it as M3U8"):
        read_manifest(music / "list.pls")
