"""A folder of the user's music: labels from tags, a table, or both; edited manifests, new files, no labels."""

import json
import os
import re
import shutil
from collections.abc import Callable
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
from musicrec.errors import ConfigError, ManifestError, PlaylistError

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
    """Twelve tracks of six artists, in four formats, two folders deep, and a file that is not music."""
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


def test_folders_are_labels_if_asked(music: Path):
    """Their names replace the tags, and a table replaces them; what lies in no folder keeps its tags."""
    add(music, "loose.flac", artist="nobody", genre="Ambient")
    table = music.parent / "labels.csv"
    table.write_text("path,genre\nartist 5/11.mp3,Rock\n")
    frame = made(music, folder_label="genre", labels=table)
    expected = [Path(path).parent.name for path in frame["path"]]
    found = dict(zip(frame["track_id"], frame["genre"], strict=True))
    assert found.pop("loose") == "Ambient" and found.pop("artist 5/11") == "Rock"
    assert sorted(found.values()) == sorted(name for name in expected if name.startswith("artist"))[:-1]
    plain = made(music)
    assert set(plain["genre"]) == {"Techno", "House", "Ambient"}, "another setting makes the manifest anew"
    own = made(music, folder_label="mood")
    assert own["mood"].n_unique() == 7 and own["genre"].to_list() == plain["genre"].to_list()


@pytest.mark.parametrize("column", ["bpm", "instruments", "track_id", "split"])
def test_folders_cannot_be_any_label(music: Path, column: str):
    with pytest.raises(ConfigError, match=rf"data\.folder_label={column}: .* such as genre or artist"):
        made(music, folder_label=column)


def test_a_playlist_has_no_folders_that_are_labels(music: Path):
    playlist = music / "set.m3u8"
    playlist.write_text("artist 0/0.wav\n")
    with pytest.raises(ConfigError, match=r"data\.folder_label=genre: needs a folder"):
        music_folder(root=playlist, folder=music.parent / "stores", folder_label="genre")


def test_a_table_of_labels_takes_precedence_and_may_be_partial(music: Path, capsys: pytest.CaptureFixture):
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
    printed = capsys.readouterr().out
    assert "ok       labels.csv: labels for 2 of 12 audio files" in printed
    assert "warning  labels.csv: 1 row without a matching file below" in printed and "music: gone.wav\n" in printed
    with pytest.raises(ManifestError, match=r"nowhere.csv: no such manifest"):
        made(music, labels=music / "nowhere.csv")


def test_only_new_files_are_read_and_tracks_keep_their_splits(music: Path, monkeypatch: pytest.MonkeyPatch):
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


@pytest.mark.parametrize("damage", [b"", b"PAR1 and no more", None])
def test_tags_are_read_again_if_their_cache_is_damaged(music: Path, damage: bytes | None):
    before = made(music)
    (kept,) = (music.parent / "stores").rglob("tags-*.parquet")
    if damage is None:
        pl.DataFrame({"path": ["of another version"]}).write_parquet(kept)
    else:
        kept.write_bytes(damage)
    (music / "artist 0" / "0.wav").unlink()
    columns = ["track_id", "artist", "bpm", "key", "mode", "split"]
    assert made(music).select(columns).equals(before.filter(~pl.col("path").str.ends_with("/0.wav")).select(columns))


def test_an_edited_manifest_is_used_as_it_is(music: Path):
    path = music_folder(root=music, folder=music.parent / "stores")
    path.write_text(path.read_text().replace("House", "Deep House"))
    assert "Deep House" in made(music)["genre"].to_list()
    add(music, "new.wav")
    with pytest.raises(ManifestError, match="was edited, and these sources changed: the audio files"):
        made(music)


@pytest.mark.slow
def test_a_folder_without_labels_is_refused_with_instructions(tmp_path: Path, program):
    for number in range(3):
        add(tmp_path / "my music", f"{number}.wav", tags=False)
    done = program("train.py", "data=folder", f"data.root={tmp_path / 'my music'}", f"paths.cache={tmp_path}",
                   f"hydra.run.dir={tmp_path / 'run'}", "debug=fast", status=1)  # fmt: skip
    assert "none of its 3 audio files has a label, so there is nothing to learn" in done.stderr
    assert (
        "data.labels=FILE.csv" in done.stderr
        and f"musicrec recommend action=index 'source={tmp_path}/my music'" in done.stderr
    )
    done = program("train.py", "data=folder", f"hydra.run.dir={tmp_path / 'run'}", "debug=fast", status=1)
    assert "data.root is not set" in done.stderr


