from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from musicrec.data.adapters.spotify import spotify
from musicrec.data.manifest import read_manifest
from musicrec.errors import ConfigError, ManifestError

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
    """A dump: track_uri, features as numbers, lists of genres as Python writes them."""
    root = tmp_path / "dump"
    root.mkdir()
    lines = [HEADER, *(row(number) for number in range(17))]
    lines += [row(17, key=-1), row(18, metre=0, genres="[]"), row(19, tempo=-19, genres="techno")]
    (root / "features.csv").write_text("\n".join(lines) + "\n")
    for number, track in enumerate(IDS):
        audio(root / "previews" / f"{number % 3}" / f"{track}.mp3")
    return root


def test_values_that_spotify_did_not_find_are_missing(tree: Path, tmp_path: Path):
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


def test_settings_of_the_split(tree: Path, tmp_path: Path):
    usual, path = (spotify(root=tree, folder=tmp_path, **own) for own in ({}, {"split_by": "track", "test_share": 0.5}))
    frame = read_manifest(path)
    assert dict(frame["split"].value_counts().iter_rows()) == {"train": 8, "valid": 2, "test": 10}
    assert frame.group_by("artist").agg(pl.col("split").n_unique())["split"].max() > 1
    assert path != usual and read_manifest(usual)["split"].value_counts(sort=True)["count"][0] == 16, "each is kept"
    with pytest.raises(ConfigError, match=r"data.split_by=genre: choose artist, album or track"):
        spotify(root=tree, folder=tmp_path, split_by="genre")


