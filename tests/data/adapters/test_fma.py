import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from musicrec.data.adapters.fma import SHORT, fma
from musicrec.data.manifest import read_manifest
from musicrec.errors import ManifestError

COLUMNS = [
    ("album", "id"), ("album", "title"), ("artist", "id"), ("artist", "name"), ("set", "split"), ("set", "subset"),
    ("track", "duration"), ("track", "genre_top"), ("track", "genres"), ("track", "title"),
]  # fmt: skip
# (id, artist, split, subset, top genre, genres)
TRACKS = [
    (2, 1, "training", "small", "Hip-Hop", "[21]"),
    (5, 1, "training", "small", "Rock", "[25]"),
    (140, 2, "training", "small", "Rock", "[12]"),
    (141, 3, "validation", "small", "Rock", "[25]"),
    (148, 4, "test", "small", "Hip-Hop", "[21]"),
    (98565, 5, "training", "small", "Rock", "[12]"),
    (133297, 6, "training", "small", "Rock", "[12]"),
    (200, 7, "training", "medium", "Blues", "[3]"),
    (300, 8, "training", "large", "", "[25, 21]"),
]
GENRES = [(3, 0, "Blues"), (12, 0, "Rock"), (21, 0, "Hip-Hop"), (85, 12, "Garage"), (25, 85, "Punk")]


