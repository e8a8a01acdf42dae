"""XML from strangers: every damage and every attack gives one message, in little time and memory."""

import random
import tracemalloc
from pathlib import Path

import pytest

from musicrec.errors import PlaylistError
from musicrec.interchange import xml_file
from musicrec.interchange.collection import Collection
from musicrec.interchange.collection_files import is_collection, read_collection
from musicrec.interchange.rekordbox import write_rekordbox
from musicrec.interchange.traktor import write_traktor
from tests.interchange.collections_for_tests import full_collection

LAUGHS = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10 if i else "ha"}">' for i in range(10))
REKORDBOX = '<DJ_PLAYLISTS Version="1.0.0"><COLLECTION><TRACK Location="file://localhost/a" Name="{}"/></COLLECTION>'


def message(path: Path) -> str:
    with pytest.raises(PlaylistError) as failure:
        read_collection(path)
    text = str(failure.value)
    assert text.startswith(f"{path}: ") and "\n" not in text and len(text) < 600
    return text.removeprefix(f"{path}: ")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (f'<?xml version="1.0"?>\n<!DOCTYPE x [{LAUGHS}]>\n' + REKORDBOX.format("&l9;"), "line 2: declares a document"),
        (
            '<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]>' + REKORDBOX.format("&f;"),
            "line 1: declares a document type",
        ),
        ('<!DOCTYPE x SYSTEM "http://example.org/x.dtd">' + REKORDBOX.format(""), "line 1: declares a document type"),
        (REKORDBOX.format("&unknown;"), "line 1: is damaged (undefined entity)"),
        ("", "is empty, not a collection of rekordbox"),
        ("   \n", "line 2: the file ends before it is complete"),
        ("not xml", "line 1: is not XML"),
        ("\0\1\2", "line 1: is not XML"),
        ("<html><body/></html>", "line 1: begins with <html>, so it is not a collection of rekordbox"),
        ('<?xml version="1.0" encoding="klingon"?><DJ_PLAYLISTS/>', "is written in an encoding that is not known"),
        ('<?xml version="1.0" encoding="shift_jis"?><DJ_PLAYLISTS/>', "is written in an encoding that is not known"),
        ("<DJ_PLAYLISTS>\n<COLLECTION>", "line 2: the file ends before it is complete, so it was cut off"),
        ('<DJ_PLAYLISTS>\n<COLLECTION a="', "line 2: the file ends before it is complete, so it was cut off"),
        ("<DJ_PLAYLISTS>\n</COLLECTION>", "line 2: is damaged (mismatched tag)"),
        ("<DJ_PLAYLISTS/>\n<more/>", "line 2: is damaged (junk after document element)"),
        ('<DJ_PLAYLISTS><x a="1" a="2"/>', "line 1: is damaged (duplicate attribute)"),
        ("<DJ_PLAYLISTS>" + "<a>" * 300, "line 1: more than 200 elements inside each other"),
    ],
)
def test_one_message(tmp_path: Path, content: str, said: str):
    path = tmp_path / "a.xml"
    path.write_text(content)
    assert message(path).startswith(said)


def test_what_is_no_file(tmp_path: Path):
    assert message(tmp_path / "absent.nml") == "no such file"
    (tmp_path / "folder.xml").mkdir()
    assert not is_collection(tmp_path / "folder.xml") and is_collection(tmp_path / "A.NML")
    assert message(tmp_path / "folder.xml") == "is a folder, not a collection of rekordbox"
    (tmp_path / "wrong.nml").write_text("<DJ_PLAYLISTS/>")
    assert "begins with <DJ_PLAYLISTS>, so it is not a collection of Traktor" in message(tmp_path / "wrong.nml")


def test_the_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "a.xml"
    path.write_text('<DJ_PLAYLISTS a="' + "x" * (5 << 20))
    assert message(path).startswith("line 1: a tag or a comment is longer than 4 MiB")
    path.write_text("<DJ_PLAYLISTS>" + "<a/>" * 50 + "</DJ_PLAYLISTS>")
    monkeypatch.setattr(xml_file, "_MOST_ELEMENTS", 50)
    assert message(path) == "has more than 50 elements, the most that are read"
    monkeypatch.setattr(xml_file, "_MOST_BYTES", 100)
    assert "is larger than" in message(path)


