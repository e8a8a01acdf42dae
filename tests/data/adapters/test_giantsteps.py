from collections.abc import Callable
from pathlib import Path

import pytest

from musicrec.data.adapters.giantsteps import TEMPO, _archives, giantsteps_key, giantsteps_tempo
from musicrec.data.adapters.source import DatasetSource
from musicrec.data.manifest import read_manifest
from musicrec.errors import ManifestError

TEMPOS = {"1030011": "132", "1084986": "141.5", "3041381": "0.0", "906760": "174"}
KEYS = {"10089": "C minor", "1004923": "Eb major", "61415": "F# minor", "74982": "A minor"}


@pytest.fixture
def tempo_tree(tmp_path: Path, audio: Callable) -> Path:
    """The cloned repository, with the audio that its script downloads."""
    root = tmp_path / "giantsteps-tempo-dataset"
    for folder in ("annotations/tempo", "annotations_v2/tempo", "annotations/genre", "md5"):
        (root / folder).mkdir(parents=True)
    for number, tempo in TEMPOS.items():
        (root / "annotations_v2" / "tempo" / f"._{number}.LOFI.bpm").write_bytes(b"of a Mac \xff")
        audio(root / "audio" / f"{number}.LOFI.mp3")
        (root / "annotations_v2" / "tempo" / f"{number}.LOFI.bpm").write_text(tempo)
        (root / "annotations" / "tempo" / f"{number}.LOFI.bpm").write_text("120\n")
    (root / "annotations" / "genre" / "1030011.LOFI.genre").write_text("progressive-house")
    (root / "md5" / "1030011.LOFI.md5").write_text("d5bb1088f724114ad1b1acfb8260db50\n")
    return root


@pytest.fixture
def key_tree(tmp_path: Path, audio: Callable) -> Path:
    root = tmp_path / "giantsteps-key-dataset"
    (root / "annotations" / "key").mkdir(parents=True)
    for number, key in KEYS.items():
        audio(root / "audio" / f"{int(number):07}.LOFI.mp3")
        (root / "annotations" / "key" / f"{number}.LOFI.key").write_text(key)
    return root


def test_tempo(tempo_tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    rows = {
        row["track_id"]: row for row in read_manifest(giantsteps_tempo(root=tempo_tree, folder=tmp_path)).to_dicts()
    }
    assert {number: row["bpm"] for number, row in rows.items()} == {"1030011": 132, "1084986": 141.5, "906760": 174}
    assert {row["split"] for row in rows.values()} == {"test"}
    assert (rows["1030011"]["genre"], rows["1084986"]["genre"]) == ("progressive-house", None)
    assert (rows["906760"]["duration_s"], rows["1030011"]["duration_s"]) == (62, 120), "the README names the short ones"
    printed = capsys.readouterr().out
    assert (
        "1 excerpt without a tempo, left out: 3041381" in printed
        and "test: 3 tracks, expected 661 as published" in printed
    )


def test_first_annotations_give_every_excerpt_a_tempo(tempo_tree: Path, tmp_path: Path):
    frame = read_manifest(giantsteps_tempo(root=tempo_tree, folder=tmp_path, version=1))
    assert frame["bpm"].to_list() == [120] * 4


def test_key(key_tree: Path, tmp_path: Path):
    rows = {row["track_id"]: row for row in read_manifest(giantsteps_key(root=key_tree, folder=tmp_path)).to_dicts()}
    assert {number: (row["key"], row["mode"]) for number, row in rows.items()} == {
        "10089": (0, "minor"), "1004923": (3, "major"), "61415": (6, "minor"), "74982": (9, "minor"),
    }  # fmt: skip
    assert rows["10089"]["path"].endswith("/audio/0010089.LOFI.mp3"), "copies differ in leading zeros"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "annotations_v2/tempo/906760.LOFI.bpm",
            b"fast",
            r"906760.LOFI.bpm: 'fast' is not a tempo; download the file again",
        ),
        ("annotations_v2/tempo/906760.LOFI.bpm", b"", r"906760.LOFI.bpm: '' is not a tempo; download"),
        ("annotations_v2/tempo/906760.LOFI.bpm", b"nan", r"906760.LOFI.bpm: 'nan' is not a tempo; download"),
        ("annotations_v2/tempo/906760.LOFI.bpm", b"-120", r"906760.LOFI.bpm: '-120' is not a tempo; download"),
        ("annotations_v2/tempo/906760.LOFI.bpm", b"inf", r"906760.LOFI.bpm: 'inf' is not a tempo; download"),
        ("annotations_v2/tempo/906760.LOFI.bpm", b"\xff1", r"906760.LOFI.bpm: b'.xff1' is not text in UTF-8; download"),
        ("annotations/genre/906760.LOFI.genre", b"\xe9", r"906760.LOFI.genre: b'.xe9' is not text in UTF-8; download"),
        ("annotations_v2/tempo/5.LOFI.bpm", b"120", r"no file 5.LOFI.mp3 below .*/audio"),
    ],
)
def test_damage_is_reported(tempo_tree: Path, tmp_path: Path, name: str, text: bytes, message: str):
    (tempo_tree / name).write_bytes(text)
    with pytest.raises(ManifestError, match=message):
        giantsteps_tempo(root=tempo_tree, folder=tmp_path)


