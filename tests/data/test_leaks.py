"""Tracks in more than one split of a manifest."""

import logging
from pathlib import Path
from unicodedata import normalize

import numpy as np
import polars as pl
import pytest
import soundfile

from musicrec.data.datamodule import MusicDataModule
from musicrec.data.leaks import find_leaks, report_leaks
from musicrec.data.manifest import read_manifest, write_manifest
from musicrec.data.mixture import Mixture, Part
from musicrec.data.store import WaveformStore, build_store
from musicrec.heads.key import KeyHead
from musicrec.models.frontends.mel import MelSpectrogram

RATE = 8000


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """Eight files of noise; number 7 is a copy of number 0 in another format."""
    generator = np.random.default_rng(0)
    noise = generator.integers(-9000, 9000, (8, RATE)).astype("int16")
    for number in range(7):
        soundfile.write(tmp_path / f"{number}.wav", noise[number], RATE)
    soundfile.write(tmp_path / "7.flac", noise[0], RATE)
    return tmp_path


def rows(music: Path, *tracks: tuple[str, str, str | None, str | None]) -> pl.DataFrame:
    schema = dict.fromkeys(("track_id", "path", "split", "artist"), pl.String)
    frame = pl.DataFrame(list(tracks), schema=schema, orient="row")
    return frame.with_columns(path=pl.format("{}/{}", pl.lit(str(music)), "path"))


def stored(frame: pl.DataFrame, folder: Path) -> WaveformStore:
    return build_store(frame, folder / "store", sample_rate=RATE, progress=False)


def test_training_rows_that_are_repeated_as_test_rows(music: Path, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    train = [(f"t{number}", f"{number}.wav", "train", None) for number in range(6)]
    test = [(f"x{number}", f"{number}.wav", "test", None) for number in range(6)]
    frame = rows(music, *train, *test)
    store = stored(frame, music)
    report_leaks(frame, store, manifest=music / "m.csv")
    (record,) = [record for record in caplog.records if "split" in record.message]
    assert record.levelname == "WARNING"
    assert f"{music}/m.csv: 6 files in more than one split: {music}/0.wav (t0 in train, x0 in test)," in record.message
    assert record.message.endswith(f" and 1 more (all in {store.folder / 'leaks.txt'})")
    assert f"{music}/5.wav (t5 in train, x5 in test)" in (store.folder / "leaks.txt").read_text()
    caplog.clear()
    report_leaks(frame, store, manifest=music / "m.csv")
    assert not caplog.text, "it has been reported already"
    report_leaks(frame.head(6), store, manifest=music / "m.csv")
    assert not caplog.text and "more than one split" not in (store.folder / "leaks.txt").read_text()
    report_leaks(frame, store, manifest=music / "m.csv")
    assert "6 files in more than one split" in caplog.text, "they are back"


def test_equal_audio_under_other_names(music: Path):
    (music / "link.wav").symlink_to(music / "1.wav")
    frame = rows(
        music,
        ("a", "0.wav", "train", None),
        ("b", "7.flac", "valid", None),
        ("c", "1.wav", "train", None),
        ("d", "link.wav", "test", None),
        ("e", "2.wav", "test", None),
    )
    report = find_leaks(frame, stored(frame, music), title="m")
    assert report.findings == [
        (
            "warning",
            "2 groups of files with equal audio in more than one split",
            [f"{music}/0.wav in train = {music}/7.flac in valid", f"{music}/1.wav in train = {music}/link.wav in test"],
        )
    ]


def test_an_artist_in_two_splits_is_a_remark(music: Path, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    zoe = [normalize(form, "Zoë") for form in ("NFC", "NFD")]
    frame = rows(
        music,
        ("a", "0.wav", "train", zoe[0]),
        ("b", "1.wav", "train", f" {zoe[0].upper()}"),
        ("c", "2.wav", "test", zoe[1]),
        ("d", "3.wav", "test", "Bo"),
        ("e", "4.wav", None, "Bo"),
    )
    report_leaks(frame, stored(frame, music), manifest=Path("m.csv"))
    (record,) = [record for record in caplog.records if "artists" in record.message]
    assert record.levelname == "INFO"
    assert record.message == f"m.csv: 1 of 2 artists in more than one split: {zoe[0]} (test 1, train 2)"


def test_copies_within_a_split_and_equal_checksums_are_no_leaks(music: Path):
    frame = rows(
        music,
        ("a", "0.wav", "train", "A"),
        ("b", "7.flac", "train", "A"),
        ("c", "1.wav", "test", "B"),
        ("d", "2.wav", "train", "C"),
        ("e", "0.wav", None, "C"),
    )
    store = stored(frame, music)
    assert find_leaks(frame, store, title="m").findings == []
    store._tracks = store._tracks.with_columns(crc32=pl.lit(7, pl.Int64))
    assert find_leaks(frame, store, title="m").findings == [], "the samples differ"


@pytest.mark.slow
@pytest.mark.parametrize("in_a_mixture", [False, True])
def test_every_manifest_is_checked_when_its_data_is_opened(
    tiny_music: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, in_a_mixture: bool
):
    frame = read_manifest(tiny_music)
    again = frame.filter(split="train").head(6)
    again = again.with_columns(track_id=pl.format("again {}", "track_id"), split=pl.lit("test"))
    manifest = tmp_path / "manifest.csv"
    write_manifest(pl.concat([frame, again]), manifest)
    source = manifest
    if in_a_mixture:
        source = Mixture(parts={"mine": Part(manifest=manifest, stores=tmp_path)}, folder=tmp_path)
    for reports in (1, 0):
        caplog.clear()
        data = MusicDataModule(
            manifest=source,
            stores=tmp_path,
            heads=[KeyHead()],
            frontend=MelSpectrogram(sample_rate=16_000, n_mels=96),
            chunk_samples=4000,
        )
        data.open()
        assert caplog.text.count(f"{manifest}: 6 files in more than one split: ") == reports
    (listed,) = tmp_path.rglob("leaks.txt")
    assert f"{again['path'][0]} (" in listed.read_text()
