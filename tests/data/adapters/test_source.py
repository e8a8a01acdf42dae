"""The manifest and the checks of a dataset of four tracks."""

import logging
import os
from collections.abc import Callable
from pathlib import Path
from unicodedata import normalize

import polars as pl
import pytest

from musicrec.data.adapters import fma, giantsteps, gtzan, magnatagatune, mtg_jamendo, spotify
from musicrec.data.adapters.source import Dataset, DatasetSource
from musicrec.data.adapters.tables import read_table
from musicrec.data.checks import DatasetReport, match_capitals
from musicrec.data.datamodule import MusicDataModule
from musicrec.data.manifest import read_manifest
from musicrec.data.splitting import SplitNames
from musicrec.errors import ManifestError
from musicrec.heads.classes import ClassHead
from musicrec.models.frontends.mel import MelSpectrogram

FOUR = Dataset(
    name="four", layout="music/ and labels.csv", how_to_get="four.zip (1 MB)", licence="CC0", suspects=("odd",)
)


@pytest.fixture
def tree(tmp_path: Path, audio: Callable) -> Path:
    root = tmp_path / "four"
    for name in ("a", "b", "c", "d"):
        audio(root / "music" / f"{name}.wav")
    (root / "labels.csv").write_text("name,genre,split,artist\na,x,train,A\nb,y,train,B\nc,x,valid,C\nd,y,test,D\n")
    return root


def adapt(root: Path | None, folder: Path, *, half: bool = False, **settings) -> Path:
    source = DatasetSource(FOUR, root)
    labels = source.file("labels.csv")

    def read(files, report) -> pl.DataFrame:
        frame = read_table(labels, columns=["name", "genre", "split"]).rename({"name": "track_id"})
        wanted = pl.col("track_id").is_in(["a", "c"]) | (not half)
        path = pl.col("track_id") + ".wav"
        return frame.with_columns(path=path, split=pl.when(wanted).then("split"), duration_s=pl.lit(1.0))

    settings = {"published": {"train": 2, "valid": 1, "test": 1}, "vocabulary": {"genre": ("x", "y")}} | settings
    return source.manifest(
        read, folder=folder, options={"part": "half" if half else "whole"}, annotations=[labels],
        audio=source.root / "music", **settings,
    )  # fmt: skip


