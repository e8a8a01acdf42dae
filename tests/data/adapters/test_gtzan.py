from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import soundfile
from torchaudio.datasets import gtzan as lists

from musicrec.data.adapters.gtzan import PUBLISHED, gtzan
from musicrec.data.manifest import read_manifest
from musicrec.errors import ConfigError, ManifestError


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All 1,000 clips in the folder of the copy on Kaggle. The files are not audio, as nothing is decoded."""
    root = tmp_path_factory.mktemp("gtzan")
    for genre in lists.gtzan_genres:
        folder = root / "Data" / "genres_original" / genre
        folder.mkdir(parents=True)
        for number in range(100):
            (folder / f"{genre}.{number:05}.wav").write_text(f"{genre} {number}")
    # This one is opened, for it is unreadable in some copies.
    soundfile.write(root / "Data" / "genres_original" / "jazz" / "jazz.00054.wav", np.zeros(8000 * 30), 8000)
    lines = [
        f"{genre}.{number:05}.wav ::: {genre.title()} Artist {number // 5} ::: Song {number}"
        for genre in lists.gtzan_genres
        for number in range(100)
    ]
    (root / "GTZANindex.txt").write_text("\n".join(lines) + "\nblue.99999.wav\n")
    return root


def test_filtered_split_is_the_published_one(whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    frame = read_manifest(gtzan(root=whole, folder=tmp_path))
    assert dict(frame["split"].value_counts().iter_rows()) == PUBLISHED["filtered"]
    assert frame.filter(track_id="blues.00012")["split"].item() == "test"
    assert frame["genre"].n_unique() == 10 and frame.filter(track_id="pop.00000")["genre"].item() == "pop"
    printed = capsys.readouterr().out
    assert "train: 443 tracks, as published" in printed and "genre: 10 different labels, as published" in printed


def test_stratified_split(whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    frame = read_manifest(gtzan(root=whole, folder=tmp_path, split="stratified"))
    assert frame.height == 1000
    printed = capsys.readouterr().out
    assert (
        "artists are in several parts" in printed
        and "of 200 artists in more than one split: Blues Artist 0 (" in printed
    )
    shares = frame.group_by("split", "genre").len().filter(split="test")["len"]
    assert shares.to_list() == [10] * 10


def test_split_by_artist(whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    frame = read_manifest(gtzan(root=whole, folder=tmp_path, split="artist"))
    assert set(frame["split"]) == {"train", "valid", "test"}
    assert frame.group_by("artist").agg(pl.col("split").n_unique())["split"].to_list() == [1] * 200
    assert "all: 1,000 tracks, as published" in capsys.readouterr().out
    again = read_manifest(gtzan(root=whole, folder=tmp_path / "again", split="artist"))
    other = read_manifest(gtzan(root=whole, folder=tmp_path, split="artist", seed=1))
    assert again.equals(frame) and not other.equals(frame)


def test_faulty_clips_can_be_left_out_of_the_other_splits(whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    frame = read_manifest(gtzan(root=whole, folder=tmp_path, split="artist", faults="drop"))
    assert set(frame["track_id"]) == {*lists.filtered_train, *lists.filtered_valid, *lists.filtered_test}
    assert frame.group_by("artist").agg(pl.col("split").n_unique())["split"].max() == 1
    printed = capsys.readouterr().out
    assert "all: 930 tracks, as published" in printed and "not in the annotations" not in printed
    assert "artists, each in one split only\n" in printed
    with pytest.raises(ConfigError, match=r"data.faults=drpo: choose keep or drop"):
        gtzan(root=whole, folder=tmp_path, faults="drpo")


def test_artists_missing_from_the_index(whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    root = tmp_path / "copy"
    root.mkdir()
    (root / "genres").symlink_to(whole / "Data" / "genres_original")
    lines = (whole / "GTZANindex.txt").read_text().splitlines()
    lines[0] = "blues.00000.wav"
    lines[1] = "blues.00001.wav :::  ::: Title"
    (root / "GTZANindex.txt").write_text("\n".join([*lines[:500], "<html>", *lines[500:]]))
    gtzan(root=root, folder=tmp_path, split="artist")
    printed = capsys.readouterr().out
    assert (
        "warning  the index has no artist for 2 clips; only the other 998 are split by artist: "
        "blues.00000, blues.00001\n"
    ) in printed
    assert "200 artists, each in one split only; the artist of 2 of 1,000 tracks is unknown\n" in printed
    assert (
        "2 rows of GTZANindex.txt without a clip of GTZAN; download the file again: row 501 '<html>', row 1002"
        in printed
    )
    (root / "GTZANindex.txt").write_text("<html>\n<p>404")
    with pytest.raises(
        ManifestError, match=r"GTZANindex.txt: names no artists, expected lines such as blues.00002.wav"
    ):
        gtzan(root=root, folder=tmp_path, split="artist")
    gtzan(root=root, folder=tmp_path)
    assert "artists are unknown" in capsys.readouterr().out, "the published split needs none"


@pytest.fixture
def tree(tmp_path: Path, audio: Callable) -> Path:
    """A few clips of each part, in the folders of the original archive."""
    for part in (lists.filtered_train, lists.filtered_valid, lists.filtered_test):
        for genre in ("blues", "jazz"):
            for name in [name for name in part if name.startswith(genre)][:2]:
                audio(tmp_path / "GTZAN" / "genres" / genre / f"{name}.au")
    return tmp_path / "GTZAN"


def test_folders_that_may_hold_the_genres(tree: Path, tmp_path: Path, audio: Callable, capsys: pytest.CaptureFixture):
    clip = next((tree / "genres" / "blues").iterdir())
    audio(clip.with_suffix(".wav"))
    frame = read_manifest(gtzan(root=tree, folder=tmp_path, partial=True))
    assert str(clip.with_suffix(".wav")) in set(frame["path"]), "rather than .au"
    assert f"1 audio file not in the annotations, not used: blues/{clip.name}\n" in capsys.readouterr().out
    (tree / "genres").rename(tree / "genres_original")
    assert read_manifest(gtzan(root=tree, folder=tmp_path / "2", partial=True)).height == 12
    assert read_manifest(gtzan(root=tree / "genres_original", folder=tmp_path / "3", partial=True)).height == 12


def test_an_incomplete_copy(tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    with pytest.raises(ManifestError) as error:
        gtzan(root=tree, folder=tmp_path)
    first = str(error.value).splitlines()[0]
    assert first.startswith("gtzan: no file blues/blues.000") and "(and 917 more of 930) below" in first
    assert first.endswith("data.partial=true trains without the missing files; see docs/datasets.md#gtzan")
    frame = read_manifest(gtzan(root=tree, folder=tmp_path, partial=True))
    assert frame.height == 12
    printed = capsys.readouterr().out
    assert "918 of 930 audio files are missing" in printed and "train: 4 tracks, expected 443 as published" in printed


def test_the_unreadable_clip_of_kaggle(tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    (tree / "genres" / "jazz" / "jazz.00054.wav").write_text("not audio")
    frame = read_manifest(gtzan(root=tree, folder=tmp_path, partial=True))
    assert frame.height == 12 and "jazz.00054" not in set(frame["track_id"])
    assert "note     1 file known to be damaged, left out: jazz.00054 (not audio that" in capsys.readouterr().out


def test_missing_files_are_reported(tree: Path, tmp_path: Path):
    with pytest.raises(ManifestError, match=r"no file GTZANindex.txt below data.root="):
        gtzan(root=tree, folder=tmp_path, split="artist")
    (tree / "genres").rename(tree / "music")
    with pytest.raises(ManifestError, match=r"no file or folder like genres/blues or genres_original/blues or"):
        gtzan(root=tree, folder=tmp_path)
    with pytest.raises(ManifestError, match=r"gtzan: data.root=/nowhere: no such folder; see docs/datasets.md#gtzan"):
        gtzan(root="/nowhere", folder=tmp_path)
    with pytest.raises(ManifestError, match=r"gtzan: data.download=true: musicrec cannot download"):
        gtzan(root=tree, folder=tmp_path, download=True)


@pytest.mark.slow
def test_one_command_trains(tree: Path, train: Callable):
    printed = train("data=gtzan", f"data.root={tree}", "data.partial=true")
    assert "genre accuracy" in printed
