"""The programs of experiments/moving_labels."""

import csv
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
import torch

from musicrec.export import write_export
from musicrec.frontend import MelSpectrogram
from musicrec.heads.key import KeyHead
from musicrec.models.short_chunk_resnet import ShortChunkResNet


def test_training_tracks_in_other_keys_or_at_other_tempi_are_left_out(program: Callable, tmp_path: Path):
    rows = {"track_id": list("abcdef"), "split": ["train", "train", "valid", "valid", "test", "test_shift"],
            "key": ["C", "C#", "G", "E", "F", "B"], "bpm": ["120", "90.5", "", "110", "80", "200"]}  # fmt: skip
    pl.DataFrame(rows).write_csv(tmp_path / "all.csv")

    def kept(*chosen: str) -> str:
        out = tmp_path / "narrow.csv"
        program("experiments/moving_labels/narrow.py", str(tmp_path / "all.csv"), *chosen, "--out", str(out))
        return "".join(pl.read_csv(out)["track_id"])

    assert kept("--keys", "C", "G") == "acef"
    assert kept("--bpm", "110", "120") == "adef", "a track without a tempo is none to learn from"


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two networks that have learned nothing."""
    folder = tmp_path_factory.mktemp("exports")
    for seed, name in enumerate(("clean", "moved")):
        torch.manual_seed(seed)
        network = ShortChunkResNet({"key": 24}, n_mels=128, chunk_samples=16_000, width=4, dropout=0.0)
        write_export(folder / name, network=network.eval(), heads=[KeyHead()], frontend=MelSpectrogram(n_mels=128),
                     metrics={}, data={})  # fmt: skip
    return {name: folder / name for name in ("clean", "moved")}


def test_report(program: Callable, exports: dict[str, Path], tiny_music: Path, tmp_path: Path):
    models = [f"{name}={path}" for name, path in exports.items()]
    settings = ["measurement.workers=0", "measurement.excerpt_s=1.5", f"paths.cache={tmp_path}"]
    done = program("experiments/moving_labels/report.py", *models, "--manifest", str(tiny_music), "--splits", "test",
                   "--out", str(tmp_path), "--settings", *settings)  # fmt: skip
    rows = list(csv.DictReader((tmp_path / "key.csv").open()))
    audio = ["clean", "pitch_shift", "time_stretch", "resample", "all deformed"]
    assert [(row["audio"], row["model"]) for row in rows] == [(one, name) for one in audio for name in exports]
    for first, last in zip(rows[::2], rows[1::2], strict=True):
        assert float(last["value"]) - float(first["value"]) == pytest.approx(float(first["last_ahead"]), abs=2e-4)
        assert float(last["last_ahead"]) == 0
    value = {row["audio"]: float(row["value"]) for row in rows if row["model"] == "moved"}
    # Seven conditions of as many tracks each: the last row is their mean.
    mean = (3 * value["pitch_shift"] + 2 * value["time_stretch"] + 2 * value["resample"]) / 7
    assert value["all deformed"] == pytest.approx(mean, abs=2e-4)
    assert "| all deformed |" in done.stdout and (tmp_path / "key.png").stat().st_size > 5_000


@pytest.mark.parametrize("head", ["key", "tempo"])
def test_the_document_says_what_the_table_holds(head: str):
    folder = Path(__file__).parents[1] / "experiments" / "moving_labels"
    text, rows = (folder / "README.md").read_text(), pl.read_csv(folder / f"{head}.csv").to_dicts()
    assert {row["split"] for row in rows} == {"test", "test_shift"} and f"({head}.png)" in text
    for row in rows:
        assert row["low"] < row["value"] < row["high"]
        assert f"{row['value']:.2f} ({row['low']:.2f}–{row['high']:.2f})" in text
    if head == "key":  # "the intervals of the three do not overlap in any row"
        for clean, unmoved, moved in zip(rows[::3], rows[1::3], rows[2::3], strict=True):
            assert unmoved["high"] < clean["low"] and clean["high"] < moved["low"]
