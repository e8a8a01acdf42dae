from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from musicrec.data.adapters.spotify import spotify
from musicrec.data.manifest import read_manifest
from musicrec.errors import ManifestError

HEADER = (
    "artist_name,track_uri,track_name,danceability,energy,loudness,mode,acousticness,instrumentalness,liveness,"
    "valence,tempo,key,time_signature,genres"
)
IDS = [f"4uLU6hMCjMI75M1A2tKU{number:02}" for number in range(20)]


def row(number: int, *, tempo: float = 120.0, key: int = 5, metre: int = 4, genres: str = "['rock', 'pop']") -> str:
    part = number / 20
    names = f'Artist {number // 2},spotify:track:{IDS[number]},"Song, {number}"'
    attributes = f"{part},{1 - part},{-20 + number},{number % 2},{part},0.5,0.1,{part}"
    return f'{names},{attributes},{tempo + number},{key},{metre},"{genres}"'


@pytest.fixture
def tree(tmp_path: Path, audio: Callable) -> Path:
    """A dump as it is exported: track_uri, features as numbers, lists of genres as Python writes them."""
    root = tmp_path / "dump"
    root.mkdir()
    lines = [HEADER, *(row(number) for number in range(17))]
    lines += [row(17, key=-1), row(18, metre=0, genres="[]"), row(19, tempo=-19, genres="techno")]
    (root / "features.csv").write_text("\n".join(lines) + "\n")
    for number, track in enumerate(IDS):
        audio(root / "previews" / f"{number % 3}" / f"{track}.mp3")
    return root


def test_values_that_spotify_has_not_found_are_missing(tree: Path, tmp_path: Path):
    path = spotify(root=tree, folder=tmp_path)
    rows = {row["title"]: row for row in read_manifest(path).to_dicts()}
    assert (rows["Song, 3"]["bpm"], rows["Song, 3"]["key"], rows["Song, 3"]["mode"]) == (123, 5, "major")
    assert (rows["Song, 2"]["mode"], rows["Song, 2"]["danceability"], rows["Song, 2"]["loudness"]) == (
        "minor",
        0.1,
        -18,
    )
    assert rows["Song, 17"]["key"] is None and rows["Song, 18"]["time_signature"] is None
    assert rows["Song, 19"]["bpm"] is None
    assert rows["Song, 3"]["tags"] == ["rock", "pop"]
    assert (rows["Song, 18"]["tags"], rows["Song, 19"]["tags"]) == (None, ["techno"])


def test_an_artist_stays_in_one_split(tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    frame = read_manifest(spotify(root=tree, folder=tmp_path))
    assert frame.group_by("artist").agg(pl.col("split").n_unique())["split"].to_list() == [1] * 10
    assert dict(frame["split"].value_counts().iter_rows()) == {"train": 16, "valid": 2, "test": 2}
    assert "10 artists, each in one split only" in capsys.readouterr().out


def test_a_split_of_its_own_is_used(tree: Path, tmp_path: Path):
    path = tree / "features.csv"
    header, *lines = path.read_text().splitlines()
    lines = [f"{line},{'train' if number < 15 else 'test'}" for number, line in enumerate(lines)]
    path.write_text("\n".join([f"{header},split", *lines]))
    frame = read_manifest(spotify(root=tree, folder=tmp_path))
    assert dict(frame["split"].value_counts().iter_rows()) == {"train": 15, "test": 5}


def test_damage_is_told(tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    features, text = tree / "features.csv", (tree / "features.csv").read_text()
    features.write_text(f"{text}{row(3)}\n")
    spotify(root=tree, folder=tmp_path)
    next(tree.rglob(f"{IDS[7]}.mp3")).unlink()
    with pytest.raises(ManifestError, match=rf"no file {IDS[7]}.mp3 below .*; data.partial=true"):
        spotify(root=tree, folder=tmp_path)
    assert read_manifest(spotify(root=tree, folder=tmp_path, partial=True)).height == 19
    features.write_text(text.replace("['rock', 'pop']", "['rock', ", 1))
    with pytest.raises(ManifestError, match=r"features.csv: row 2, genres: .* expected a list such as"):
        spotify(root=tree, folder=tmp_path, partial=True)
    features.write_text(text.replace("time_signature", "metre"))
    with pytest.raises(ManifestError, match=r"features.csv: has no column time_signature"):
        spotify(root=tree, folder=tmp_path, partial=True)
    (tree / "more.csv").touch()
    with pytest.raises(ManifestError, match=r"does not hold one CSV file but features.csv, more.csv"):
        spotify(root=tree, folder=tmp_path)


def test_one_command_trains_the_32_outputs(tree: Path, train: Callable):
    printed = train("data=spotify", f"data.root={tree}")
    for metric in ("attributes roc_auc", "tempo acc1", "key accuracy", "metre accuracy"):
        assert metric in printed