def test_unusable_files_are_left_out_and_reported(music: Path, capsys: pytest.CaptureFixture):
    (music / "empty.mp3").touch()
    (music / "artist 0" / "._0.wav").write_bytes(b"a Mac leaves these beside its files")
    (music / ".DS_Store").touch()
    (music / "gone.mp3").symlink_to(music / "nowhere.mp3")
    (music / "artist 1" / "again").symlink_to(music)
    Path(os.fsdecode(os.fsencode(music) + b"/caf\xe9.mp3")).touch()
    table = music / "labels.csv"
    table.write_text("path,genre\nempty.mp3,Rock\n")
    frame = made(music, labels=table)
    assert frame.height == 12 and all(Path(path).is_file() for path in frame["path"])
    printed = capsys.readouterr().out
    assert "warning  1 empty file left out: empty.mp3\n" in printed
    assert "warning  3 paths left out: " in printed
    (report,) = music.parent.glob("stores/*/music/manifest.checks.txt")
    for line in (
        "artist 1/again (a link to a folder that contains it)",
        r"caf\xe9.mp3 (the name of the file or its folder is not UTF-8: rename it)",
        "gone.mp3 (a broken link)",
    ):
        assert f"\n             {line}\n" in report.read_text()
    latin = music.parent / "caf\udce9"
    latin.mkdir()
    with pytest.raises(ManifestError, match=r"data.root=.*caf\\xe9: the name of this folder is not UTF-8; rename it"):
        made(latin)
    for path in music.rglob("*.*"):
        if path.suffix in (".wav", ".flac", ".ogg", ".mp3") and not path.is_symlink():
            path.write_bytes(b"")
    with pytest.raises(ManifestError, match=r"music: all of its 13 audio files are empty"):
        made(music, labels=table)


def test_a_playlist_names_the_tracks(music: Path, capsys: pytest.CaptureFixture):
    """Labels come from the tags in the files; the playlist gives an artist and a title where the tags have none."""
    add(music, "untagged.wav", tags=False)
    lists = music.parent / "lists"
    lists.mkdir()
    playlist = lists / "set.m3u8"
    below = [f"artist {number // 2}/{number}.{FORMATS[number % 4][0]}" for number in range(8)]
    lines = [f"#EXTINF:4,Other - Title {name}\n../music/{name}\n" for name in below]
    lines += ["#EXTINF:4,Zed - New\n../music/untagged.wav\n", "../music/gone.mp3\n", "https://example.org/a.mp3\n"]
    playlist.write_text("#EXTM3U\n" + "".join(lines))
    frame = made(playlist)
    assert frame["path"].to_list() == [str(music / name) for name in (*below, "untagged.wav")]
    assert frame["track_id"].to_list() == [os.path.splitext(name)[0] for name in (*below, "untagged.wav")]
    assert frame["artist"].to_list() == [f"artist {number // 2}" for number in range(8)] + ["Zed"]
    assert frame["title"].to_list() == [f"Title {name}" for name in below] + ["New"]
    assert frame["genre"].null_count() == 1 and set(frame["split"]) == {"train", "valid", "test"}
    printed = capsys.readouterr().out
    assert "warning  1 entry of the playlist without a file: ../music/gone.mp3\n" in printed
    assert "warning  1 entry of the playlist (not fetched from the net): https://example.org/a.mp3\n" in printed
    playlist.write_text("".join(lines[:7]))
    after = made(playlist)
    assert after["path"].to_list() == frame["path"].to_list()[:7], "a changed playlist makes a new manifest"
    assert after["split"].to_list() == frame["split"].to_list()[:7]
    playlist.write_text("#EXTM3U\n")
    with pytest.raises(PlaylistError, match=r"set\.m3u8: the playlist is empty"):
        made(playlist)
    with pytest.raises(
        ManifestError, match=r"absent: no such folder; give the folder of your music or an M3U playlist"
    ):
        made(lists / "absent")


