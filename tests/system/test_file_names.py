"""Files whose names are asked for with other Unicode characters than the disk holds."""

import os
from pathlib import Path
from unicodedata import normalize

import pytest

from musicrec.system import file_names
from musicrec.system.file_names import find_name, known_names, on_disk, path_on_disk

NFC, NFD = normalize("NFC", "Zoë"), normalize("NFD", "Zoë")


@pytest.mark.parametrize(("stored", "asked"), [(NFC, NFD), (NFD, NFC)])
def test_a_file_is_found_under_either_spelling(tmp_path: Path, stored: str, asked: str):
    path = tmp_path / stored / f"{asked} {stored}.wav"  # a name in both spellings
    path.parent.mkdir()
    path.touch()
    for folder, name in ((asked, f"{stored} {asked}"), (stored, f"{asked} {asked}"), (asked, f"{asked} {stored}")):
        assert path_on_disk(tmp_path / folder / f"{name}.wav") == str(path)
    assert path_on_disk(f"{tmp_path / asked}/") == str(path.parent)


def test_the_very_characters_take_precedence(tmp_path: Path):
    for name in (NFC, NFD):
        (tmp_path / name).touch()
    paths = [str(tmp_path / name) for name in (NFC, NFD)]
    assert on_disk(paths) == paths
    known = known_names([NFD, NFC])
    assert (find_name(NFC, known), find_name(NFD, known), find_name("Zoe", known)) == (NFC, NFD, None)


def test_relative_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path(NFD).touch()
    assert on_disk([NFC, f"./{NFC}", "none", f"{NFC}/none", "", "/"]) == [
        NFD,
        f"./{NFD}",
        "none",
        f"{NFC}/none",
        "",
        "/",
    ]


def test_every_folder_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for number in range(20):
        (tmp_path / f"{NFD} {number}").touch()
    read = []
    monkeypatch.setattr(file_names.os, "listdir", lambda path, real=os.listdir: read.append(path) or real(path))
    found = on_disk([str(tmp_path / f"{NFC} {number}") for number in range(20)])
    assert found == [str(tmp_path / f"{NFD} {number}") for number in range(20)] and read == [str(tmp_path)]
