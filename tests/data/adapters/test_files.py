import os
from pathlib import Path

import pytest

from musicrec.data.adapters.files import audio_files, list_matching
from musicrec.errors import ManifestError


def test_names_in_upper_case_and_hidden_files(tmp_path: Path):
    for name in ("a/1.mp3", "a/2.MP3", "a/._1.mp3", ".Trash/3.mp3", "a/notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"12345")
    (tmp_path / "gone.mp3").symlink_to(tmp_path / "nowhere")
    assert audio_files(tmp_path) == ({"a/1.mp3": 5, "a/2.MP3": 5}, [("gone.mp3", "a broken link")])
    assert [path.name for path in list_matching(tmp_path / "a", "*.mp3")] == ["1.mp3", "2.MP3"]
    assert list_matching(tmp_path / "nowhere", "*") == list_matching(tmp_path / "a" / "1.mp3", "*") == []


def test_a_folder_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(path: str) -> object:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "listdir", refuse)
    with pytest.raises(
        ManifestError, match=r"/0: cannot be read \(Permission denied\); make it readable, or download it"
    ):
        list_matching(tmp_path / "0", "*")