def test_an_invalid_key_is_reported(key_tree: Path, tmp_path: Path):
    (key_tree / "annotations" / "key" / "10089.LOFI.key").write_text("X moll")
    with pytest.raises(ManifestError, match=r"10089.LOFI.key: 'X moll' is not a key; download the file again"):
        giantsteps_key(root=key_tree, folder=tmp_path)
    (key_tree / "annotations" / "key" / "10089.LOFI.key").write_text("C")
    with pytest.raises(ManifestError, match=r"10089.LOFI.key: 'C' is not a key; download the file again"):
        giantsteps_key(root=key_tree, folder=tmp_path)
    with pytest.raises(ManifestError, match=r"giantsteps_key: data.root is not set.*\n(.*\n)*.*git clone"):
        giantsteps_key(root=None, folder=tmp_path)


def test_downloads_are_listed_in_the_repository(tempo_tree: Path):
    assert not _archives(DatasetSource(TEMPO, tempo_tree)), "it is there"
    (tempo_tree / "audio").rename(tempo_tree / "wav")
    (tempo_tree / "wav" / "1084986.LOFI.mp3").rename(tempo_tree / "wav" / "01084986.LOFI.wav")
    (tempo_tree / "md5" / "1084986.LOFI.md5").write_text("d5bb1088f724114ad1b1acfb8260db51\n")
    assert not _archives(DatasetSource(TEMPO, tempo_tree)), "in another folder, under another name"
    (tempo_tree / "wav" / "1030011.LOFI.mp3").unlink()
    (archive,) = _archives(DatasetSource(TEMPO, tempo_tree))
    assert archive.urls == ("https://www.cp.jku.at/datasets/giantsteps/backup/1030011.LOFI.mp3",)
    assert archive.checksums == ("md5:d5bb1088f724114ad1b1acfb8260db50",)
    assert archive.target == "wav/1030011.LOFI.mp3", "where the others are"
    (tempo_tree / "md5" / "1030011.LOFI.md5").write_text("")
    with pytest.raises(ManifestError, match=r"1030011.LOFI.md5: '' is not an MD5 sum; download the file again"):
        _archives(DatasetSource(TEMPO, tempo_tree))


@pytest.mark.slow
def test_commands(tempo_tree: Path, key_tree: Path, train: Callable, program: Callable, tmp_path: Path):
    """The datasets have no training tracks; training on the test tracks shows that they can be read."""
    splits = ("data.train_split=test", "data.valid_split=test")
    assert "tempo acc1" in train("data=giantsteps_tempo", f"data.root={tempo_tree}", *splits)
    tested = program(
        "evaluate.py", f"export={tmp_path}/run/export", "data=giantsteps_tempo", f"data.root={tempo_tree}",
        "bootstrap=null", "plots=false", f"paths.cache={tmp_path}/cache", f"hydra.run.dir={tmp_path}/report",
    )  # fmt: skip
    assert "tempo acc1" in tested.stdout
    assert "no readable track has split 'train'" in train("data=giantsteps_key", f"data.root={key_tree}", status=1)
    assert "key accuracy" in train("data=giantsteps_key", f"data.root={key_tree}", *splits)
