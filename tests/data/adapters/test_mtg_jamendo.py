import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from musicrec.data.adapters.mtg_jamendo import DATASET, FILES, TAGS, _archives, mtg_jamendo
from musicrec.data.adapters.source import DatasetSource
from musicrec.data.manifest import read_manifest
from musicrec.errors import ConfigError, ManifestError

HEADER = "TRACK_ID\tARTIST_ID\tALBUM_ID\tPATH\tDURATION\tTAGS"
NUMBERS = (101, 102, 103, 201, 301, 302)
TAGS_OF = {
    "autotagging": ("genre---rock", "instrument---piano", "mood/theme---happy"),
    "autotagging_top50tags": ("genre---rock", "instrument---piano", "mood/theme---happy"),
    "autotagging_genre": ("genre---rock",),
    "autotagging_instrument": ("instrument---piano",),
    "autotagging_moodtheme": ("mood/theme---happy",),
}


def parts(fold: int) -> dict[str, tuple[int, ...]]:
    """All folds differ."""
    numbers = NUMBERS[fold:] + NUMBERS[:fold]
    return {"train": numbers[:3], "validation": numbers[3:4], "test": numbers[4:]}


def row(number: int, *tags: str, artist: int | None = None) -> str:
    path = f"{number % 100:02}/{number}.mp3"
    return "\t".join(
        [f"track_{number:07}", f"artist_{artist or number:06}", f"album_{number:06}", path, "212.7", *tags]
    )


@pytest.fixture
def tree(tmp_path: Path, audio: Callable) -> Path:
    """The cloned repository of the dataset, with the audio beside its folder data/."""
    root = tmp_path / "jamendo"
    for fold in range(5):
        folder = root / "data" / "splits" / f"split-{fold}"
        folder.mkdir(parents=True)
        for part, numbers in parts(fold).items():
            for name, tags in TAGS_OF.items():
                lines = [HEADER, *(row(number, *tags[: 1 + number % 3]) for number in numbers)]
                (folder / f"{name}-{part}.tsv").write_text("\n".join(lines) + "\n")
    everything = [HEADER, *(row(number, "genre---rock") for number in (*NUMBERS, 999))]
    (root / "data" / "raw_30s.tsv").write_text("\n".join(everything) + "\n")
    for number in (*NUMBERS, 999):
        audio(root / "audio" / f"{number % 100:02}" / f"{number}.mp3")
    return root


