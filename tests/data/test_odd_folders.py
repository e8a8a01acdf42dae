"""Folders that users reported to other music programs; each test names the report."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from musicrec.audio.decode import decode
from musicrec.audio.search import find_audio
from musicrec.data.scan import scan_folder


def sound(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, 0.5 * np.sin(np.arange(8_000)), 8_000, format="WAV")
    return path


def test_a_link_to_the_folder_that_holds_it(tmp_path):
    """navidrome/navidrome#5334: playlists/music -> .. gave every track again, without end."""
    sound(tmp_path / "a.wav")
    (tmp_path / "playlists").mkdir()
    (tmp_path / "playlists" / "music").symlink_to("..")
    (tmp_path / "same").symlink_to(".")
    found = find_audio(tmp_path)
    assert found.files == ["a.wav"]
    assert [path for path, _ in found.skipped] == ["playlists/music", "same"]


def test_two_names_of_one_folder(tmp_path):
    """navidrome/navidrome#4060: "The Smiths" and a link "Smiths" gave every track twice."""
    sound(tmp_path / "The Smiths" / "a.wav")
    (tmp_path / "Smiths").symlink_to("The Smiths")
    assert find_audio(tmp_path).files == ["The Smiths/a.wav"]


def test_a_folder_whose_name_is_not_utf_8(tmp_path):
    """navidrome/navidrome#3972: one such folder ended the search of all."""
    sound(tmp_path / "a.wav")
    bad = os.path.join(os.fsencode(tmp_path), b"Beyonc\xe9")
    os.mkdir(bad)
    os.link(os.fsencode(tmp_path / "a.wav"), os.path.join(bad, b"b.wav"))
    found = find_audio(tmp_path)
    assert found.files == ["a.wav"]
    ((path, reason),) = found.skipped
    assert path == "Beyonc\\xe9/b.wav" and "not UTF-8" in reason


@pytest.mark.parametrize("name", ["lost+found", "$Money", "#1 Hits", "@home", "CON", "_", "a.wav"])
def test_albums_named_like_system_folders(tmp_path, name):
    """navidrome/navidrome#5592: the album "lost+found" was left out."""
    sound(tmp_path / name / "b.wav")
    assert find_audio(tmp_path).files == [f"{name}/b.wav"]


@pytest.mark.parametrize(
    "name",
    ["test∕file", "🪐", "100% %d %20", "-i", "a\nb", "a:b", "what's “this”?", " ", "x" * 240, "[1] {2} *", "concat:a"],
)
def test_names_of_files(tmp_path, name):
    """music-assistant/support#542, Lidarr/Lidarr#4272, rckclmbr/pyportify#99: one name ended an import."""
    path = sound(tmp_path / f"{name}.wav")
    frame = scan_folder(tmp_path)
    assert frame["path"].to_list() == [str(path)]
    assert len(decode(path)) == 16_000
    assert len(decode(path.rename(tmp_path / f"{name}.xyz"))) == 16_000


def test_copies_by_other_programs_are_left_out(tmp_path):
    """MediaBrowser/Emby#3305, zyrouge/symphony#697: .AppleDouble/a.mp3 and .debris/a.mp3 were tracks."""
    sound(tmp_path / "a.mp3")
    sound(tmp_path / ".AppleDouble" / "a.mp3")
    sound(tmp_path / ".debris" / "a.mp3")
    assert find_audio(tmp_path).files == ["a.mp3"]


def test_names_with_dots_at_their_beginning_and_end(tmp_path):
    """owntone/owntone-server#1991, Lidarr/Lidarr#331, jellyfin/jellyfin#3952: such albums were left out."""
    names = ["...And Justice for All/1.wav", "..But Seriously/1.wav", "...Baby.wav", "M.I.K.E./Totally Dark./1.wav"]
    for name in names:
        sound(tmp_path / name)
    assert find_audio(tmp_path).files == sorted(names)
