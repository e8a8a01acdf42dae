"""model=probe as a user runs it: on an export and on a table, from training to the analysis of a file."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

import musicrec
from musicrec.data.manifest import read_manifest
from musicrec.errors import ExportError
from musicrec.export.checkpoint import read_checkpoint
from musicrec.export.folder import read_export, write_export
from musicrec.heads.tags import TagHead
from musicrec.models.frontends.mel import MelSpectrogram
from musicrec.models.musicnn import MusiCNN

pytestmark = pytest.mark.slow
PROBE = [
    "model=probe",
    "task=genre",
    "logger=csv",
    "trainer.max_epochs=3",
    "data.batch_size=16",
    "callbacks.progress=null",
]


@pytest.fixture(scope="module")
def music(tiny_music: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    cache = tmp_path_factory.mktemp("cache")
    return ["data=manifest", f"data.manifest={tiny_music}", f"paths.cache={cache}"]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The export of a small untrained MusiCNN."""
    torch.manual_seed(0)
    frontend = MelSpectrogram(mel_scale="slaney", mel_norm="slaney", compression="log", padding="zeros")
    network, heads = MusiCNN({"mood": 5}, width=8, hidden=12), [TagHead(name="mood", classes=tuple("abcde"))]
    folder = tmp_path_factory.mktemp("encoder") / "export"
    return write_export(folder, network=network, heads=heads, frontend=frontend, metrics={}, data={}, licence="MIT")


@pytest.fixture(scope="module")
def run(program: Callable, music: list[str], encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    program("train.py", *PROBE, *music, f"encoder.model={encoder}", f"hydra.run.dir={folder}")
    return folder


def test_a_run_is_complete_and_keeps_the_encoder(run: Path, encoder: Path):
    config = json.loads((run / "export" / "config.json").read_text())
    assert config["data"]["encoder"] == {"model": str(encoder), "licence": "MIT"}
    ours, theirs = read_export(run / "export").network.encoder.state_dict(), read_export(encoder).network.state_dict()
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in ours.items()) and len(ours) == len(theirs)
    started = read_checkpoint(run / "checkpoints" / "last.ckpt").network
    assert started.input_norm.num_batches_tracked > 0 and started.classifier.linears["genre"].weight.abs().sum() > 0
    assert (run / "metrics.csv").read_text().count("\n") > 3


def test_evaluation_has_the_metrics_of_the_training(run: Path, program: Callable, music: list[str], tmp_path: Path):
    program("evaluate.py", f"export={run}/export", *music, f"hydra.run.dir={tmp_path}", "bootstrap.resamples=100")
    evaluated = {
        row["metric"]: row["value"]
        for row in pl.read_csv(tmp_path / "metrics.csv").to_dicts()
        if row["split"] == "test" and row["head"] == "genre"
    }
    trained = json.loads((run / "export" / "metrics.json").read_text())["test"]
    assert evaluated["accuracy"] == pytest.approx(trained["genre/accuracy"], abs=1e-4)


def test_the_export_analyses_a_file_as_encoder_and_heads_do(run: Path, encoder: Path, tiny_music: Path):
    path = read_manifest(tiny_music)["path"][0]
    analysis, of_encoder = musicrec.load(run / "export").analyze(path), musicrec.load(encoder).analyze(path)
    assert np.allclose(analysis.embedding, of_encoder.embedding, atol=1e-4)
    assert analysis.tags["genre"][0]["probability"] > 0


def test_kept_embeddings_give_the_same_weights(
    run: Path, program: Callable, music: list[str], encoder: Path, tmp_path: Path
):
    settings = [*PROBE, *music, f"encoder.model={encoder}", f"hydra.run.dir={tmp_path}"]
    program("train.py", *settings)
    once, again = (read_checkpoint(folder / "checkpoints" / "last.ckpt").network for folder in (run, tmp_path))
    assert all(torch.equal(tensor, again.state_dict()[name]) for name, tensor in once.state_dict().items())


def test_a_probe_on_a_table(program: Callable, tiny_music: Path, music: list[str], tmp_path: Path):
    """A table that holds the label, so that a probe on it must be right, and no audio is read."""
    frame = read_manifest(tiny_music)
    genres = sorted(frame["genre"].unique())
    values = [[float(genre == name) for name in genres] for genre in frame["genre"]]
    pl.DataFrame({"track_id": frame["track_id"], "embedding": values}).write_parquet(tmp_path / "table.parquet")
    table = ["encoder=table", f"encoder.path={tmp_path / 'table.parquet'}"]
    cache = f"paths.cache={tmp_path / 'cache'}"
    many = ["trainer.max_epochs=20", "optim.lr=0.3", "data.batch_size=8"]
    done = program("train.py", *PROBE, *many, *music, cache, *table, f"hydra.run.dir={tmp_path / 'run'}")
    assert "cannot analyse audio or index music" in done.stdout
    assert not list(tmp_path.glob("cache/stores/*")), "no audio is decoded"
    metrics = json.loads((tmp_path / "run" / "export" / "metrics.json").read_text())["test"]
    known = frame.filter(split="train")["genre"].unique()
    tested = frame.filter(split="test")["genre"]
    assert metrics["genre/accuracy"] == pytest.approx(tested.is_in(known.implode()).mean(), abs=1e-6)
    export = f"export={tmp_path / 'run' / 'export'}"
    report = f"hydra.run.dir={tmp_path / 'report'}"
    done = program("evaluate.py", export, *music, cache, *table, report, "bootstrap.resamples=100")
    assert "accuracy" in done.stdout
    failed = program("evaluate.py", export, *music, cache, status=1)
    assert "encoder=table encoder.path=TABLE" in failed.stderr
    with pytest.raises(ExportError, match="cannot analyse audio"):
        musicrec.load(tmp_path / "run" / "export")


def test_mistakes_are_explained(program: Callable, music: list[str], encoder: Path):
    failed = program("train.py", "model=crnn", "encoder=export", *music, status=1)
    assert "only model=probe has one" in failed.stderr
    failed = program("train.py", *PROBE, *music, f"encoder.model={encoder}", "augment=mixup", status=1)
    assert "augment=none" in failed.stderr
    failed = program("train.py", *PROBE, *music, "encoder=table", "encoder.path=nowhere.parquet", status=1)
    assert "nowhere.parquet: cannot be read" in failed.stderr
