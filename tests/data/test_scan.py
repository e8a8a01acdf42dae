"""Finding the audio files below a folder, and reporting the others."""

import logging
import os
from pathlib import Path

import pytest

from musicrec.data.manifest import read_manifest, write_manifest
from musicrec.data.scan import find_audio, scan_folder
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
    with pytest.raises(ManifestError, match=r"no audio file below it .*; left out: a.mp3: a broken link"):
        scan_folder(tmp_path)


def test_linked_folders_are_read_once(tmp_path: Path):
    """Links to another disk are followed; circular links, links to a parent and repeated links do no harm."""
    music = tmp_path / "music"
    touch(music, "a.wav", "sub/b.wav")
    touch(tmp_path, "disk/c.wav")
    (music / "disk").symlink_to(tmp_path / "disk")
    (music / "disk again").symlink_to(tmp_path / "disk")
    (music / "sub" / "circle").symlink_to(music)
    (music / "sub" / "above").symlink_to(tmp_path)
    (music / "itself").symlink_to("itself")
    found = find_audio(music)
    assert found.files == ["a.wav", "disk/c.wav", "sub/b.wav"]
    assert found.skipped == [
        ("disk again", "a link to a folder that is searched already"),
        ("sub/above", "a link to a folder that contains it"),
        ("sub/circle", "a link to a folder that contains it"),
    ]


def test_unusable_files_are_logged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    touch(tmp_path, "a.wav", "locked/b.wav")
    (tmp_path / "gone.mp3").symlink_to(tmp_path / "nowhere.mp3")
    os.mkfifo(tmp_path / "pipe.wav")
    latin = os.fsencode(tmp_path) + b"/caf\xe9"
    os.mkdir(latin)
    Path(os.fsdecode(latin), "d.wav").touch()
    look = os.scandir

    def scandir(path: Path) -> object:  # the tests may run as root, whom no permission stops
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied")
        return look(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert find_audio(tmp_path).skipped == [
        (r"caf\xe9/d.wav", "the name of the file or its folder is not UTF-8: rename it"),
        ("gone.mp3", "a broken link"),
        ("locked", "cannot be opened: Permission denied"),
        ("pipe.wav", "not a regular file"),
    ]
    with caplog.at_level(logging.WARNING):
        assert scan_folder(tmp_path)["track_id"].to_list() == ["a"]
    assert (
        r"left out: caf\xe9/d.wav (the name of the file or its folder is not UTF-8: rename it), gone.mp3" in caplog.text
    )