def test_a_manifest_is_made_once(tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    path = adapt(tree, tmp_path)
    assert path == tmp_path / "four" / "whole.csv"
    assert read_manifest(path)["path"].to_list() == [str(tree / "music" / f"{name}.wav") for name in "abcd"]
    assert capsys.readouterr().out == (
        f"four part=whole  ({tree}/music)\n"
        "  ok       train: 2 tracks, as published\n"
        "  ok       valid: 1 tracks, as published\n"
        "  ok       test: 1 tracks, as published\n"
        "  ok       genre: 2 different labels, as published\n"
        "  ok       4 artists, each in one split only\n"
        "  note     albums are unknown, so leaks between splits cannot be detected\n"
        f"manifest: {path}\n"
    )
    assert "train: 2 tracks, as published" in path.with_suffix(".checks.txt").read_text()
    before = path.stat().st_mtime_ns
    assert adapt(tree, tmp_path) == path
    assert path.stat().st_mtime_ns == before and not capsys.readouterr().out


def test_an_edited_manifest_is_kept(tree: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    path = adapt(tree, tmp_path)
    edited = path.read_text().replace(",x,", ",z,")
    path.write_text(edited)
    with caplog.at_level(logging.INFO):
        adapt(tree, tmp_path)
    assert path.read_text() == edited and "was edited; used as it is" in caplog.text
    with open(tree / "labels.csv", "a") as file:
        file.write("e,x,test,E\n")
    with pytest.raises(ManifestError, match=r"was edited, and these sources changed: labels.csv. To keep"):
        adapt(tree, tmp_path)
    assert path.read_text() == edited
    path.unlink()
    with pytest.raises(ManifestError, match=r"no file e.wav below .*music; data.partial=true"):
        adapt(tree, tmp_path)
    assert adapt(tree, tmp_path, partial=True).is_file()


def test_a_manifest_that_musicrec_did_not_write_is_kept(tree: Path, tmp_path: Path):
    (tmp_path / "four").mkdir(exist_ok=True)
    (tmp_path / "four" / "whole.csv").write_text("mine")
    for record in (None, "[]", '{"state": 1}', "no JSON"):
        if record is not None:
            (tmp_path / "four" / "whole.json").write_text(record)
        with pytest.raises(
            ManifestError, match=r"whole.csv: musicrec did not write .* whole.json .* replace it: delete it"
        ):
            adapt(tree, tmp_path)
    assert (tmp_path / "four" / "whole.csv").read_text() == "mine"


def test_a_manifest_older_than_its_record_is_not_taken_for_edited(tree: Path, tmp_path: Path):
    path = adapt(tree, tmp_path)
    before = path.read_bytes()
    labels = tree / "labels.csv"
    labels.write_text(labels.read_text().replace("a,x", "a,y"))
    adapt(tree, tmp_path)
    path.write_bytes(before)  # the record is there, the manifest is still the one before
    adapt(tree, tmp_path)
    assert read_manifest(path)["genre"].to_list() == ["y", "y", "x", "y"]


def test_a_manifest_is_made_again_when_the_dataset_changes(
    tree: Path, tmp_path: Path, audio: Callable, caplog: pytest.LogCaptureFixture
):
    path = adapt(tree, tmp_path)
    labels = tree / "labels.csv"
    labels.write_text(labels.read_text().replace("a,x", "a,y"))
    adapt(tree, tmp_path)
    assert "made again, because these sources changed: labels.csv" in caplog.text
    assert read_manifest(path)["genre"].to_list() == ["y", "y", "x", "y"]
    audio(tree / "music" / "e.wav")
    adapt(tree, tmp_path)
    assert "made again, because these sources changed: the audio files" in caplog.text
    assert "not in the annotations, not used\n             e.wav" in path.with_suffix(".checks.txt").read_text()


def test_all_differences_from_published_numbers_are_reported(tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    labels = tree / "labels.csv"
    labels.write_text(labels.read_text() + "a,y,test,A\n")
    (tree / "music" / "b.wav").write_bytes((tree / "music" / "a.wav").read_bytes())
    (tree / "music" / "d.wav").write_bytes((tree / "music" / "c.wav").read_bytes())
    adapt(tree, tmp_path, published={"train": 3, "all": 4}, vocabulary={"genre": ("x", "w"), "artist": 5})
    printed = capsys.readouterr().out
    for line in (
        "warning  1 row of the annotations not used: an earlier row has the same track_id: a",
        "note     1 group of identical files within a split: a.wav = b.wav",
        "warning  1 group of identical files in different splits: c.wav (valid) = d.wav (test)",
        "warning  train: 2 tracks, expected 3 as published",
        "ok       all: 4 tracks, as published",
        "note     test: 1 tracks; no published number to compare with",
        "warning  genre: 2 different labels, expected 2 as published: missing w, unknown y",
        "warning  artist: 4 different labels, expected 5 as published",
    ):
        assert line in printed


def test_a_clip_damaged_in_every_copy_is_not_a_difference(tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    with open(tree / "labels.csv", "a") as file:
        file.write("odd,x,train,A\n")
    (tree / "music" / "odd.wav").write_text("not audio")
    adapt(tree, tmp_path, published={"train": 3, "valid": 1, "test": 1})
    printed = capsys.readouterr().out
    assert "note     1 file known to be damaged, left out: odd (not audio that" in printed
    assert "ok       train: 2 tracks and 1 damaged, in all 3 as published" in printed
    assert "warning" not in printed


def test_the_form_of_accents_does_not_matter():
    stored, written = normalize("NFD", "Zoë.MP3"), normalize("NFC", "Zoë.mp3")
    report = DatasetReport("four", "/music")
    frame = match_capitals(pl.DataFrame({"path": [written, "a.mp3"]}), {stored: 1, "a.mp3": 1}, report)
    assert frame["path"].to_list() == [stored, "a.mp3"] and report.findings[0][2] == [stored]


def test_names_that_the_file_system_changed(tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    (tree / "music" / "b.wav").rename(tree / "music" / "B.WAV")
    (tree / "music" / "._c.wav").write_bytes(b"of a Mac")
    open(os.fsencode(tree / "music") + b"/caf\xe9.wav", "wb").close()
    path = adapt(tree, tmp_path)
    assert read_manifest(path)["path"].to_list()[1] == str(tree / "music" / "B.WAV")
    printed = capsys.readouterr().out
    assert (
        "warning  1 path left out: caf\\xe9.wav (the name of the file or its folder is not UTF-8: rename it)\n"
        in printed
    )
    assert "note     1 file found with other capitals or accents than in the annotations: B.WAV\n" in printed
    assert "caf\\xe9.wav" in path.with_suffix(".checks.txt").read_text() and "not in the annotations" not in printed
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    tree.rename(odd)
    with pytest.raises(ManifestError, match=r"four: data.root=/.*/caf\\xe9: the name of this folder is not UTF-8; ren"):
        adapt(odd, tmp_path)


def test_the_error_says_why_a_file_is_missing(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tree / "music" / "b.wav").unlink()
    (tree / "music" / "b.wav").symlink_to("/nowhere/b.wav")
    with pytest.raises(ManifestError, match=r"no file b.wav below .*/music \(b.wav: a broken link\); data"):
        adapt(tree, tmp_path)
    (tree / "music" / "b.wav").unlink()
    look = os.scandir

    def refuse(path: Path) -> object:
        if str(path).endswith("/0"):
            raise PermissionError(13, "Permission denied")
        return look(path)

    monkeypatch.setattr(os, "scandir", refuse)
    (tree / "music" / "0").mkdir()
    labels = tree / "labels.csv"
    labels.write_text(labels.read_text().replace("b,y", "0/b,y"))
    message = r"no file 0/b.wav below .*/music \(0: cannot be opened: Permission denied\); data.partial"
    with pytest.raises(ManifestError, match=message):
        adapt(tree, tmp_path)


def test_unreadable_files_are_reported(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A file that cannot be opened is not a copy of another one; the store reports it."""
    opened = open

    def refuse(path: Path, *arguments: str) -> object:
        if str(path).endswith(refused):
            raise PermissionError(13, "Permission denied")
        return opened(path, *arguments)

    refused = "b.wav"
    monkeypatch.setattr("musicrec.data.checks.open", refuse, raising=False)
    assert read_manifest(adapt(tree, tmp_path)).height == 4
    refused = "labels.csv"
    monkeypatch.setattr("musicrec.data.adapters.manifest_cache.open", refuse, raising=False)
    with pytest.raises(ManifestError, match=r"labels.csv: cannot be read \(Permission denied\); make it readable"):
        adapt(tree, tmp_path)


def test_unknown_artists_are_counted(tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    labels = tree / "labels.csv"
    labels.write_text(labels.read_text().replace("train,B", "train,"))
    adapt(tree, tmp_path)
    assert "ok       3 artists, each in one split only; the artist of 1 of 4 tracks is unknown\n" in (
        capsys.readouterr().out
    )


def test_a_dataset_without_usable_files_is_refused(tree: Path, tmp_path: Path):
    for path in (tree / "music").iterdir():
        path.write_bytes(b"")
    with pytest.raises(ManifestError, match=r"four: no usable audio file below .*music; see docs/datasets.md#four"):
        adapt(tree, tmp_path)


def test_errors_say_where_to_get_the_dataset(tree: Path, tmp_path: Path):
    for root, problem in ((None, "data.root is not set"), ("/nowhere", "data.root=/nowhere: no such folder")):
        with pytest.raises(ManifestError) as error:
            adapt(root, tmp_path)
        first, *others = str(error.value).splitlines()
        assert first.startswith(f"four: {problem}") and first.endswith("; see docs/datasets.md#four")
        expected = ["data.root holds: music/ and labels.csv", "how to get it: four.zip (1 MB)", "licence: CC0"]
        assert [line.strip() for line in others] == expected
    with pytest.raises(ManifestError, match=r"data.download=true: musicrec cannot download"):
        DatasetSource(FOUR, tree, download=True)


@pytest.mark.parametrize(
    ("dataset", "said"),
    [
        (magnatagatune.DATASET, ["mp3.zip.001, .002 and .003 (about 3 GB", "CC BY-NC-SA 3.0"]),
        (mtg_jamendo.DATASET, ["156 GB; the full audio has 508 GB", "Creative Commons licence of its own"]),
        (gtzan.DATASET, ["copies of 1.2 GB are on Kaggle", "not stated"]),
        (fma.DATASET, ["fma_small.zip (7.2 GiB)", "fma_full.zip (879 GiB)", "metadata CC BY 4.0"]),
        (giantsteps.TEMPO, ["giantsteps-tempo-dataset DIR", "664 files, 1 GB", "not stated"]),
        (giantsteps.KEY, ["giantsteps-key-dataset DIR", "604 files, 850 MB", "not stated"]),
        (spotify.DATASET, ["since November 2024 Spotify gives", "Spotify's terms"]),
    ],
    ids=lambda value: value.name if isinstance(value, Dataset) else "",
)
def test_every_dataset_says_how_to_get_it(dataset: Dataset, said: list[str], tmp_path: Path):
    with pytest.raises(ManifestError) as error:
        DatasetSource(dataset, tmp_path).file("nothing.csv")
    message = str(error.value)
    begin = f"{dataset.name}: no file nothing.csv below data.root={tmp_path}; see docs/datasets.md#{dataset.name}\n"
    assert message.startswith(begin) and all(part in message for part in said)


def test_manifests_of_a_dataset_share_a_store(tree: Path, tmp_path: Path):
    def data(half: bool) -> MusicDataModule:
        module = MusicDataModule(
            manifest=lambda: adapt(tree, tmp_path, half=half), stores=tmp_path / "stores", share_store=True,
            heads=[ClassHead(name="genre", column="genre", classes=("x", "y"))], chunk_samples=4000,
            frontend=MelSpectrogram(sample_rate=16_000), splits=SplitNames(test=[]),
        )  # fmt: skip
        module.open()
        return module

    whole, half = data(False), data(True)
    assert (len(whole.frame), len(half.frame)) == (4, 2)
    assert whole.store.folder == half.store.folder
    assert (whole.store.folder / "waveforms.i16").stat().st_size == 4 * 16_000 * 2, "no track is decoded twice"