def test_copies_and_leaks_are_reported_with_names(music: Path, capsys: pytest.CaptureFixture):
    made(music)
    assert "ok       6 artists, each in one split only" in capsys.readouterr().out
    table = music.parent / "labels.csv"
    lines = ["path,split,title,album", "artist 0/0.wav,train,One,Hits", "artist 0/1.flac,test,one,Hits"]
    table.write_text("\n".join([*lines, "copy/0.wav,valid,,", "artist 1/2.ogg,train,,Hits"]) + "\n")
    (music / "copy").mkdir()
    shutil.copy(music / "artist 0" / "0.wav", music / "copy" / "0.wav")
    made(music, labels=table)
    printed = capsys.readouterr().out
    copies = "artist 0/0.wav (train) = copy/0.wav (valid)"
    assert f"warning  1 group of identical files in different splits: {copies}\n" in printed
    titles = "artist 0/0.wav (train) = artist 0/1.flac (test)"
    assert f"warning  1 group of files with the same artist and title in different splits: {titles}\n" in printed
    assert "warning  1 of 6 artists in more than one split: artist 0 (test, train, valid)\n" in printed
    assert "warning  1 of 2 albums in more than one split: Hits in ./artist 0 (test, train)\n" in printed


def test_spellings_of_an_artist_are_merged(music: Path, capsys: pytest.CaptureFixture):
    table = music.parent / "labels.csv"
    rows = [
        "path,artist",
        "artist 0/0.wav,Zoë",
        "artist 0/1.flac,Zoe\u0308",
        "artist 1/2.ogg,ZOË",
        "artist 1/3.mp3,Zoë",
    ]
    table.write_text("\n".join(rows) + "\n")
    assert made(music, labels=table)["artist"].value_counts().sort("count").rows()[-1] == ("Zoë", 4)
    assert "5 different: Zoë 4, artist 2 2" in capsys.readouterr().out


def test_copies_without_an_artist_share_a_split(tmp_path: Path, capsys: pytest.CaptureFixture):
    for number in range(6):
        original, copy = (tmp_path / "music" / name for name in (f"{'x' * (number + 1)}.wav", f"copy {number}/a.wav"))
        add(tmp_path / "music", original.name, tags=False)
        copy.parent.mkdir()
        shutil.copy(original, copy)
    table = tmp_path / "labels.csv"
    names = [path.relative_to(tmp_path / "music") for path in sorted(tmp_path.rglob("*.wav"))]
    table.write_text("path,genre\n" + "".join(f"{name},Rock\n" for name in names))
    made(tmp_path / "music", labels=table, split_by="track")
    assert "note     6 groups of identical files within a split: " in capsys.readouterr().out


@pytest.mark.slow
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
    """Real tags. The table has labels for all but one of the eleven recordings."""
    recordings = shared / "recordings"
    frame = read_manifest(music_folder(root=recordings, folder=tmp_path, labels=recordings / "manifest.csv"))
    assert frame["genre"].null_count() == 0, "Let's Go Fishin' has its genre, Folk, in the file only"
    assert frame["bpm"].drop_nulls().len() == 9 and set(frame["split"]) == {"train", "valid", "test"}
    with pytest.raises(Exception, match="by artist: 2 with labels are too few"):
        music_folder(root=recordings, folder=tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["manifest", "folder"])
def test_training_on_real_recordings(shared: Path, train: Callable, tmp_path: Path, kind: str):
    """The four shortest: MP3 and OGG of two rates, three artists, no split, different labels."""
    names = ["gold_rush.mp3", "vibe_ace.ogg", "hungarian_dance_5.ogg", "solo_trumpet.ogg"]
    (tmp_path / "music").mkdir()
    for name in names:
        (tmp_path / "music" / name).symlink_to(shared / "recordings" / name)
    rows = pl.read_csv(shared / "recordings" / "manifest.csv", infer_schema=False).filter(pl.col("path").is_in(names))
    rows.write_csv(tmp_path / "music" / "labels.csv")
    table = f"{tmp_path}/music/labels.csv"
    music = {"manifest": [f"data.manifest={table}"], "folder": [f"data.root={tmp_path}/music", f"data.labels={table}"]}
    printed = train(f"data={kind}", *music[kind], "task=[instruments]")
    assert re.search(r"split.*: (train 2, valid 1, test 1|test 1, train 2, valid 1)\n", printed)
    tracks = json.loads((tmp_path / "run" / "export" / "config.json").read_text())["data"]["tracks"]
    assert tracks == {"train": 2, "valid": 1, "test": 1}
