"""Tags in audio files of every container, as taggers and DJ software write them."""

import ast
import base64
import os
import struct
from pathlib import Path

import mutagen
import numpy as np
import polars as pl
import pytest
import soundfile
from mutagen.apev2 import APEv2
from mutagen.id3 import ID3, TBPM, TCON, TIT2, TKEY, TPE1, TXXX
from mutagen.mp4 import MP4, MP4FreeForm

from musicrec.audio.file_header import read_header
from musicrec.audio.file_tags import read_tags
from musicrec.data.estimate import estimate
from musicrec.errors import AudioError

MIXED_IN_KEY = base64.b64encode(b'{"algorithm":94,"key":"11A","source":"mixedinkey"}').decode()


def audio(path: Path) -> Path:
    kinds = {".mp3": "MP3", ".ogg": "OGG", ".flac": "FLAC", ".wav": "WAV", ".aiff": "AIFF"}
    soundfile.write(path, np.zeros(4410), 44_100, format=kinds[path.suffix])
    return path


def m4a(path: Path) -> Path:
    """Write an MP4 file with the boxes that a tagger reads, without samples."""

    def box(name: bytes, *content: bytes) -> bytes:
        inside = b"".join(content)
        return struct.pack(">I", 8 + len(inside)) + name + inside

    media = box(b"mdhd", struct.pack(">IIIIII", 0, 0, 0, 1000, 2500, 0)), box(b"hdlr", bytes(8) + b"soun" + bytes(13))
    empty = box(b"stsd", struct.pack(">II", 0, 0))
    track = box(b"trak", box(b"mdia", *media, box(b"minf", box(b"stbl", empty))))
    movie = box(b"mvhd", struct.pack(">IIIII", 0, 0, 0, 1000, 2500) + bytes(80))
    path.write_bytes(box(b"ftyp", b"M4A \0\0\0\0") + box(b"moov", movie, track))
    return path


def read(path: Path) -> dict:
    (row,) = read_tags([str(path)]).to_dicts()
    return row


def test_damaged_comments_are_one_problem_with_the_name_of_the_file(tmp_path: Path):
    """The header states 1,000 comments and holds one."""
    path = audio(tmp_path / "a.ogg")
    content, comment = path.read_bytes(), b"ENCODER=libsndfile"
    one = struct.pack("<II", 1, len(comment)) + comment
    assert one in content
    path.write_bytes(content.replace(one, struct.pack("<II", 1000, len(comment)) + comment))
    with pytest.raises(AudioError, match=r"a\.ogg: tags cannot be read \(damaged: "):
        read_header(path)
    row = read(path)
    assert row["problem"].startswith("tags cannot be read (damaged: ") and row["artist"] is None
    files = pl.DataFrame({"path": [str(path)], "size": [1]})
    assert estimate(files, sample_rate=16_000, workers=1, timed=False).audio_s == 0


def test_a_comment_that_is_too_long_by_a_byte(tmp_path: Path):
    path = audio(tmp_path / "a.ogg")
    content, comment = path.read_bytes(), b"ENCODER=libsndfile"
    longer = struct.pack("<I", len(comment) + 1) + comment
    path.write_bytes(content.replace(struct.pack("<I", len(comment)) + comment, longer))
    row = read(path)
    assert (row["artist"], row["problem"]) == (None, None)


@pytest.mark.parametrize("suffix", [".mp3", ".wav", ".aiff"])
def test_id3(tmp_path: Path, suffix: str):
    file = mutagen.File(audio(tmp_path / f"a{suffix}"))
    if file.tags is None:
        file.add_tags()
    for frame in (
        TPE1(text=["Ada"]),
        TIT2(text=["One"]),
        TCON(text=["(17)"]),
        TBPM(text=["128.50"]),
        TKEY(text=["Am"]),
    ):
        file.tags.add(frame)
    file.save()
    row = read(tmp_path / f"a{suffix}")
    assert (row["artist"], row["title"], row["genre"]) == ("Ada", "One", "Rock"), "(17) is ID3v1's number of Rock"
    assert (row["bpm"], row["key"], row["mode"], row["problem"]) == (128.5, 9, "minor", None)
    assert row["duration_s"] == pytest.approx(0.1, abs=0.06)


@pytest.mark.parametrize("suffix", [".flac", ".ogg"])
def test_vorbis_comments(tmp_path: Path, suffix: str):
    file = mutagen.File(audio(tmp_path / f"a{suffix}"))
    file["ARTIST"], file["Album"], file["genre"], file["BPM"] = "Bo", "First", ["Drum & Bass", "Jungle"], "174"
    file["INITIALKEY"] = "5A"
    file.save()
    row = read(tmp_path / f"a{suffix}")
    assert (row["artist"], row["album"], row["genre"], row["bpm"]) == ("Bo", "First", "Drum & Bass", 174.0)
    assert (row["key"], row["mode"]) == (0, "minor"), "5A is C minor"


