"""The estimated size of a store, for files of known lengths; a full disk is reported before any work."""

import shutil
from collections import namedtuple
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import soundfile

from musicrec.data import store_build
from musicrec.data.estimate import estimate
from musicrec.data.store import build_store
from musicrec.data.store_build import with_file_state
from musicrec.errors import StoreError

Usage = namedtuple("Usage", "total used free")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    """60 WAV files of 1 to 3 s, 120 s in all; 50 FLAC files of 2 s, 100 s in all; and two files that are not audio."""
    folder, noise = tmp_path_factory.mktemp("audio"), np.random.default_rng(0).uniform(-0.1, 0.1, 24_000)
    for number in range(60):
        soundfile.write(folder / f"{number:02}.wav", noise[: 8000 * (1 + number % 3)], 8000)
    for number in range(50):
        soundfile.write(folder / f"{number:02}.flac", noise[:16_000], 8000)
    (folder / "empty.wav").touch()
    (folder / "text.flac").write_text("no audio")
    paths = sorted(map(str, folder.iterdir()))
    return pl.DataFrame({"track_id": [Path(path).name for path in paths], "path": paths})


def test_the_estimate_is_accurate_although_few_headers_are_read(files: pl.DataFrame):
    found = estimate(with_file_state(files), sample_rate=16_000, workers=1)
    assert found.audio_s == pytest.approx(220, rel=0.01)
    assert found.store_bytes == pytest.approx(220 * 32_000, rel=0.01)
    halves = estimate(with_file_state(files), sample_rate=16_000, workers=2, timed=False)
    assert halves.build_s is None and found.build_s > 0


def test_files_without_readable_headers_give_no_estimate(tmp_path: Path):
    (tmp_path / "a.wav").write_text("no audio")
    files = with_file_state(pl.DataFrame({"track_id": ["a"], "path": [str(tmp_path / "a.wav")]}))
    assert estimate(files, sample_rate=16_000, workers=1).store_bytes == 0


def test_a_full_disk_is_reported_before_decoding(files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**9, 10**9 - 7_000_000, 7_000_000))
    monkeypatch.setattr(store_build, "decode_track", lambda *a, **k: pytest.fail("nothing is to be decoded"))
    with pytest.raises(
        StoreError, match=r"112 tracks \(0\.1 h\) take about 7\.0 MB, 7\.0 MB are free.*paths\.cache=FOLDER"
    ):
        build_store(files, tmp_path / "store", progress=False)


def test_a_build_announces_what_it_takes_and_a_resumed_one_what_is_left(
    files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    monkeypatch.setattr(store_build, "_ANNOUNCED_FROM", 50)
    build_store(files.filter(pl.col("track_id").str.ends_with("flac")), tmp_path / "store")
    assert "51 tracks to decode, about 0.0 h: they will take 3.2 MB of" in capsys.readouterr().err
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**9, 10**9 - 5_000_000, 5_000_000))
    assert len(build_store(files, tmp_path / "store")) == 110, "7 MB would be too much, the other 4 are not"
