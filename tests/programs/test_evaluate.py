"""evaluate.py on the command line, with a model that train.py trained."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from musicrec.data.manifest import read_manifest, write_manifest

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def music(tiny_music: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return ["data=manifest", f"data.manifest={tiny_music}", f"paths.cache={tmp_path_factory.mktemp('cache')}"]


@pytest.fixture(scope="module")
def trained(program: Callable, music: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run folder with a checkpoint and an export of a network for genre, instruments and tempo."""
    folder = tmp_path_factory.mktemp("trained")
    choices = ["model=short_chunk_resnet", "task=[tags,tempo]", "debug=fast", "trainer.precision=32-true"]
    program("train.py", *music, *choices, f"hydra.run.dir={folder}")
    return folder


@pytest.fixture(scope="module")
def evaluated(
    program: Callable, trained: Path, music: list[str], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str]:
    """The report on the export, and the output."""
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
        "predictions.safetensors",
        "result.json",
        "per_class_genre.csv",
        "per_class_instruments.csv",
        "per_class_tempo.csv",
        *(
            f"{split}_{picture}.png"
            for split in ("test", "valid")
            for picture in (
                "genre_confusion",
                "genre_reliability",
                "instruments_curves",
                "instruments_reliability",
                "tempo_scatter",
            )
        ),
    }
    summary = json.loads((folder / "metrics.json").read_text())
    assert summary["manifest"] == "manifest.csv" and summary["dataset"] == tiny_music.parent.name
    assert len(summary["manifest_hash"]) == 64 and list(summary["splits"]) == ["test", "valid"]
    for text in ("genre accuracy", "tempo acc2", "chance", "instruments on valid, by class", f"report: {folder}",
                 "95% by track", "95% by artist", "2000 bootstrap resamples", "calibration: raw"):  # fmt: skip
        assert text in printed
    assert "\x1b" not in printed, "plain text without a terminal"


def test_report_agrees_with_the_training_run(evaluated: tuple[Path, str], trained: Path):
    measured = json.loads((trained / "export" / "metrics.json").read_text())["test"]
    heads = json.loads((evaluated[0] / "metrics.json").read_text())["splits"]["test"]["heads"]
    reported = {f"{head}/{name}": value for head, entry in heads.items() for name, value in entry["metrics"].items()}
    assert len(reported) == 3 + 6 + 4
    assert reported == pytest.approx({name: measured[name] for name in reported}, abs=1e-5)


def test_accuracy_agrees_with_the_predictions(evaluated: tuple[Path, str], tiny_music: Path):
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


def test_checkpoint_on_a_manifest_without_training_tracks(
    program: Callable, evaluated: tuple[Path, str], trained: Path, tiny_music: Path, tmp_path: Path
):
    """On a manifest of test tracks without tempi the checkpoint predicts like the export, and tempo is left out.

    With so few validation tracks the export has no temperature.
    """
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
        (["export={export}", "compare=[a,b]"], "give one of them"),
        (["compare=[a]"], "a comparison requires two reports"),
        (["compare=[a,b]"], "a is not a report of evaluate.py"),
        (["export={export}", "pooling=median"], "pooling=median: choose mean, max or attention"),
        (["export={export}", "bootstrap.resamples=3"], "bootstrap.resamples=3: give a whole number, 100 or more"),
        (["export=[{export},{export}]", "bootstrap=null"], "bootstrap=null: a comparison requires the bootstrap"),
        (["export={export}", "calibrate=validation"], "no readable track has split 'validation'"),
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
    assert not (tmp_path / "report").exists(), "a folder without results is removed"


def test_a_manifest_without_labels_is_rejected(
    program: Callable, trained: Path, tiny_music: Path, music: list[str], tmp_path: Path
):
    manifest = tiny_music.with_name("unlabelled.csv")
    pl.read_csv(tiny_music).select("track_id", "path", "split").write_csv(manifest)
    given = [
        *music,
        f"data.manifest={manifest}",
        f"export={trained / 'export'}",
        f"hydra.run.dir={tmp_path / 'report'}",
    ]
    done = program("evaluate.py", *given, status=1)
    assert "no track of test has a label for genre, instruments, tempo" in " ".join(done.stderr.split())
    assert not (tmp_path / "report").exists()


@pytest.fixture(scope="module")
def pooled(program: Callable, trained: Path, music: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Evaluate the export with other pooling and chunks, and a new calibration."""
    folder = tmp_path_factory.mktemp("pooled")
    choices = ["pooling=max", "data.eval_chunks=2", "calibrate=train", "bootstrap.resamples=100", "plots=false"]
    program("evaluate.py", f"export={trained / 'export'}", *music, *choices, f"hydra.run.dir={folder}")
    return folder


def test_reports_on_the_same_split_are_compared_and_others_are_rejected(
    program: Callable, evaluated: tuple[Path, str], pooled: Path, trained: Path, music: list[str], tmp_path: Path
):
    message = program("evaluate.py", f"compare=[{evaluated[0]},{pooled}]", f"hydra.run.dir={tmp_path}", status=1).stderr
    assert "can be compared; evaluate both in one command" in " ".join(message.split())
    assert not (tmp_path / "comparison.json").exists()
    mean = tmp_path / "mean"
    program("evaluate.py", f"export={trained / 'export'}", *music, "bootstrap=null", "plots=false",
            f"hydra.run.dir={mean}")  # fmt: skip
    done = program("evaluate.py", f"compare=[{mean},{pooled}]", "bootstrap.resamples=100", f"hydra.run.dir={tmp_path}")
    assert "| genre accuracy" in done.stdout and "100 paired bootstrap resamples" in done.stdout
    rows = list(csv.DictReader((tmp_path / "comparison.csv").open()))
    assert {row["head"] for row in rows} == {"genre", "instruments", "tempo"} and {row["tracks"] for row in rows} == {
        "4"
    }


def test_another_pooling_is_calibrated_again_and_writes_no_export(pooled: Path):
    about = json.loads((pooled / "metrics.json").read_text())
    assert (about["pooling"], about["eval_chunks"], about["calibrated_on"]) == ("max", 2, "train")
    assert not (pooled / "export").exists(), "an export always uses the mean"


def test_two_exports_are_compared_in_one_command(program: Callable, trained: Path, music: list[str], tmp_path: Path):
    """With a new calibration the same network is another model, which the second command compares with the first."""
    choices = [*music, "bootstrap.resamples=100", "plots=false"]
    done = program(
        "evaluate.py", f"export={trained / 'export'}", *choices, "calibrate=train", f"hydra.run.dir={tmp_path / 'one'}"
    )
    again = tmp_path / "one" / "export"
    assert f"export: {again}" in done.stdout
    config = json.loads((again / "config.json").read_text())
    assert config["calibration"]["split"] == "train" and config["data"]["manifest"] == "manifest.csv"
    thresholds = {head["name"]: head.get("thresholds") for head in config["heads"]}
    assert thresholds["instruments"] and thresholds["tempo"] is None
    done = program(
        "evaluate.py", f"export=[{trained / 'export'},{again}]", *choices, f"hydra.run.dir={tmp_path / 'both'}"
    )
    assert f"A: {trained / 'export'}" in done.stdout and f"B: {again}" in done.stdout
    assert {path.name for path in (tmp_path / "both").iterdir()} >= {"0", "1", "comparison.csv", "comparison.json"}
    rows = {row["metric"]: row for row in csv.DictReader((tmp_path / "both" / "comparison.csv").open())}
    assert float(rows["roc_auc"]["difference"]) == 0, "thresholds do not change the ranking"