def test_an_impossible_length_counts_as_missing(tmp_path: Path):
    soundfile.write(tmp_path / "a.wav", np.zeros(4), 8000)
    assert read(tmp_path / "a.wav")["duration_s"] is None, "half a millisecond, which a manifest refuses"


def test_mp4(tmp_path: Path):
    file = MP4(m4a(tmp_path / "a.m4a"))
    file["©ART"], file["©gen"], file["tmpo"] = "Cy", "House", [124]
    file["----:com.apple.iTunes:initialkey"] = [MP4FreeForm(b"F#m")]
    file.save()
    row = read(tmp_path / "a.m4a")
    assert (row["artist"], row["genre"], row["bpm"], row["key"], row["mode"]) == ("Cy", "House", 124.0, 6, "minor")
    assert row["duration_s"] == 2.5


@pytest.mark.parametrize(
    ("text", "expected"),
    [("Am", (9, "minor")), ("A minor", (9, "minor")), ("8A", (9, "minor")), ("08A", (9, "minor")), ("1m", (9, "minor")),
     ("8m", (10, "minor")), ("C", (0, "major")), ("Dbmaj", (1, "major")), ("8B - Energy 6", (0, "major")),
     ("12d", (5, "major")), ("A#m/Fm", (10, "minor")), ("o", (None, None)),
     ("8A (Am)", (9, "minor")), ("Am (8A)", (9, "minor")), ("(Am)", (9, "minor")), ("Am 8A", (9, "minor")),
     ("A#m +50", (10, "minor")), ("A#m -12 cents", (10, "minor")), ("04B -50cents", (8, "major")),
     ("8A/3B", (9, "minor")), ("8A, 3B", (9, "minor")), ("8A - 7", (9, "minor")), ("8a", (9, "minor")),
     ("6d", (11, "major")), ("A moll", (9, "minor")), ("Cis-Dur", (1, "major")), ("B-Dur", (10, "major")),
     ("H-Dur", (11, "major")), ("La mineur", (9, "minor")), ("F♯ minor", (6, "minor")), ("A-minor", (9, "minor")),
     ("G#/Ab min", (8, "minor")), ("C/G min", (0, "major")), ("All", (None, None)), ("-", (None, None)),
     ("off key", (None, None)), (MIXED_IN_KEY, (6, "minor"))],
)  # fmt: skip
def test_keys_of_dj_software(tmp_path: Path, text: str, expected: tuple):
    tags = ID3()
    tags.add(TKEY(text=[text]))
    tags.save(audio(tmp_path / "a.mp3"))
    row = read(tmp_path / "a.mp3")
    assert (row["key"], row["mode"], row["problem"]) == (*expected, None)


def test_an_unreadable_tag_is_a_missing_label_and_is_reported(tmp_path: Path):
    tags = ID3()
    for frame in (TBPM(text=["fast"]), TKEY(text=["H dorian"]), TXXX(desc="KEY", text=["8A"])):
        tags.add(frame)
    tags.save(audio(tmp_path / "a.mp3"))
    row = read(tmp_path / "a.mp3")
    assert (row["bpm"], row["key"], row["problem"]) == (None, None, "BPM 'fast', key 'H dorian'")
    tags = ID3()
    tags.add(TBPM(text=["0"]))  # some software writes 0 for an unknown tempo
    tags.save(audio(tmp_path / "b.mp3"))
    assert read(tmp_path / "b.mp3")["problem"] is None
    (tmp_path / "c.mp3").write_bytes(b"no music")
    (tmp_path / "d.flac").write_bytes(b"fLaC" + bytes(3))
    assert [read(tmp_path / name)["genre"] for name in ("c.mp3", "d.flac")] == [None, None]
    for name in ("c.mp3", "d.flac"):
        assert read(tmp_path / name)["problem"] == "tags cannot be read (no header of its format)"


@pytest.mark.parametrize("text", ["8Am", "13A", "A dorian", "fast", "8", "eyJx"])
def test_keys_that_cannot_be_read_are_remarks(tmp_path: Path, text: str):
    tags = ID3()
    tags.add(TKEY(text=[text]))
    tags.save(audio(tmp_path / "a.mp3"))
    row = read(tmp_path / "a.mp3")
    assert (row["key"], row["mode"], row["problem"]) == (None, None, f"key {text!r}")