def test_the_split_of_a_dump_is_used(tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    path = tree / "features.csv"
    header, *lines = path.read_text().splitlines()
    lines = [f"{line},{'train' if number < 15 else 'test'}" for number, line in enumerate(lines)]
    path.write_text("\n".join([f"{header},split", *lines]))
    frame = read_manifest(spotify(root=tree, folder=tmp_path))
    assert dict(frame["split"].value_counts().iter_rows()) == {"train": 15, "test": 5}
    lines[3] = lines[3].replace(",train", ",")
    path.write_text("\n".join([f"{header},split", *lines]))
    frame = read_manifest(spotify(root=tree, folder=tmp_path))
    assert dict(frame["split"].value_counts().iter_rows()) == {"train": 14, "test": 5}
    warned = f"warning  1 track left out: no split, although other tracks have one: {IDS[3]}\n"
    assert warned in capsys.readouterr().out
    path.write_text(
        "\n".join([f"{header},split", *(line.removesuffix("train").removesuffix("test") for line in lines)])
    )
    frame = read_manifest(spotify(root=tree, folder=tmp_path))
    assert dict(frame["split"].value_counts().iter_rows()) == {"train": 16, "valid": 2, "test": 2}


def test_damage_is_reported(tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    features, text = tree / "features.csv", (tree / "features.csv").read_text()
    features.write_text(f"{text}{row(3)}\n")
    spotify(root=tree, folder=tmp_path)
    warned = f"warning  1 row of the annotations not used: an earlier row has the same track_id: {IDS[3]}\n"
    assert warned in capsys.readouterr().out
    next(tree.rglob(f"{IDS[7]}.mp3")).unlink()
    with pytest.raises(ManifestError, match=rf"no file {IDS[7]}.mp3 below .*; data.partial=true"):
        spotify(root=tree, folder=tmp_path)
    assert read_manifest(spotify(root=tree, folder=tmp_path, partial=True)).height == 19
    (tree / "more.csv").touch()
    with pytest.raises(ManifestError, match=r"data.csv is not set: .* holds features.csv, more.csv"):
        spotify(root=tree, folder=tmp_path)


def test_all_problems_are_reported_at_once_with_row_and_value(tree: Path, tmp_path: Path):
    features = tree / "features.csv"
    header, *lines = features.read_text().splitlines()
    lines[0] = row(0, key=12, tempo=500, metre=9, genres="['rock', ")
    lines[1] = lines[1].replace("spotify:track:" + IDS[1], " ").replace(",121.0", ",fast")
    lines[2] = lines[2].replace(f",{2 / 20},", ",1.5,", 1).replace(",-18,0,", ",loud,2,").replace(",5,4,", ",0.5,nan,")
    features.write_text("\n".join(["\ufeff" + header, lines[0], "", *lines[1:]]) + "\n")
    with pytest.raises(ManifestError) as error:
        spotify(root=tree, folder=tmp_path)
    whole = "a whole number from"
    first, *problems = str(error.value).splitlines()
    assert first == f"{features}: 11 problems"
    assert sorted(line.strip() for line in problems) == sorted([
        f"row 2, key: '12', expected {whole} 0 (C) to 11 (B), -1 for none, or an empty cell",
        "row 2, tempo: '500', expected a tempo from 20 to 400, 0 for none, or an empty cell",
        f"row 2, time_signature: '9', expected {whole} 1 to 7, 0 for none, or an empty cell",
        "row 2, genres: \"['rock', \", expected a list such as ['rock', 'pop'], or an empty cell",
        "row 4, track_uri: ' ', expected a URI such as spotify:track:4uLU6hMCjMI75M1A2tKUQC",
        "row 4, tempo: 'fast', expected a tempo from 20 to 400, 0 for none, or an empty cell",
        "row 5, danceability: '1.5', expected a number from 0 to 1, or an empty cell",
        "row 5, loudness: 'loud', expected a number of decibels from -200 to 100, or an empty cell",
        "row 5, mode: '2', expected 1 (major) or 0 (minor), or an empty cell",
        f"row 5, key: '0.5', expected {whole} 0 (C) to 11 (B), -1 for none, or an empty cell",
        f"row 5, time_signature: 'nan', expected {whole} 1 to 7, 0 for none, or an empty cell",
    ])  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"),
    [(("time_signature", "metre"), r"features.csv: 1 problem\n.*1, time_signature: required column .* metre, genres"),
     (("valence", "energy"), r"features.csv: \d problems\n  row 1, energy: 2 columns have this name, expected one"),
     (("track_uri", "id"), r"features.csv: 1 problem\n.*1, track_uri: required column is missing; the file has"),
     ((",", ";"), r"features.csv: the columns are separated by semicolons; save the file with commas"),
     (("Artist 0", "Beyonc\udce9"), r"features.csv: row 2: b'Beyonc.xe9' is not text in UTF-8; save the")],
)  # fmt: skip
def test_a_file_that_is_not_a_dump(tree: Path, tmp_path: Path, change: tuple[str, str], message: str):
    features = tree / "features.csv"
    features.write_bytes(features.read_text().replace(*change).encode(errors="surrogateescape"))
    with pytest.raises(ManifestError, match=message):
        spotify(root=tree, folder=tmp_path)
    assert not list((tmp_path / "spotify").glob("*.csv"))


def test_genres_in_other_notations(tree: Path, tmp_path: Path):
    features = tree / "features.csv"
    text = features.read_text()
    text = text.replace("['rock', 'pop']", "rock|pop", 1).replace("['rock', 'pop']", "['drum|bass', 2]", 1)
    features.write_text(text.replace("spotify:track:" + IDS[0], f"https://open.spotify.com/track/{IDS[0]}?si=1f"))
    rows = {row["title"]: row for row in read_manifest(spotify(root=tree, folder=tmp_path)).to_dicts()}
    assert rows["Song, 0"]["tags"] == ["rock", "pop"] and rows["Song, 1"]["tags"] == ["drum", "bass", "2"]
    assert rows["Song, 0"]["track_id"] == IDS[0]


@pytest.mark.slow
def test_one_command_trains_the_32_outputs(tree: Path, train: Callable):
    printed = train("data=spotify", f"data.root={tree}")
    for metric in ("attributes roc_auc", "tempo acc1", "key accuracy", "metre accuracy"):
        assert metric in printed