def test_other_encodings(tmp_path: Path):
    text = REKORDBOX.format("Müsik") + "</DJ_PLAYLISTS>"
    for encoding in ("utf-8-sig", "utf-16", "iso-8859-1"):
        declared = f'<?xml version="1.0" encoding="{encoding.removesuffix("-sig")}"?>'
        (tmp_path / "a.xml").write_bytes((declared + text).encode(encoding))
        assert read_collection(tmp_path / "a.xml").tracks[0].title == "Müsik"


@pytest.mark.parametrize("write", [write_rekordbox, write_traktor])
def test_damaged_files_give_one_message_or_a_collection(tmp_path: Path, write):
    whole = write(tmp_path / f"whole{'.xml' if write is write_rekordbox else '.nml'}", full_collection()).read_bytes()
    draw = random.Random(7)
    path, errors = tmp_path / f"damaged{'.xml' if write is write_rekordbox else '.nml'}", 0
    for _ in range(100):
        content = bytearray(whole)
        for _ in range(draw.randint(1, 20)):
            at = draw.randrange(len(content))
            kind = draw.randrange(3)
            if kind == 0:
                content[at] = draw.randrange(256)
            elif kind == 1:
                del content[at : at + draw.randint(1, 200)]
            else:
                content[at:at] = bytes(draw.choice(whole) for _ in range(draw.randint(1, 50)))
        path.write_bytes(content)
        try:
            assert isinstance(read_collection(path), Collection)
        except PlaylistError as error:
            errors += 1
            assert str(error).startswith(f"{path}: line ") and "\n" not in str(error)
    assert errors > 50


@pytest.mark.parametrize("write", [write_rekordbox, write_traktor])
def test_cut_off_files(tmp_path: Path, write):
    path = write(tmp_path / f"a{'.xml' if write is write_rekordbox else '.nml'}", full_collection())
    whole = path.read_bytes().rstrip()
    draw = random.Random(7)
    for _ in range(50):
        path.write_bytes(whole[: draw.randrange(60, len(whole))])
        assert "the file ends before it is complete, so it was cut off" in message(path)


def test_damaged_values_are_noted(tmp_path: Path):
    draw = random.Random(3)
    names = ("TotalTime", "AverageBpm", "Year", "Rating", "DateAdded", "PlayCount", "Tonality", "TrackID", "Location")
    odd = [
        "",
        " ",
        "nan",
        "inf",
        "-1",
        "1e999",
        "9" * 400,
        "0x10",
        "1_0",
        "٣",
        "é",
        "1,5",
        "0000",
        "9" * 20,
    ]
    rows = []
    for _ in range(300):
        texts = "".join(f' {name}="{draw.choice(odd)}"' for name in names)
        start, kind, number = (draw.choice(odd) for _ in range(3))
        cue = f'<POSITION_MARK Start="{start}" Type="{kind}" Num="{number}"/><TEMPO Inizio="{start}" Bpm="{number}"/>'
        rows.append(f"<TRACK{texts}>{cue}</TRACK>\n")
    path = tmp_path / "a.xml"
    path.write_text(f"<DJ_PLAYLISTS><COLLECTION>{''.join(rows)}</COLLECTION></DJ_PLAYLISTS>")
    collection = read_collection(path)
    assert len(collection.tracks) == 300 and 100 < len(collection.problems) <= 1000
    write_traktor(tmp_path / "b.nml", collection)
    write_rekordbox(tmp_path / "b.xml", collection)
    assert len(read_collection(tmp_path / "b.nml").tracks) == len(read_collection(tmp_path / "b.xml").tracks) == 300


def test_reading_does_not_hold_the_file(tmp_path: Path):
    path = tmp_path / "a.xml"
    with open(path, "w") as file:
        file.write("<DJ_PLAYLISTS><COLLECTION>")
        for _ in range(20_000):
            file.write(f"<!-- {'x' * 200} --><UNKNOWN a='{'y' * 200}'/>\n")
        file.write("</COLLECTION></DJ_PLAYLISTS>")
    tracemalloc.start()
    read_collection(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert path.stat().st_size > 8_000_000 and peak < 2_000_000
