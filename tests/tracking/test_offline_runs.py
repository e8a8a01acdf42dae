"""What a training writes to W&B, read from its offline files."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
import soundfile

pytestmark = pytest.mark.slow

FAST = ["debug=fast", "model=short_chunk_resnet", "task=[genre,instruments,key]"]
FAST += ["trainer.max_epochs=2", "trainer.log_every_n_steps=1"]


@pytest.fixture(scope="module")
def sweep(program: Callable, tiny_music: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a multirun whose first job fails, because its loss soon becomes NaN."""
    folder = tmp_path_factory.mktemp("sweep") / "rates"
    program(
        "train.py", *FAST, "-m", "optim.lr=1e30,1e-3", "data=manifest", f"data.manifest={tiny_music}", "logger=default",
        f"paths.cache={tmp_path_factory.mktemp('cache')}", f"hydra.sweep.dir={folder}", status=1,
    )  # fmt: skip
    return folder


def test_two_jobs_are_two_runs_of_one_group_even_if_one_fails(sweep: Path, offline_runs: Callable):
    (bad,), (good,) = offline_runs(sweep / "0"), offline_runs(sweep / "1")
    assert good.run.run_id != bad.run.run_id
    assert [(r.run.display_name, r.run.run_group) for r in (good, bad)] == [
        ("short_chunk_resnet-1", "rates"), ("short_chunk_resnet-0", "rates"),
    ]  # fmt: skip
    assert (good.exit_code, bad.exit_code) == (0, 1)
    assert (good.config["optim"]["lr"], bad.config["optim"]["lr"]) == (1e-3, 1e30)
    assert "val/score" in good.history and "val/score" not in bad.history


def test_configuration_and_metrics(sweep: Path, offline_runs: Callable):
    (run,) = offline_runs(sweep / "1")
    assert run.config["model"]["width"] == 8 and run.config["run"] == {"folder": str(sweep / "1"), "job": 1}
    for key in ("train/loss_step", "lr-AdamW", "speed/step_s", "speed/chunks_per_s", "speed/valid_tracks_per_s"):
        assert run.history[key] and all(value > 0 for value in run.history[key]), key
    assert all(0 <= share < 1 for share in run.history["speed/input_share"])
    assert len(run.history["val/score"]) == 2


def test_summary_has_the_best_validation_and_the_test_results(sweep: Path, offline_runs: Callable):
    """Every value is a number under its own key, so that runs can be sorted by it."""
    (run,) = offline_runs(sweep / "1")
    assert run.summary["best/val/score"] == pytest.approx(max(run.history["val/score"]))
    measured = json.loads((sweep / "1" / "export" / "metrics.json").read_text())["test"]
    assert len(measured) > 5
    for name, value in measured.items():
        assert run.summary[f"test/{name}"] == pytest.approx(value, abs=1e-6)


def test_results_are_tables_charts_and_figures(sweep: Path, offline_runs: Callable):
    (run,) = offline_runs(sweep / "1")
    tables = run.folder / "files" / "media" / "table"
    (table,) = (tables / "per_class" / "test").glob("instruments_*.table.json")
    columns = ["class", "tracks", "positives", "threshold", "roc_auc", "pr_auc", "f1"]
    assert json.loads(table.read_text())["columns"] == columns
    (chart,) = (tables / "confusion" / "test").glob("genre_*.table.json")
    counts = json.loads(chart.read_text())["data"]
    genres = pl.read_csv(sweep / "1" / "metrics.csv")
    accuracy = genres["test/genre/accuracy"].drop_nulls()[0]
    assert sum(count for _, _, count in counts) == 4, "one count per track of the test split"
    assert sum(count for truth, answer, count in counts if truth == answer) == pytest.approx(4 * accuracy)
    pictures = run.folder / "files" / "media" / "images" / "pictures"
    assert {path.name.rsplit("_", 2)[0] for path in pictures.iterdir()} == {
        "test_genre_confusion", "test_instruments_curves", "test_key_confusion",
        "test_genre_reliability", "test_instruments_reliability", "test_key_reliability",
    }  # fmt: skip
    (shown,) = (run.folder / "files" / "media" / "images" / "examples").glob("pictures_*.png")
    (sound,) = (run.folder / "files" / "media" / "audio" / "examples").glob("audio_*.wav")
    assert shown.stat().st_size < 200_000 and soundfile.info(sound).duration == pytest.approx(6.0, abs=0.01)


def test_lineage_leads_from_the_manifest_to_the_export(sweep: Path, offline_runs: Callable, tiny_music: Path):
    (run,) = offline_runs(sweep / "1")
    used, made = run.artifacts[f"manifest-{tiny_music.parent.name}"], run.artifacts["export-short_chunk_resnet"]
    assert used.use_after_commit and not made.use_after_commit
    assert [(entry.path, entry.ref) for entry in used.manifest.contents] == [("manifest.csv", tiny_music.as_uri())]
    assert {entry.path for entry in made.manifest.contents} == {
        "README.md", "config.json", "metrics.json", "model.safetensors",
    }  # fmt: skip
    assert all(Path(entry.local_path).parent == sweep / "1" / "export" for entry in made.manifest.contents), (
        "the export is not copied"
    )
    exported = json.loads((sweep / "1" / "export" / "config.json").read_text())["data"]["manifest_hash"]
    hashes = json.loads(used.metadata)["manifest_hash"], json.loads(made.metadata)["data"]["manifest_hash"]
    assert hashes == (exported, exported) and run.config["manifest"]["manifest_hash"] == exported


def test_all_files_to_upload_are_in_the_run_folder(sweep: Path, offline_runs: Callable):
    (run,) = offline_runs(sweep / "1")
    paths = [entry.local_path for artifact in run.artifacts.values() for entry in artifact.manifest.contents]
    assert len([path for path in paths if path]) > 4
    for path in paths:
        assert not path or (Path(path).is_file() and sweep / "1" in Path(path).parents)


def test_wandb_sync_finds_them(sweep: Path, offline_runs: Callable):
    """The command of docs/wandb.md, up to where it needs an account."""
    offline_runs(sweep)
    folders = [str(path) for path in sweep.rglob("offline-run-*") if path.is_dir()]
    command = [sys.executable, "-m", "wandb", "sync", "--dry-run", *folders]
    loud = {name: value for name, value in os.environ.items() if name != "WANDB_SILENT"}
    done = subprocess.run(command, capture_output=True, text=True, env=loud)
    assert done.returncode == 0 and "Would sync 2 run(s)" in done.stdout + done.stderr, done.stdout + done.stderr
