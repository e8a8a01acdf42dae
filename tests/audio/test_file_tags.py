"""Tags in audio files of every container, as taggers and DJ software write them."""

import struct
from pathlib import Path

import mutagen
import numpy as np
import polars as pl
import pytest
import soundfile
from mutagen.id3 import ID3, TBPM, TCON, TIT2, TKEY, TPE1, TXXX
from mutagen.mp4 import MP4, MP4FreeForm

from musicrec.audio.file_tags import read_tags
from musicrec.data.estimate import estimate


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
    path.write_bytes(box(b"ftyp", b"M4A \0\0\0\0") + box(b"moov", track))
    return path


def read(path: Path) -> dict:
    (row,) = read_tags([str(path)]).to_dicts()
    return row


def test_damage_that_mutagen_does_not_expect(tmp_path: Path):
    """A comment states one byte more than there is, and mutagen 1.47 raises IndexError."""
    path = audio(tmp_path / "a.ogg")
    content, comment = path.read_bytes(), b"ENCODER=libsndfile"
    assert comment in content
    longer = struct.pack("<I", len(comment) + 1) + comment
    path.write_bytes(content.replace(struct.pack("<I", len(comment)) + comment, longer))
    row = read(path)
    assert row["problem"].startswith("tags cannot be read (damaged: ") and row["artist"] is None
    files = pl.DataFrame({"path": [str(path)], "size": [1]})
    assert estimate(files, sample_rate=16_000, workers=1, timed=False).audio_s == 0


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
     ("12d", (5, "major")), ("A#m/Fm", (10, "minor")), ("o", (None, None))],
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
    assert "cannot be read" in read(tmp_path / "d.flac")["problem"]
