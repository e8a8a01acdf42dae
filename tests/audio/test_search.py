"""Finding the audio files below a folder, and naming the others."""

import os
from pathlib import Path

import pytest

from musicrec.audio.search import find_audio


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


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
        ("itself", "a broken link"),
        ("sub/above", "a link to a folder that contains it"),
        ("sub/circle", "a link to a folder that contains it"),
    ]


def test_unusable_files_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
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
    found = find_audio(tmp_path)
    assert found.files == ["a.wav"] and found.unsearched == ["gone.mp3", "locked"]
    assert found.skipped == [
        (r"caf\xe9/d.wav", "the name of the file or its folder is not UTF-8: rename it"),
        ("gone.mp3", "a broken link"),
        ("locked", "cannot be opened: Permission denied"),
        ("pipe.wav", "not a regular file"),
    ]


def test_hidden_files_and_leftovers_of_systems_are_passed_over(tmp_path: Path):
    touch(
        tmp_path,
        "a.mp3",
        "._a.mp3",  # the resource fork that macOS writes beside a.mp3
        ".DS_Store",
        ".Trash-1000/files/b.mp3",
        ".stfolder/c.mp3",
        "__MACOSX/._a.mp3",
        "album/@eaDir/d.mp3",
        "album/#recycle/e.mp3",
        "$RECYCLE.BIN/f.mp3",
        "System Volume Information/g.mp3",
        "Thumbs.db",
        "album/desktop.ini",
    )
    found = find_audio(tmp_path)
    assert found.files == ["a.mp3"] and found.hidden == 11
    assert (found.skipped, found.undecodable, found.unsearched) == ([], [], [])


def test_a_name_that_begins_with_an_ellipsis_is_not_hidden(tmp_path: Path):
    touch(tmp_path, "...And Justice for All/01.mp3", "...Baby One More Time.mp3")
    assert find_audio(tmp_path).files == ["...And Justice for All/01.mp3", "...Baby One More Time.mp3"]


def test_audio_that_cannot_be_decoded_is_named(tmp_path: Path):
    touch(tmp_path, "a.mp3", "b.M4P", "books/c.aax", "cover.jpg")
    found = find_audio(tmp_path)
    assert found.files == ["a.mp3"] and found.undecodable == ["b.M4P", "books/c.aax"]
