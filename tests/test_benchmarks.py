"""Every benchmark runs on little data and prints its table."""

import argparse
import importlib.util
import json
import re
import sys
from pathlib import Path
from types import ModuleType

import polars as pl
import pytest
import torch

from musicrec.data.manifest import read_manifest
from musicrec.data.store import store_folder
from musicrec.export.folder import write_export
from musicrec.heads.key import KeyHead
from musicrec.heads.tags import TagHead
from musicrec.heads.tempo import TempoHead
from musicrec.models.frontends.log_frequency import LogFrequencySpectrogram
from musicrec.models.frontends.mel import MelSpectrogram
from musicrec.models.key_net import KeyNet
from musicrec.models.musicnn import MusiCNN
from musicrec.models.short_chunk_resnet import ShortChunkResNet
from musicrec.models.tempo_net import TempoNet

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
FORWARD = "forward pass of the Short-Chunk ResNet"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", ROOT / "benchmarks" / f"{name}.py")
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    return benchmark


@pytest.fixture(autouse=True)
def beside_each_other(monkeypatch: pytest.MonkeyPatch):
    """Let a benchmark import another one, as it can where it runs as a script."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")


@pytest.fixture
def table(program):
    """table(script, *arguments): {first cell of a row: the other cells}."""

    def run(script: str, *arguments: str) -> dict[str, list[str]]:
        printed = program(f"benchmarks/{script}.py", *arguments).stdout
        rows = [re.split(r"\s*\|\s*", line.strip("| ")) for line in printed.splitlines() if line.startswith("| ")]
        return {name: cells for name, *cells in rows}

    return run


def test_cost_of_deformations(table):
    chosen = ("--batch-size", "1", "--turns", "1", "--device", "cpu", "--deformations", "gain,polarity,folder_noise")
    rows = table("deformations", *chosen)
    assert rows.keys() == {"deformation", FORWARD, "gain", "polarity", "folder_noise"}
    assert float(rows[FORWARD][1]) > 0 <= float(rows["gain"][1])


def test_cost_of_presets(table):
    rows = table("augmentation", "--batches", "1", "--batch-size", "2", "--presets", "none,robust", "--device", "cpu")
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


def test_front_ends(table):
    rows = table("frontends", "--batches", "1", "--batch-size", "1", "--device", "cpu")
    assert set(rows) == {
        "front end",
        "equal intervals, musicrec",
        "equal intervals, nnAudio: CQT1992v2",
        "equal intervals, nnAudio: CQT2010v2",
        "mel, musicrec",
        "mel, nnAudio: MelSpectrogram",
    }
    assert all(float(cells[0]) > 0 for name, cells in rows.items() if name != "front end")


def test_cost_of_networks(table):
    asked = ("--batches", "1", "--batch-size", "2", "--device", "cpu", "--overlays", "rendered_corpus=key")
    rows = table("networks", *asked, "--exports", "shipped=key")
    parameters, heard_s, batch, gflop, *_, total_ms, trained, gflop_of_clip, analysed = rows["rendered_corpus=key"]
    assert (parameters, heard_s, batch) == ("15,794", "15.0", "2") and 0 < float(gflop) < 1 < float(total_ms)
    assert float(trained) == pytest.approx(1000 / float(total_ms), rel=0.1)
    assert float(gflop) < 3 * float(gflop_of_clip)  # two chunks forward, against one forward and backward
    shipped = rows["shipped"]  # in analysis only
    assert shipped[1] == "15.0" and not any(shipped[2:-2])
    assert float(analysed) > 0 and float(shipped[-1]) > 0


def test_training_is_timed(program, tiny_music: Path, tmp_path: Path):
    """The sides run in this process; one process for each would import everything three times."""
    (tmp_path / "audio").symlink_to(tiny_music.parent / "audio")
    (tmp_path / "manifest.csv").write_text(tiny_music.read_text())
    asked = ("--network", "short_chunk_resnet", "--width", "2", "--batch-size", "2", "--steps", "1", "--device", "cpu")
    sides = {}
    for side in ("peak", "musicrec"):
        printed = program(
            "benchmarks/training.py", *asked, "--peak-size", "64", "--side", side, "--folder", str(tmp_path)
        )
        sides[side] = json.loads(printed.stdout.splitlines()[-1])
    assert sides["musicrec"].keys() == {"training", "evaluation"} and min(sides["musicrec"].values()) > 0
    assert sides["peak"]["peak"] > 0


def test_share_of_the_peak(monkeypatch):
    """10 and 20 chunks per second of the published network, on a device that reaches 5 TFLOP/s."""
    monkeypatch.setattr("torch.cuda.get_device_name", lambda: "a GPU")
    training = load("training")
    arguments = argparse.Namespace(
        network="short_chunk_resnet", width=None, device="cuda", precision="32-true", batch_size=2, clock="wall"
    )
    speeds = {"peak": {"peak": [4e12, 5e12]}, "musicrec": {"training": [10.0, 20.0], "evaluation": [30.0]}}
    trained, evaluated = training.rows(arguments, speeds)
    assert (trained["clips_per_s"], trained["least"], trained["most"], evaluated["clips_per_s"]) == (15, 10, 20, 30)
    # 16.8 and 5.7 GFLOP a chunk: tests/test_published.py counts the latter by the architecture.
    assert trained["gflop_per_s"] == pytest.approx(15 * 16.8, rel=0.005)
    assert evaluated["gflop_per_s"] == pytest.approx(30 * 5.7, rel=0.01)
    assert trained["peak_gflop_per_s"] == 5000 and trained["share"] == pytest.approx(15 * 16.8 / 5000, abs=0.001)


def test_the_transform_of_a_gpu_is_counted():
    """Two products of 231 frames, 512 samples and 257 bins; a CPU takes an FFT, which is not counted."""
    recipes = load("recipes")
    with torch.device("meta"):
        network = ShortChunkResNet({"tags": 2}, width=2)
    gpu, cpu = (recipes.operations(network, MelSpectrogram(n_mels=128), 59_049, device=on) for on in ("cuda", "cpu"))
    for on_gpu, on_cpu in zip(gpu, cpu, strict=True):
        assert on_gpu - on_cpu == 2 * 2 * 231 * 512 * 257


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
    """The steps run in this process; one process for each would import everything seven times."""
    benchmark = load("large_manifests")
    frame = benchmark.make_manifest(tmp_path, 500)
    manifest, stores = tmp_path / "manifest.csv", tmp_path / "stores"
    assert read_manifest(manifest).drop("album").equals(read_manifest(tmp_path / "manifest.parquet").drop("album"))
    benchmark.make_store(store_folder(manifest, stores), frame)
    for step in benchmark.STEPS.values():
        seconds, _, peak_mb = benchmark.measured(step, manifest, stores)
        assert seconds >= 0 and peak_mb > 0


def test_startup(tmp_path: Path):
    startup = load("startup")
    (tmp_path / "music" / "audio").mkdir(parents=True)
    (tmp_path / "music" / "audio" / "one.flac").touch()
    commands = {"musicrec --version": ["-m", "musicrec", "--version"], "mistake: no command": ["-m", "musicrec", "ask"]}
    table = startup.measure({"before": ROOT, "now": ROOT}, commands, folder=tmp_path, turns=1)
    assert [column.header for column in table.columns] == ["command", "before: s", "now: s", "before: MB", "now: MB"]
    assert list(table.columns[0].cells) == list(commands)
    assert all(0 < float(cell) < 60 for column in table.columns[1:3] for cell in column.cells)
    with pytest.raises(SystemExit, match="ended with status 2"):
        startup.run(ROOT, ["-m", "musicrec", "ask"])


def test_analysis(table, tiny_music, tmp_path):
    """The stages, the wholes, and a stand-in for Essentia and librosa."""
    tempo = TempoHead()
    write_export(
        tmp_path / "tempo",
        network=TempoNet({"tempo": len(tempo.classes)}, width=8),
        heads=[tempo],
        frontend=MelSpectrogram(n_mels=48),
        metrics={},
        data={},
    )
    tags = TagHead(name="tags", classes=("a", "b"))
    write_export(
        tmp_path / "tags",
        network=ShortChunkResNet({"tags": 2}, width=2),
        heads=[tags],
        frontend=MelSpectrogram(n_mels=128),
        metrics={},
        data={},
    )
    other = tmp_path / "python"
    other.write_text("#!/bin/sh\necho '{\"Essentia: tempo, key\": [6.0, 3.0, 120.0]}'\n")
    other.chmod(0o755)
    exports = f"{tmp_path / 'tempo'},{tmp_path / 'tags'}"
    asked = ("--exports", exports, "--music", str(tiny_music.parent / "audio"), "--most", "2", "--turns", "1")
    rows = table("analysis", *asked, "--others-python", str(other))
    assert {"decoding", "loudness, while decoding", "other descriptors", "tempo: front end", "tags: network"} <= set(
        rows
    )
    assert float(rows["tags: network"][0]) == float(rows["tags: network"][1]) > 0  # shorter than two minutes
    assert float(rows["tempo: front end"][1]) > 0 < float(rows["other descriptors"][0])
    whole, times, processor, _ = map(float, rows["all models"][:4])
    assert whole > 0 < processor and times > 1 and float(rows["decoding alone"][1]) == 1
    assert "without taggers" in rows
    assert (rows["Essentia: tempo, key"][0], rows["Essentia: tempo, key"][2]) == ("3.0000", "1.5000")


@pytest.fixture
def small_musicnn(tmp_path: Path) -> Path:
    return write_export(
        tmp_path / "small",
        network=MusiCNN({"tags": 3}, width=8, chunk_samples=7_936),
        heads=[TagHead(name="tags", classes=("a", "b", "c"))],
        frontend=MelSpectrogram(mel_scale="slaney", mel_norm="slaney", compression="log", padding="zeros"),
        metrics={},
        data={},
    )


def test_musicnn(table, small_musicnn: Path):
    rows = table("musicnn", "--exports", str(small_musicnn), "--batch-size", "2", "--turns", "1")
    sides = {name.split(", ")[1]: cells for name, cells in rows.items() if ", " in name}
    assert [*sides] == ["plain", "maximum first", "compact", "spectrogram"]
    assert all(float(cells[0]) > 0 for cells in sides.values())
    assert float(sides["compact"][3]) < 1e-4 and sides["compact"][2] == "22"


@pytest.mark.parametrize(
    "sides",
    [["torch"], pytest.param(["torch", "onnx", "openvino"], marks=pytest.mark.extra("onnx", "openvino"))],
    ids=",".join,
)
def test_engines(table, small_musicnn: Path, tiny_music: Path, sides: list[str]):
    arguments = ("--recordings", str(tiny_music.parent / "audio"), "--turns", "1", "--threads", "1")
    rows = table("engines", "--exports", str(small_musicnn), *arguments, "--sides", ",".join(sides))
    for side in sides:
        rate, times, change, embedding, same = map(float, rows[f"{small_musicnn}, {side}"])
        assert rate > 0 and times > 0 and change < 1e-5 and embedding < 1e-4 and same == 1.0
    assert float(rows[f"{small_musicnn}, spectrogram"][0]) > 0


@pytest.mark.extra("onnx")
def test_int8(table, tmp_path: Path, tiny_music: Path):
    head = TempoHead()
    network = TempoNet({"tempo": len(head.classes)}, width=8, chunk_samples=48_000).eval()
    folder = tmp_path / "tempo"
    write_export(folder, network=network, heads=[head], frontend=MelSpectrogram(n_mels=48), metrics={}, data={})
    rows = table("int8", "--exports", str(folder), "--manifest", str(tiny_music), "--tracks", "2", "--turns", "1")
    sizes = {}
    for weights in ("float32", "int8 dynamic", "int8 static"):
        rate, sizes[weights], valid, test = rows[f"{folder}, {weights}, onnx"]
        assert float(rate) > 0 and all(scores.startswith("tempo/acc1 ") for scores in (valid, test))
    assert float(sizes["int8 static"]) < float(sizes["float32"])


def test_track_coverage(table, small_musicnn: Path, tiny_music: Path):
    folder = str(tiny_music.parent / "audio")
    rows = table(
        "track_coverage", "--exports", str(small_musicnn), "--folder", folder, "--tracks", "1", "--least-s", "1"
    )
    heard, *cells, another = rows["tags"]  # the last of the rows
    assert heard == "MP3, 128 kbit/s" and all(0 <= float(cell) < 0.5 for cell in cells) and another in "01"


def test_sets(table):
    """The exact set of few tracks, and the time in a small library."""
    rows = table("sets", "--tracks", "8", "--worlds", "1", "--sizes", "50")
    assert float(rows["50"][1]) > 0 and rows["50"][0] == "120 minutes, rise"  # the last of the rows
    if "4 of 8, end" in rows:  # OR-Tools is installed
        _, beam, exact, bound = map(float, rows["4 of 8, end"][:4])
        assert bound - 0.05 < beam <= exact + 1e-4 <= bound + 2e-4


def test_whole_queries(table, tmp_path: Path):
    sides = table("queries", "--rows", "300", "--out", str(tmp_path))
    assert "300" in sides and (tmp_path / "300.sqlite").exists()
    assert all(float(cell.replace(",", "")) > 0 for cell in (sides["300"][1], sides["300"][-1]))


def test_load_on_the_server(table, tmp_path: Path):
    asked = ("--rows", "300", "--clients", "3", "--seconds", "3", "--pause", "0.05", "--out", str(tmp_path))
    rows = table("server", *asked)  # a mistake ends it with status 1
    assert {"audio", "feedback", "query", "search", "table"} == rows.keys() - {"request", "-" * 10}
    assert all(float(rows[name][3].replace(",", "")) > 0 for name in ("search", "query"))


def test_search_in_both_stores(table, tmp_path: Path):
    pytest.importorskip("lancedb", reason="needs LanceDB: pip install 'musicrec[lance]'")
    table("library_search", "--rows", "300", "--queries", "3", "--out", str(tmp_path))
    measured = json.loads((tmp_path / "library_search.json").read_text())["300"]
    assert measured["SQLite"]["recall"] == measured["LanceDB"]["recall"] == 1
    assert (tmp_path / "library_search.png").exists() and not (tmp_path / "300.sqlite").exists()