@pytest.mark.parametrize(
    ("text", "bpm"),
    [("128", 128.0), ("128.00", 128.0), ("128,5", 128.5), ("128 BPM", 128.0), ('"128 bpm"', 128.0), ("128.", 128.0),
     ("12800", 128.0), ("0", None), ("0.00", None), ("000", None)],
)  # fmt: skip
def test_tempos_as_programs_write_them(tmp_path: Path, text: str, bpm: float | None):
    tags = ID3()
    tags.add(TBPM(text=[text]))
    tags.save(audio(tmp_path / "a.mp3"))
    row = read(tmp_path / "a.mp3")
    assert (row["bpm"], row["problem"]) == (bpm, None)


@pytest.mark.parametrize("text", ["1280", "-128", "nan", "inf", "120-130", "1e2", "9" * 400])
def test_tempos_that_cannot_be_read_are_remarks(tmp_path: Path, text: str):
    tags = ID3()
    tags.add(TBPM(text=[text]))
    tags.save(audio(tmp_path / "a.mp3"))
    row = read(tmp_path / "a.mp3")
    assert (row["bpm"], row["problem"]) == (None, f"BPM {text[:80]!r}")


@pytest.mark.parametrize("name", ["INITIAL KEY", "InitialKey", "initialkey", "initial_key", "key", "Key"])
@pytest.mark.parametrize("suffix", [".mp3", ".wav", ".flac", ".ogg", ".m4a"])
def test_names_of_fields_in_any_case(tmp_path: Path, name: str, suffix: str):
    path = tmp_path / f"a{suffix}"
    file = MP4(m4a(path)) if suffix == ".m4a" else mutagen.File(audio(path))
    if suffix == ".m4a":
        file[f"----:com.apple.iTunes:{name}"] = [MP4FreeForm(b"8A")]
        file["----:com.apple.iTunes:bpm"] = [MP4FreeForm(b"120")]
    elif suffix in (".flac", ".ogg"):
        file[name], file["Bpm"] = "8A", "120"
    else:
        if file.tags is None:
            file.add_tags()
        file.tags.add(TXXX(desc=name, text=["8A"]))
        file.tags.add(TXXX(desc="bpm", text=["120"]))
    file.save()
    row = read(path)
    assert (row["key"], row["mode"], row["bpm"], row["problem"]) == (9, "minor", 120.0, None)


def wma(path: Path, fields: dict[str, str]) -> Path:
    """Write an ASF header that states 3 s, with tags as Windows Media Player writes them."""

    def entry(guid: str, content: bytes) -> bytes:
        return bytes.fromhex(guid) + struct.pack("<Q", 24 + len(content)) + content

    def text(value: str) -> bytes:
        return f"{value}\0".encode("utf-16le")

    tags = struct.pack("<H", len(fields))
    for name, value in fields.items():
        tags += struct.pack("<H", len(text(name))) + text(name)
        tags += struct.pack("<HH", 0, len(text(value))) + text(value)
    about = bytes(40) + struct.pack("<QQQ", 35_000_000, 35_000_000, 500) + bytes(16)  # 3.5 s with 0.5 s of preroll
    inside = entry("40a4d0d207e3d21197f000a0c95ea850", tags) + entry("a1dcab8c47a9cf118ee400c00c205365", about)
    path.write_bytes(entry("3026b2758e66cf11a6d900aa0062ce6c", struct.pack("<IBB", 2, 1, 2) + inside))
    return path


def test_wma(tmp_path: Path):
    fields = {"WM/Genre": "House", "WM/BeatsPerMinute": "124", "WM/InitialKey": "8A (Am)", "WM/AlbumTitle": "Nights"}
    row = read(wma(tmp_path / "a.wma", fields))
    assert (row["genre"], row["bpm"], row["key"], row["mode"], row["album"]) == ("House", 124.0, 9, "minor", "Nights")
    assert (row["duration_s"], row["problem"]) == (3.0, None)


@pytest.mark.parametrize("suffix", [".wv", ".ape", ".mp3"])
@pytest.mark.parametrize("after", [b"", b"TAG" + bytes(124) + b"\xff"])
def test_ape(tmp_path: Path, suffix: str, after: bytes):
    path = tmp_path / f"a{suffix}"
    audio(path) if suffix == ".mp3" else path.write_bytes(b"wvpk" + bytes(100))
    tags = APEv2()
    tags["Artist"], tags["Genre"], tags["BPM"], tags["Initial Key"] = "Dé", ["Techno", "House"], "130", "A#m +50"
    tags.save(path)
    path.write_bytes(path.read_bytes() + after)
    row = read(path)
    assert (row["artist"], row["genre"], row["bpm"], row["key"]) == ("Dé", "Techno", 130.0, 10)
    assert row["problem"] is None


