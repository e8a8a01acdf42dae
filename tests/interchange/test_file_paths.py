"""Paths of other computers, and keys in the notations of DJ programs."""

import pytest

from musicrec.errors import ConfigError
from musicrec.interchange.file_paths import of_windows, parse_relocations, relocated
from musicrec.interchange.key_notation import format_key, parse_key_class


@pytest.mark.parametrize(
    ("path", "moved", "expected"),
    [
        ("C:/Music/a.mp3", {"C:/Music": "/m"}, "/m/a.mp3"),
        ("C:/Music/a.mp3", {"c:\\MUSIC\\": "/m/"}, "/m/a.mp3"),
        ("C:/Musical/a.mp3", {"C:/Music": "/m"}, "C:/Musical/a.mp3"),
        ("C:/Music/x/a.mp3", {"C:/": "/c", "C:/Music/x": "/x"}, "/x/a.mp3"),
        ("C:/Music/a.mp3", {"C:/": "/c"}, "/c/Music/a.mp3"),
        ("//nas/Share/a.mp3", {"\\\\NAS\\share": "/mnt/nas"}, "/mnt/nas/a.mp3"),
        ("/Users/me/a.mp3", {"/users/me": "/m"}, "/Users/me/a.mp3"),
        ("/Users/me/a.mp3", {"/": "/mnt"}, "/mnt/Users/me/a.mp3"),
        ("/Caf\u00e9/a.mp3", {"/Cafe\u0301": "/m"}, "/m/a.mp3"),
        ("/m/x/a.mp3", {"/m": "C:\\x\\"}, "C:/x/x/a.mp3"),
        ("/m", {"/m": "/n"}, "/m"),
        ("", {"/m": "/n"}, ""),
    ],
)
def test_relocation(path: str, moved: dict[str, str], expected: str):
    assert relocated(path, moved) == expected


def test_relocations_as_text():
    assert parse_relocations(["C:/a=/b", " /x = /y=z "]) == {"C:/a": "/b", "/x": "/y=z"}
    for text in ("C:/a", "=/b", "/a=", "", " = "):
        with pytest.raises(ConfigError, match="write OLD=NEW"):
            parse_relocations([text])


def test_windows():
    assert [of_windows(path) for path in ("C:/a", "//nas/a", "/a", "C:a", "///a", "")] == [True, True, *[False] * 4]


def test_keys():
    # Camelot and Open Key of the 24 keys, from C and C minor.
    camelot = "8B 3B 10B 5B 12B 7B 2B 9B 4B 11B 6B 1B 5A 12A 7A 2A 9A 4A 11A 6A 1A 8A 3A 10A"
    open_key = "1d 8d 3d 10d 5d 12d 7d 2d 9d 4d 11d 6d 10m 5m 12m 7m 2m 9m 4m 11m 6m 1m 8m 3m"
    musical = "C Db D Eb E F F# G Ab A Bb B Cm Dbm Dm Ebm Em Fm F#m Gm Abm Am Bbm Bm"
    for notation, names in (("camelot", camelot), ("open_key", open_key), ("musical", musical)):
        assert [format_key(key, notation) for key in range(24)] == names.split(" ")
        assert [parse_key_class(name) for name in names.split(" ")] == list(range(24))
    assert format_key(21, "as_written", written="A minor") == "A minor" and format_key(21, "as_written") == "Am"
    assert parse_key_class("08A") == 21 and parse_key_class("Amin") == 21 and parse_key_class("off") is None
