"""Anybody's folder of music: from tags, from a table, from both; edited, grown, and without a label."""

import json
from pathlib import Path

import mutagen
import numpy as np
import polars as pl
import pytest
import soundfile
from mutagen.id3 import TBPM, TCON, TKEY, TPE1

from musicrec.data.adapters import folder as adapter
from musicrec.data.adapters.folder import music_folder
from musicrec.data.manifest import read_manifest
from musicrec.errors import ManifestError

GENRES = ("Techno", "House", "techno")
FORMATS = (("wav", 44_100), ("flac", 22_050), ("ogg", 48_000), ("mp3", 16_000))


def add(root: Path, name: str, *, tags: bool = True, artist: str = "Ada", genre: str = "Techno", rate: int = 16_000):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(len(name)).uniform(-0.5, 0.5, (4 * rate, 2)) if rate == 16_000 else np.zeros(rate)
    soundfile.write(path, noise, rate)
    if not tags:
        return
    file = mutagen.File(path)
    if path.suffix in (".flac", ".ogg"):
        file["artist"], file["genre"], file["bpm"], file["initialkey"] = artist, genre, "120", "8A"
    else:
        if file.tags is None:
            file.add_tags()
        for frame in (TPE1(text=[artist]), TCON(text=[genre]), TBPM(text=["90"]), TKEY(text=["F#"])):
            file.tags.add(frame)
    file.save()


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """Twelve tracks of six artists, in four formats, two folders deep, and a file that is no music."""
    for number in range(12):
        suffix, rate = FORMATS[number % 4]
        artist = f"artist {number // 2}"
        add(tmp_path / "music", f"{artist}/{number}.{suffix}", artist=artist, genre=GENRES[number % 3], rate=rate)
    (tmp_path / "music" / "cover.jpg").write_bytes(b"no music")
    return tmp_path / "music"


def made(root: Path, **settings) -> pl.DataFrame:
    return read_manifest(music_folder(root=root, folder=root.parent / "stores", **settings))


def test_tags_become_labels_split_by_artist(music: Path, capsys: pytest.CaptureFixture):
    frame = made(music)
    assert frame.height == 12 and frame["genre"].value_counts().sort("genre").rows() == [("House", 4), ("Techno", 8)]
    assert frame["bpm"].to_list() == [90.0 if Path(p).suffix in (".wav", ".mp3") else 120.0 for p in frame["path"]]
    flac = frame.filter(pl.col("path").str.ends_with("flac"))
    assert set(flac.select("key", "mode").rows()) == {(9, "minor")}
    assert dict(frame["split"].value_counts().iter_rows()) == {"train": 8, "valid": 2, "test": 2}
    assert frame.group_by("artist").agg(pl.col("split").n_unique())["split"].to_list() == [1] * 6
    printed = capsys.readouterr().out
    assert "12 audio files" in printed and "split: train 8, valid 2, test 2" in printed
    assert (
        "2 different: Techno 8, House 4" in printed and "90 to 120" in printed and "2 different: A 6, Gb 6" in printed
    )


def test_a_table_of_labels_wins_and_may_be_partial(music: Path, capsys: pytest.CaptureFixture):
    table = music.parent / "labels.csv"
    table.write_text("path,genre,key,mood\nartist 0/0.wav,Ambient,C,calm\nmusic/artist 0/1.flac,,,\ngone.wav,Rock,,\n")
    frame = made(music, labels=table).sort("track_id")
    first, second = frame.to_dicts()[:2]
    assert (first["genre"], first["key"], first["mode"], first["bpm"], first["mood"]) == (
        "Ambient",
        0,
        None,
        90,
        "calm",
    )
    assert (second["genre"], second["key"], second["mode"], second["mood"]) == ("House", 9, "minor", None)
    assert "1 rows name no file" in capsys.readouterr().out
    table.write_text("path,genre\nelsewhere/a.wav,Rock\n")
    with pytest.raises(ManifestError, match=r"labels.csv: fits none of the audio files below data.root=.*elsewhere/a"):
        made(music, labels=table)
    with pytest.raises(ManifestError, match=r"nowhere.csv: no such manifest"):
        made(music, labels=music / "nowhere.csv")


def test_new_files_alone_are_read_and_tracks_stay_in_their_splits(music: Path, monkeypatch: pytest.MonkeyPatch):
    before = made(music)
    read, asked = adapter.read_tags, []
    monkeypatch.setattr(adapter, "read_tags", lambda paths: asked.extend(paths) or read(paths))
    made(music)
    assert not asked
    for number in range(6):
        add(music, f"new/{number}.flac", artist=f"new {number}")
    (music / "artist 0" / "0.wav").unlink()
    after = made(music)
    assert sorted(Path(path).parent.name for path in asked) == ["new"] * 6
    stayed = after.join(before, on="path", suffix=" before")
    assert stayed.height == 11 and stayed["split"].equals(stayed["split before"], check_names=False)
    assert set(after["split"]) == {"train", "valid", "test"} and after.height == 17


def test_an_edited_manifest_is_used_as_it_is(music: Path):
    path = music_folder(root=music, folder=music.parent / "stores")
    path.write_text(path.read_text().replace("House", "Deep House"))
    assert "Deep House" in made(music)["genre"].to_list()
    add(music, "new.wav")
    with pytest.raises(ManifestError, match="has been edited, and changed since it was made: the audio files"):
        made(music)


def test_a_folder_without_labels_trains_nothing_and_says_how_to_give_some(tmp_path: Path, program):
    for number in range(3):
        add(tmp_path / "music", f"{number}.wav", tags=False)
    done = program("train.py", "data=folder", f"data.root={tmp_path / 'music'}", f"paths.cache={tmp_path}",
                   f"hydra.run.dir={tmp_path / 'run'}", "debug=fast", status=1)  # fmt: skip
    assert "none of its 3 audio files has a label" in done.stderr and "data.labels=FILE.csv" in done.stderr
    done = program("train.py", "data=folder", f"hydra.run.dir={tmp_path / 'run'}", "debug=fast", status=1)
    assert "data.root is not set" in done.stderr


def test_training_on_a_folder(music: Path, program):
    run = music.parent / "run"
    done = program("train.py", "data=folder", f"data.root={music}", f"paths.cache={music.parent}", "task=[genre,key]",
                   "model=short_chunk_resnet", f"hydra.run.dir={run}", "debug=fast")  # fmt: skip
    assert "split: train 8, valid 2, test 2" in done.stdout
    assert json.loads((run / "export" / "config.json").read_text())["data"]["tracks"] == {
        "train": 8,
        "valid": 2,
        "test": 2,
    }


def test_real_recordings(shared: Path, tmp_path: Path):
    """Tags as people have written them. The table has labels for all but one of the eleven."""
    recordings = shared / "recordings"
    frame = read_manifest(music_folder(root=recordings, folder=tmp_path, labels=recordings / "manifest.csv"))
    assert frame["genre"].null_count() == 0, "Let's Go Fishin' has its genre, Folk, in the file only"
    assert frame["bpm"].drop_nulls().len() == 9 and set(frame["split"]) == {"train", "valid", "test"}
    with pytest.raises(Exception, match="by artist: 2 with labels are too few"):
        music_folder(root=recordings, folder=tmp_path)