def test_tags_after_the_sixth_column_are_read(tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    path = mtg_jamendo(root=tree, folder=tmp_path)
    assert path.name == "top50_split0.csv"
    rows = {item["track_id"]: item for item in read_manifest(path).to_dicts()}
    assert rows["track_0000101"]["tags"] == ["genre---rock", "instrument---piano", "mood/theme---happy"]
    assert rows["track_0000101"]["instruments"] == ["piano"]
    assert rows["track_0000102"]["instruments"] is None, "without an instrument tag they are not known"
    assert (rows["track_0000201"]["split"], rows["track_0000201"]["duration_s"]) == ("valid", 212.7)
    printed = capsys.readouterr().out
    assert "all: 6 tracks, expected 54,380 as published" in printed and "each in one split only" in printed
    assert "not in the annotations" not in printed, "999 is a track of the dataset, though not of this subset"


def test_subset_and_fold(tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    for subset, name in FILES.items():
        for fold in range(5) if subset == "top50" else (0, 3):
            frame = read_manifest(mtg_jamendo(root=tree, folder=tmp_path, subset=subset, fold=fold))
            expected = {f"track_{number:07}": part for part, numbers in parts(fold).items() for number in numbers}
            assert dict(frame.select("track_id", "split").iter_rows()) == {
                track: {"validation": "valid"}.get(part, part) for track, part in expected.items()
            }
            assert set(frame["tags"].explode()) == set(TAGS_OF[name]), name
            expected = f"tags: {len(TAGS_OF[name])} different labels, expected {TAGS[subset]} as published"
            assert expected in capsys.readouterr().out
    with pytest.raises(ConfigError, match=r"data.fold=5: choose 0, 1, 2, 3 or 4"):
        mtg_jamendo(root=tree, folder=tmp_path, fold=5)
    with pytest.raises(ConfigError, match=r"data.subset=rock: choose all, top50, genre, instrument or mood"):
        mtg_jamendo(root=tree, folder=tmp_path, subset="rock")
    (tree / "data" / "splits" / "split-1" / "autotagging_top50tags-train.tsv").unlink()
    with pytest.raises(ManifestError, match=r"no file data/splits/split-1/autotagging_top50tags-train.tsv below"):
        mtg_jamendo(root=tree, folder=tmp_path, fold=1)


def test_low_quality_audio_has_other_names(tree: Path, tmp_path: Path):
    for path in list((tree / "audio").rglob("*.mp3")):
        path.rename(path.with_suffix(".low.mp3"))
    (tree / "audio").rename(tree / "audio-low")
    frame = read_manifest(mtg_jamendo(root=tree, folder=tmp_path))
    assert frame["path"][0] == str(tree / "audio-low" / "01" / "101.low.mp3")
    for part in list((tree / "audio-low").iterdir()):
        part.rename(tree / part.name)
    frame = read_manifest(mtg_jamendo(root=tree, folder=tmp_path))
    assert frame["path"][0] == str(tree / "01" / "101.low.mp3"), "or beside data/"


def test_an_artist_in_two_splits_is_reported(tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    test = tree / "data" / "splits" / "split-0" / "autotagging_top50tags-test.tsv"
    test.write_text(f"{HEADER}\n{row(301, 'genre---rock', artist=101)}\n{row(302, 'genre---rock')}\n")
    mtg_jamendo(root=tree, folder=tmp_path)
    assert "1 of 5 artists in more than one split: artist_000101 (test, train)" in capsys.readouterr().out


ROW = row(101, "genre---rock")
LONG, PATH, TAG = ROW.replace("212.7", "long"), ROW.replace("01/101", "../101"), ROW.replace("---rock", "--")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<!DOCTYPE html>", r"-train.tsv: begins with '<!DOCTYPE html>', expected the columns TRACK_ID"),
        (
            f"{HEADER}\ntrack_0000101\tartist",
            r"-train.tsv: row 2: 'track_0000101.tartist' is not a track with its tags",
        ),
        (HEADER, r"-train.tsv: has a header but no rows; download the file again"),
        (
            f"{HEADER}\n{LONG}",
            r"-train.tsv: row 2, DURATION: 'long', expected a number of seconds; download the file",
        ),
        (f"{HEADER}\n{PATH}", r"-train.tsv: row 2, PATH: '../101.mp3', expected a path such as 14/214.mp3; download"),
        (f"{HEADER}\n{TAG}", r"-train.tsv: row 2, TAGS: 'genre--', expected a tag such as genre---rock; download"),
    ],
)
def test_damaged_lists_are_reported(tree: Path, tmp_path: Path, text: str, message: str):
    (tree / "data" / "splits" / "split-0" / "autotagging_top50tags-train.tsv").write_text(text)
    with pytest.raises(ManifestError, match=message.replace(".t", r".*t")):
        mtg_jamendo(root=tree, folder=tmp_path)


def test_text_that_is_not_utf8_is_reported(tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    with open(tree / "data" / "raw_30s.tsv", "ab") as file:
        file.write(b"track_1\tartist_\xe9\n")
    mtg_jamendo(root=tree, folder=tmp_path)
    printed = capsys.readouterr().out
    assert r"raw_30s.tsv: row 9: b'artist_\xe9' is not text in UTF-8; download the file again. Therefore" in printed
    assert "1 audio file not in the annotations, not used: 99/999.mp3" in printed
    with open(tree / "data" / "splits" / "split-0" / "autotagging_top50tags-test.tsv", "ab") as file:
        file.write(b"track_1\tartist_\xe9\n")
    with pytest.raises(
        ManifestError, match=r"-test.tsv: row 4: b'artist_.xe9' is not text in UTF-8; download the file again"
    ):
        mtg_jamendo(root=tree, folder=tmp_path)


def test_downloads_are_listed_in_the_repository(tree: Path, caplog: pytest.LogCaptureFixture):
    sums = tree / "data" / "download" / "raw_30s_audio-low_sha256_tars.txt"
    sums.parent.mkdir()
    checksum = hashlib.sha256(b"").hexdigest()
    sums.write_text("".join(f"{checksum} raw_30s_audio-low-{part:02}.tar\n" for part in range(100)))
    assert not _archives(DatasetSource(DATASET, tree)), "the small audio would lie beside the other for nothing"
    assert f"using the audio in {tree}/audio; data.download=true downloads nothing" in caplog.text
    (tree / "audio").rename(tree / "audio-low")
    archives = _archives(DatasetSource(DATASET, tree))
    assert len(archives) == 100
    assert archives[7].urls == ("https://cdn.freesound.org/mtg-jamendo/raw_30s/audio-low/raw_30s_audio-low-07.tar",)
    assert (archives[7].target, archives[7].inner) == ("audio-low/07", "07")
    assert archives[7].checksums == (f"sha256:{checksum}",)
    assert [archive.target for archive in archives if archive.is_present(tree)] == [
        f"audio-low/{part:02}" for part in sorted({number % 100 for number in (*NUMBERS, 999)})
    ]
    with open(sums, "a") as file:
        file.write(f"{checksum[:40]}\n")
    with pytest.raises(ManifestError, match=r"tars.txt: row 101: 'e3b.*', expected a SHA-256 sum and the name of an"):
        _archives(DatasetSource(DATASET, tree))


@pytest.mark.slow
def test_one_command_trains(tree: Path, train: Callable):
    assert "tags roc_auc" in train("data=mtg_jamendo", f"data.root={tree}")
