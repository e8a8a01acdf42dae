"""The benchmarks run, and print what they should."""

import importlib.util
import re
import sys
from pathlib import Path

import polars as pl
import pytest

from musicrec.data.manifest import read_manifest
from musicrec.data.store import store_folder
from musicrec.export import write_export
from musicrec.frontend import LogFrequencySpectrogram, MelSpectrogram
from musicrec.heads.key import KeyHead
from musicrec.heads.tempo import TempoHead
from musicrec.models.key_net import KeyNet
from musicrec.models.tempo_net import TempoNet

ROOT = Path(__file__).parents[1]


@pytest.fixture
def table(program):
    """table(script, *arguments): {first cell of a row: the other cells}."""

    def run(script: str, *arguments: str) -> dict[str, list[str]]:
        printed = program(f"benchmarks/{script}.py", *arguments).stdout
        rows = [re.split(r"\s*\|\s*", line.strip("| ")) for line in printed.splitlines() if line.startswith("| ")]
        return {name: cells for name, *cells in rows}

    return run


def test_cost_of_deformations(table):
    rows = table("deformations", "--batch-size", "1", "--turns", "1", "--deformations", "gain,polarity")
    assert rows.keys() == {"deformation", "forward pass of the Short-Chunk ResNet", "gain", "polarity"}
    assert float(rows["forward pass of the Short-Chunk ResNet"][1]) > 0 <= float(rows["gain"][1])


def test_cost_of_presets(table):
    rows = table("augmentation", "--batches", "1", "--batch-size", "2", "--presets", "none,robust")
    assert rows.keys() == {"augment", "training step of the network", "none", "robust"}
    assert float(rows["none"][0]) > 0 and float(rows["robust"][0]) > 0


def test_stretching(table):
    rows = table("stretching", "--rates", "1.05", "--semitones", "1")
    ours, vocoder = rows["musicrec: Signalsmith Stretch"], rows["torchaudio: phase vocoder, window 512"]
    for column in (0, 1):
        (error_db, onsets), (vocoder_db, vocoder_onsets) = (
            map(float, row[column].split(" / ")) for row in (ours, vocoder)
        )
        assert error_db < 2.5 < vocoder_db and onsets > 0.9 > vocoder_onsets


def test_tempo_and_key(table, tiny_music, tmp_path, monkeypatch):
    heads = {"tempo": TempoHead(), "key": KeyHead()}
    networks = {"tempo": TempoNet({"tempo": len(heads["tempo"].classes)}, width=8), "key": KeyNet({"key": 24}, width=8)}
    for name, network in networks.items():
        frontend = LogFrequencySpectrogram() if name == "key" else MelSpectrogram(n_mels=48)
        write_export(tmp_path / name, network=network, heads=[heads[name]], frontend=frontend, metrics={}, data={})
    monkeypatch.setitem(sys.modules, "essentia", None)  # as if it were not installed
    monkeypatch.setenv("COLUMNS", "200")
    exports = f"{tmp_path / 'tempo'},{tmp_path / 'key'}"
    asked = ("--exports", exports, "--manifest", str(tiny_music), "--splits", "test", "--tracks")
    rows = table("tempo_and_key", *asked)
    assert "Essentia" not in rows
    acc1, acc2, fine, keys, mirex = map(float, rows["musicrec"][:5])
    assert fine <= acc1 <= acc2 <= 1 and keys <= mirex <= 1
    tracks = read_manifest(tiny_music).filter(pl.col("split") == "test")
    assert {rows[name][0] for name in tracks["track_id"]} == {f"{bpm:g}" for bpm in tracks["bpm"]}


def test_large_manifests(tmp_path: Path):
    """The steps, in this process: one each would cost the imports seven times."""
    spec = importlib.util.spec_from_file_location("large_manifests", ROOT / "benchmarks" / "large_manifests.py")
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    frame = benchmark.make_manifest(tmp_path, 500)
    manifest, stores = tmp_path / "manifest.csv", tmp_path / "stores"
    assert read_manifest(manifest).drop("album").equals(read_manifest(tmp_path / "manifest.parquet").drop("album"))
    benchmark.make_store(store_folder(manifest, stores), frame)
    for step in benchmark.STEPS.values():
        seconds, _, peak_mb = benchmark.measured(step, manifest, stores)
        assert seconds >= 0 and peak_mb > 0
