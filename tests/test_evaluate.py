"""evaluate.py as a user runs it, on a model that train.py wrote."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from musicrec.data.manifest import read_manifest, write_manifest


@pytest.fixture(scope="module")
def music(tiny_music: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return ["data=manifest", f"data.manifest={tiny_music}", f"paths.cache={tmp_path_factory.mktemp('cache')}"]


@pytest.fixture(scope="module")
def trained(program: Callable, music: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder with a checkpoint and an export of a network for genre, instruments and tempo."""
    folder = tmp_path_factory.mktemp("trained")
    choices = ["model=short_chunk_resnet", "task=[tags,tempo]", "debug=fast", "trainer.precision=32-true"]
    program("train.py", *music, *choices, f"hydra.run.dir={folder}")
    return folder


@pytest.fixture(scope="module")
def evaluated(
    program: Callable, trained: Path, music: list[str], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str]:
    """The report on the export, and what was printed."""
    folder = tmp_path_factory.mktemp("evaluated")
    done = program(
        "evaluate.py", f"export={trained / 'export'}", *music, "splits=[test,valid]", f"hydra.run.dir={folder}"
    )
    return folder, done.stdout


def test_report_is_complete(evaluated: tuple[Path, str], tiny_music: Path):
    folder, printed = evaluated
    assert {path.name for path in folder.iterdir() if path.is_file()} == {
        "metrics.json",
        "metrics.csv",
        "predictions.csv",
        "per_class_genre.csv",
        "per_class_instruments.csv",
        "per_class_tempo.csv",
        *(
            f"{split}_{picture}.png"
            for split in ("test", "valid")
            for picture in ("genre_confusion", "instruments_curves", "tempo_scatter")
        ),
    }
    summary = json.loads((folder / "metrics.json").read_text())
    assert summary["manifest"] == "manifest.csv" and summary["dataset"] == tiny_music.parent.name
    assert len(summary["manifest_hash"]) == 64 and list(summary["splits"]) == ["test", "valid"]
    for text in ("genre accuracy", "tempo acc2", "chance", "instruments on valid, by class", f"report: {folder}"):
        assert text in printed
    assert "\x1b" not in printed, "plain where there is no terminal"


def test_report_agrees_with_the_training_run(evaluated: tuple[Path, str], trained: Path):
    measured = json.loads((trained / "export" / "metrics.json").read_text())["test"]
    heads = json.loads((evaluated[0] / "metrics.json").read_text())["splits"]["test"]["heads"]
    reported = {f"{head}/{name}": value for head, entry in heads.items() for name, value in entry["metrics"].items()}
    assert len(reported) == 3 + 6 + 4
    assert reported == pytest.approx({name: measured[name] for name in reported}, abs=1e-5)


def test_accuracy_follows_from_the_predictions(evaluated: tuple[Path, str], tiny_music: Path):
    rows = pl.read_csv(evaluated[0] / "predictions.csv", infer_schema_length=None)
    genre = rows.filter(pl.col("head") == "genre", pl.col("split") == "test")
    truth = read_manifest(tiny_music).filter(pl.col("split") == "test")
    assert genre["track_id"].to_list() == truth["track_id"].to_list()
    assert genre["label"].to_list() == truth["genre"].to_list()
    right = (genre["label"] == genre["prediction"]).mean()
    metrics = list(csv.DictReader((evaluated[0] / "metrics.csv").open()))
    (value,) = (
        row["value"] for row in metrics if (row["split"], row["head"], row["metric"]) == ("test", "genre", "accuracy")
    )
    assert float(value) == pytest.approx(right, abs=1e-6)


def test_checkpoint_on_a_set_of_its_own_with_nothing_to_train_on(
    program: Callable, evaluated: tuple[Path, str], trained: Path, tiny_music: Path, tmp_path: Path
):
    """Test tracks only, without tempi: the checkpoint answers as the export did, and tempo is left out in a line. (With
    so few validation tracks the export has no temperature.)"""
    frame = read_manifest(tiny_music).filter(pl.col("split") == "test")
    write_manifest(frame.with_columns(bpm=pl.lit(None, pl.Float64)), tmp_path / "test_only.csv")
    done = program(
        "evaluate.py",
        f"export={trained / 'checkpoints' / 'best.ckpt'}",
        "data=manifest",
        f"data.manifest={tmp_path / 'test_only.csv'}",
        f"paths.cache={tmp_path / 'cache'}",
        f"hydra.run.dir={tmp_path / 'report'}",
        "splits=test",
        "debug=fast",
    )
    assert "test: no track is labelled for tempo; left out" in done.stdout
    assert not list((tmp_path / "report").glob("*tempo*"))
    chosen = pl.col("head") == "genre", pl.col("split") == "test"
    of_export = pl.read_csv(evaluated[0] / "predictions.csv", infer_schema_length=None).filter(*chosen)
    of_checkpoint = pl.read_csv(tmp_path / "report" / "predictions.csv", infer_schema_length=None).filter(*chosen)
    assert of_checkpoint["prediction"].to_list() == of_export["prediction"].to_list()
    assert of_checkpoint["probability"].to_list() == pytest.approx(of_export["probability"].to_list(), abs=1e-5)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ([], "give export=PATH"),
        (["export=nowhere"], "nowhere: there is no such file or folder"),
        (["export=setup.cfg"], "setup.cfg is not a checkpoint of train.py"),
        (["export={export}", "splits=[training]"], "no readable track has split 'training' (splits there: test, train"),
    ],
)
def test_a_mistake_gets_one_message(
    program: Callable, trained: Path, music: list[str], tmp_path: Path, overrides: list[str], message: str
):
    given = [text.format(export=trained / "export") for text in overrides]
    done = program("evaluate.py", *music, f"hydra.run.dir={tmp_path / 'report'}", *given, status=1)
    assert message in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "report" / "metrics.json").exists()
