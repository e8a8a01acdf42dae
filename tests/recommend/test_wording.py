"""How numbers and paths are written for people."""

import pytest

from musicrec.recommend.wording import counted, length_text, short_path


def test_how_many_there_are():
    assert [counted(0), counted(1), counted(3000)] == ["0 tracks", "1 track", "3,000 tracks"]
    assert [counted(1, "file"), counted(2, "file")] == ["1 file", "2 files"]


@pytest.mark.parametrize(
    ("length_s", "text"),
    [(0, "0:00"), (59.9, "0:59"), (185, "3:05"), (3599, "59:59"), (3600, "1:00:00"), (3723.5, "1:02:03")],
)
def test_lengths(length_s: float, text: str):
    assert length_text(length_s) == text


def test_the_home_folder_is_a_tilde(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", "/home/ada")
    assert short_path("/home/ada/Music/a.flac") == "~/Music/a.flac"
    assert [short_path(path) for path in ("/home/adam/a.flac", "lance:x")] == ["/home/adam/a.flac", "lance:x"]