def test_a_damaged_ape_tag(tmp_path: Path):
    path = tmp_path / "a.wv"
    path.write_bytes(b"wvpk" + bytes(100) + b"APETAGEX" + struct.pack("<IIII", 2000, 1 << 31, 9, 0) + bytes(8))
    assert read(path)["problem"] == "tags cannot be read (damaged: the APE tag states an impossible length)"


@pytest.mark.parametrize("major", [3, 4])
def test_unsynchronised_id3(tmp_path: Path, major: int):
    """Older taggers add a zero after every 0xFF, also after that of a byte order mark."""

    def frame(name: bytes, text: str) -> bytes:
        content = b"\x01\xff\xfe" + text.encode("utf-16le")
        if major == 3:
            return name + struct.pack(">I", len(content)) + bytes(2) + content
        size = len(content)
        content = content.replace(b"\xff", b"\xff\0")
        return name + struct.pack(">I", len(content) + 4) + b"\0\x03" + struct.pack(">I", size) + content

    body = frame(b"TPE1", "Adaÿ") + frame(b"TKEY", "8A") + frame(b"TCON", "House")
    if major == 3:
        body = body.replace(b"\xff", b"\xff\0")
    path = audio(tmp_path / "a.mp3")
    header = b"ID3" + bytes([major, 0, 0x80, 0, 0, len(body) >> 7, len(body) & 0x7F])
    path.write_bytes(header + body + path.read_bytes())
    row = read(path)
    assert (row["artist"], row["genre"], row["key"], row["problem"]) == ("Adaÿ", "House", 9, None)
    assert mutagen.File(path).tags["TPE1"].text == ["Adaÿ"]
    assert row["duration_s"] == pytest.approx(0.1, abs=0.06)


def test_a_wrong_suffix(tmp_path: Path):
    audio(tmp_path / "a.flac")
    file = mutagen.File(tmp_path / "a.flac")
    file["artist"] = "Eve"
    file.save()
    (tmp_path / "a.flac").rename(tmp_path / "a.mp3")
    assert read(tmp_path / "a.mp3")["artist"] == "Eve"


def test_tags_of_a_file_without_a_length(tmp_path: Path):
    """Zeros after the tag are searched for a sync word, but not all 40 MB of them, and the tags are kept."""
    tags = ID3()
    tags.add(TPE1(text=["Ada"]))
    tags.save(tmp_path / "a.mp3")
    with open(tmp_path / "a.mp3", "ab") as file:
        file.truncate(40_000_000)
    row = read(tmp_path / "a.mp3")
    assert (row["artist"], row["duration_s"]) == ("Ada", None)


def test_only_regular_files_are_opened(tmp_path: Path):
    os.mkfifo(tmp_path / "a.mp3")
    assert read(tmp_path / "a.mp3")["problem"] == "tags cannot be read (not a regular file)"
    assert read(tmp_path / "no.mp3")["problem"] == "tags cannot be read (No such file or directory)"


@pytest.mark.parametrize("suffix", [".mp3", ".flac", ".ogg", ".wav", ".aiff", ".m4a", ".wma", ".wv"])
def test_damage_is_a_value_or_a_problem(tmp_path: Path, suffix: str):
    path = tmp_path / f"a{suffix}"
    if suffix == ".wma":
        wma(path, {"WM/Genre": "House"})
    elif suffix == ".wv":
        path.write_bytes(b"wvpk" + bytes(40))
        tags = APEv2()
        tags["Genre"] = "House"
        tags.save(path)
    else:
        file = MP4(m4a(path)) if suffix == ".m4a" else mutagen.File(audio(path))
        if suffix in (".flac", ".ogg", ".m4a"):
            file["©gen" if suffix == ".m4a" else "genre"] = "House"
        else:
            if file.tags is None:
                file.add_tags()
            file.tags.add(TCON(text=["House"]))
        file.save()
    assert read(path)["genre"] == "House"
    whole, generator = path.read_bytes(), np.random.default_rng(1)
    for _ in range(100):
        content = bytearray(whole[: generator.integers(1, len(whole) + 1)])
        for place in generator.integers(0, len(content), generator.integers(1, 8)):
            content[place] = generator.integers(256)
        path.write_bytes(content)
        row = read(path)
        assert row["problem"] is None or isinstance(row["problem"], str)


def test_the_package_does_not_import_mutagen():
    """mutagen, under the GPL, writes the tags of these tests and is no part of the package."""
    files = list((Path(__file__).parents[2] / "musicrec").rglob("*.py"))
    assert len(files) > 100
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            imported = node.names if isinstance(node, (ast.Import, ast.ImportFrom)) else ()
            names = [*(alias.name for alias in imported), getattr(node, "module", None) or ""]
            assert not any(name.split(".")[0] == "mutagen" for name in names), file
