"""The tracks of a folder or a playlist without labels, and what is left out."""

from pathlib import Path

import pytest

from musicrec.audio.suffixes import UNDECODABLE_SUFFIXES
from musicrec.data.manifest import read_manifest, write_manifest
from musicrec.data.scan import scan_folder, scan_source
from musicrec.data.schema import SCHEMA
from musicrec.errors import ManifestError


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_scan_folder(tmp_path: Path):
    touch(
        tmp_path, "b.MP3", "one/a.wav", "one/a.flac", "one/a.flac.ogg", "one/cover.jpg", ".hidden/x.wav", "one/._a.wav"
    )
    frame = scan_folder(tmp_path)
    assert dict(frame.schema) == SCHEMA
    assert frame["path"].to_list() == [
        str(tmp_path / name) for name in ("b.MP3", "one/a.flac", "one/a.flac.ogg", "one/a.wav")
    ]
    assert frame["track_id"].to_list() == ["b", "one/a.flac", "one/a.flac~", "one/a.wav"]
    assert frame["genre"].null_count() == 4
    write_manifest(frame, tmp_path / "m.csv")
    assert read_manifest(tmp_path / "m.csv").equals(frame)


def test_a_name_of_blanks_is_a_valid_track(tmp_path: Path):
    touch(tmp_path, " .mp3")
    write_manifest(scan_folder(tmp_path), tmp_path / "m.csv")
    assert read_manifest(tmp_path / "m.csv")["track_id"].to_list() == [" .mp3"]


def test_an_empty_folder_is_refused(tmp_path: Path):
    touch(tmp_path, "notes.txt")
    with pytest.raises(ManifestError, match=r"no audio file below it \(looked for .*\.wav\)$"):
        scan_folder(tmp_path)
    with pytest.raises(ManifestError, match="no such folder"):
        scan_folder(tmp_path / "absent")
    (tmp_path / "a.mp3").symlink_to("gone.mp3")
    with pytest.raises(ManifestError, match=r"no audio file below it .*; 1 path left out: a.mp3 \(a broken link\)"):
        scan_folder(tmp_path)


def test_what_is_left_out_of_a_folder_is_counted_and_named(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    touch(tmp_path, "a.mp3", "._a.mp3", "b.m4p", "c.aax", "d.mid")
    protected = UNDECODABLE_SUFFIXES[".m4p"]
    (tmp_path / "gone.mp3").symlink_to(tmp_path / "nowhere.mp3")
    found = scan_source(tmp_path)
    assert found.left_out == [
        ("1 path left out", ["gone.mp3 (a broken link)"]),
        (f"2 files that cannot be decoded ({protected})", ["b.m4p", "c.aax"]),
        (f"1 file that cannot be decoded ({UNDECODABLE_SUFFIXES['.mid']})", ["d.mid"]),
    ]
    scan_folder(tmp_path)
    assert f"2 files that cannot be decoded ({protected}): b.m4p, c.aax" in caplog.text
    assert found.notes == [("1 hidden file or folder passed over", [])]
    assert found.not_searched(str(tmp_path / "gone.mp3")) and not found.not_searched(str(tmp_path / "gone.mp3.wav"))


def test_the_tracks_of_a_playlist(tmp_path: Path):
    touch(tmp_path, "music/one/a.wav", "music/two/b.flac", "lists/c.m3u8")
    playlist = tmp_path / "lists" / "mine.m3u8"
    playlist.write_text(
        "#EXTINF:9,Ada - Song\n../music/two/b.flac\n../music/one/a.wav\n../music/one/a.wav\n"
        "gone.mp3\nhttps://example.org/live\nc.m3u8\n"
    )
    found = scan_source(playlist)
    frame = scan_folder(playlist)
    assert dict(frame.schema) == SCHEMA
    assert frame["path"].to_list() == [str(tmp_path / "music" / name) for name in ("two/b.flac", "one/a.wav")]
    assert frame["track_id"].to_list() == ["two/b", "one/a"], "paths below the folder that holds all of them"
    assert found.names == {"two/b.flac": ("Ada", "Song")}
    assert found.left_out == [
        ("1 entry of the playlist without a file", ["gone.mp3"]),
        ("1 entry of the playlist (not fetched from the net)", ["https://example.org/live"]),
        ("1 entry of the playlist (a playlist within the playlist; give it as a source of its own)", ["c.m3u8"]),
    ]
    assert found.notes == [("1 entry names a file that an earlier one names", [])]
    assert not found.not_searched("/gone.mp3")