@pytest.fixture
def tree(tmp_path: Path, audio: Callable) -> Path:
    """Write fma_metadata/ and fma_small/ as in the archives, with the header of three rows."""
    root = tmp_path / "FMA"
    (root / "fma_metadata").mkdir(parents=True)
    with open(root / "fma_metadata" / "tracks.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["", *(group for group, _ in COLUMNS)])
        writer.writerow(["", *(name for _, name in COLUMNS)])
        writer.writerow(["track_id", *([""] * len(COLUMNS))])
        for track, artist, split, subset, top, genres in TRACKS:
            title = f'A "quoted", two-line\ntitle {track}'
            writer.writerow([track, artist, "Album", artist, "The Same Name", split, subset, 217, top, genres, title])
    lines = ["genre_id,#tracks,parent,title,top_level", *(f"{i},1,{parent},{title},12" for i, parent, title in GENRES)]
    (root / "fma_metadata" / "genres.csv").write_text("\n".join(lines) + "\n")
    for track, *_ in TRACKS[:5]:
        audio(root / "fma_small" / f"{track:06}"[:3] / f"{track:06}.mp3")
    audio(root / "fma_small" / "098" / "098565.mp3", duration_s=1.6)
    (root / "fma_small" / "133").mkdir()
    (root / "fma_small" / "133" / "133297.mp3").write_bytes(b"ID3" + bytes(1749))
    return root


def test_small(tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    rows = {row["track_id"]: row for row in read_manifest(fma(root=tree, folder=tmp_path)).to_dicts()}
    assert set(rows) == {"000002", "000005", "000140", "000141", "000148"}
    assert (rows["000141"]["split"], rows["000141"]["genre"]) == ("valid", "Rock")
    assert rows["000005"]["tags"] == ["Punk", "Garage", "Rock"], "a genre, and all above it"
    assert rows["000002"]["title"] == 'A "quoted", two-line\ntitle 2'
    printed = capsys.readouterr().out
    assert "2 files known to be damaged, left out: 098565 (1.6 s of 30 s), 133297 (" in printed
    assert (
        "train: 3 tracks, expected 6,400 as published" in printed
        and "genre: 2 different labels, expected 8 as published" in printed
    )
    assert "4 artists, each in one split only" in printed, "artists of the same name are told apart by their number"


def test_clips_that_are_damaged_in_the_archive(
    tree: Path, tmp_path: Path, audio: Callable, capsys: pytest.CaptureFixture
):
    """Three known clips of two seconds and three unreadable ones are left out.

    A short clip that is not on the list is used, and so is a clip on the list that is whole in this copy.
    """
    short, unreadable, whole = (98565, 98567, 98569), (99134, 108925, 133297), 98571
    assert {*short, *unreadable, whole} < set(SHORT)
    add_rows(tree, *((track, track, "training", "small", "Rock", "[12]") for track in (*short, *unreadable, whole)
                     if track not in (98565, 133297)))  # fmt: skip
    for track in short:
        audio(tree / "fma_small" / "098" / f"{track:06}.mp3", duration_s=1.6)
    audio(tree / "fma_small" / "098" / "098571.mp3", duration_s=15.1)
    for track in unreadable:
        path = tree / "fma_small" / f"{track:06}"[:3] / f"{track:06}.mp3"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"ID3" + bytes(1749))
    rows = read_manifest(fma(root=tree, folder=tmp_path))
    assert set(rows["track_id"]) == {"000002", "000005", "000140", "000141", "000148", "098571"}
    (line,) = (line for line in capsys.readouterr().out.splitlines() if "known to be damaged" in line)
    assert line.startswith(
        "  note     6 files known to be damaged, left out: 098565 (1.6 s of 30 s), 133297 (not audio"
    )
    listed = (tmp_path / "fma" / "small_top.checks.txt").read_text()
    for track in (*short, *unreadable):
        assert f"\n             {track:06} (" in listed


def add_rows(tree: Path, *tracks: tuple) -> None:
    with open(tree / "fma_metadata" / "tracks.csv", "a", newline="") as file:
        for track, artist, split, subset, top, genres in tracks:
            csv.writer(file).writerow(
                [track, artist, "Album", artist, "The Same Name", split, subset, 217, top, genres, "Title"]
            )


def test_large_and_all_genres(tree: Path, tmp_path: Path, audio: Callable):
    (tree / "fma_small").rename(tree / "fma_large")
    for track in (200, 300):
        audio(tree / "fma_large" / "000" / f"{track:06}.mp3")
    assert read_manifest(fma(root=tree, folder=tmp_path, subset="large")).height == 6
    every = read_manifest(fma(root=tree, folder=tmp_path, subset="large", genres="all"))
    assert every.height == 7
    without_top = every.filter(track_id="000300").row(0, named=True)
    (tree / "fma_large").rename(tree / "fma_full")
    full = read_manifest(fma(root=tree, folder=tmp_path, subset="full"))
    assert (full["duration_s"][0], every["duration_s"][0]) == (217, 30), "whole tracks, and clips of them"
    assert without_top["genre"] is None and without_top["tags"] == ["Punk", "Garage", "Rock", "Hip-Hop"]


def test_tables_may_lie_beside_the_music(tree: Path, tmp_path: Path):
    for name in ("tracks.csv", "genres.csv"):
        (tree / "fma_metadata" / name).rename(tree / name)
    assert read_manifest(fma(root=tree, folder=tmp_path)).height == 5


def test_copies_may_have_one_more_folder(tree: Path, tmp_path: Path):
    for name in ("fma_metadata", "fma_small"):
        (tree / name).rename(tree / "moved")
        (tree / name).mkdir()
        (tree / "moved").rename(tree / name / name)
    assert read_manifest(fma(root=tree, folder=tmp_path, download=True)).height == 5, "nothing is fetched, either"


def test_damage_is_reported(tree: Path, tmp_path: Path, audio: Callable, capsys: pytest.CaptureFixture):
    with pytest.raises(ManifestError, match=r"no file or folder like fma_medium/\[0-9\]"):
        fma(root=tree, folder=tmp_path, subset="medium")
    audio(tree / "fma_small" / "009" / "009999.mp3")
    fma(root=tree, folder=tmp_path)
    assert "1 audio file not in the annotations, not used: 009/009999.mp3" in capsys.readouterr().out
    tracks = tree / "fma_metadata" / "tracks.csv"
    tracks.write_text(tracks.read_text().replace("genre_top", "genre"))
    with pytest.raises(ManifestError, match=r"tracks.csv: has no column \(track, genre_top\)"):
        fma(root=tree, folder=tmp_path)
    tracks.write_text("track_id,genre\n2,Rock\n")
    with pytest.raises(ManifestError, match="its header should have three rows"):
        fma(root=tree, folder=tmp_path)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: text[: text.index("set,set")], r"has no column \(set, split\), .*header should have three rows"),
        (lambda text: "\n".join(text.splitlines()[:3]), r"has a header but no rows"),
        (lambda text: text[: text.index("title 148")], r"row 8: a quotation mark is wrong, or the file is cut off"),
        (lambda text: text[: text.rindex("Hip-Hop,[21],")], r"row 8: 9 cells, expected 11"),
        (lambda text: text.replace('"[25, 21]"', '"[25, 2"'), r"row 12, \(track, genres\): '\[25, 2', expected a list"),
        (lambda text: text.replace(",validation,", ",valid,"), r"row 7, \(set, split\): 'valid', expected one of trai"),
        (lambda text: text.replace(",large,", ",,"), r"row 12, \(set, subset\): empty, expected one of small, medium"),
        (lambda text: text.replace("\n148,", "\n14.8,"), r"row 8, track_id: '14.8', expected a number"),
        (
            lambda text: text.replace(",217,", ",3:37,", 1),
            r"row 4, \(track, duration\): '3:37', expected a number of",
        ),
    ],
)
def test_a_damaged_table_is_reported(tree: Path, tmp_path: Path, damage: Callable, message: str):
    tracks = tree / "fma_metadata" / "tracks.csv"
    text = tracks.read_text()
    tracks.write_text(damage(text))
    assert tracks.read_text() != text
    with pytest.raises(ManifestError, match=rf"tracks.csv: {message}.*; download the file again"):
        fma(root=tree, folder=tmp_path)


def test_a_damaged_hierarchy_is_reported(tree: Path, tmp_path: Path):
    genres = tree / "fma_metadata" / "genres.csv"
    text = genres.read_text()
    genres.write_text(text[: text.index("25,1")])
    with pytest.raises(
        ManifestError, match=r"genres.csv: has no genre 25, which tracks.csv names; download the file again"
    ):
        fma(root=tree, folder=tmp_path)
    genres.write_text(text.replace("85,1,12", "85,1,rock"))
    with pytest.raises(ManifestError, match=r"genres.csv: row 5, parent: 'rock', expected a number; download the file"):
        fma(root=tree, folder=tmp_path)


def test_the_same_file_in_two_splits_is_reported(tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    (tree / "fma_small" / "000" / "000148.mp3").write_bytes((tree / "fma_small" / "000" / "000002.mp3").read_bytes())
    fma(root=tree, folder=tmp_path)
    expected = "1 group of identical files in different splits: 000/000002.mp3 (train) = 000/000148.mp3 (test)"
    assert expected in capsys.readouterr().out


@pytest.mark.slow
def test_one_command_trains(tree: Path, train: Callable):
    assert "genre accuracy" in train("data=fma", f"data.root={tree}", "task=[genre,autotagging]")
