"""Scores, their tables and files; every number is compared with arithmetic."""

import csv
import dataclasses
import json
import math
import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from musicrec.errors import ConfigError, MusicrecError
from musicrec.evaluation.bootstrap import Bootstrap
from musicrec.evaluation.calibration import concatenate_predictions
from musicrec.evaluation.head_scores import score_heads
from musicrec.evaluation.report_files import prediction_rows, write_report
from musicrec.evaluation.result import Result, read_result
from musicrec.evaluation.score_tables import print_calibration, print_per_class, print_scores
from musicrec.heads.beat_times import write_beats
from musicrec.heads.beats import BeatHead
from musicrec.heads.classes import ClassHead
from musicrec.heads.key import KeyHead
from musicrec.heads.tags import TagHead
from musicrec.heads.tempo import TempoHead

GENRE = ClassHead(name="genre", column="genre", classes=("jazz", "rock", "[pop]"))
TAGS = TagHead(classes=("piano", "drums", "harp"))
TEMPO = TempoHead()
UNKNOWN = math.nan

# Labels of the four tracks: jazz, rock, rock, none. Predictions: jazz, jazz, rock, rock.
GENRES = torch.eye(3)[[0, 0, 1, 1]] * 0.8 + 0.1, torch.tensor([0.0, 1.0, 1.0, UNKNOWN])
# The ranking is right for piano and wrong for drums; no track has a harp; the last track is unlabelled.
TAG_SCORES = (
    torch.tensor([[0.9, 0.1, 0.5], [0.8, 0.2, 0.5], [0.1, 0.9, 0.5], [0.5, 0.5, 0.5]]),
    torch.tensor([[1.0, 1, 0], [1, 1, 0], [0, 0, 0], [UNKNOWN] * 3]),
)
TEMPI = torch.eye(120)[[72, 72, 72, 72]], torch.full((4,), UNKNOWN)
HEADS = [GENRE, TAGS, TEMPO]
PREDICTIONS = {"test": {"genre": GENRES, "tags": TAG_SCORES, "tempo": TEMPI}}
TRACKS = pl.DataFrame({"split": ["test"] * 4, "track_id": list("abcd"), "artist": ["x", "x", "y", None]})
ABOUT = {"export": "x", "dataset": "set", "manifest": "m.csv", "manifest_hash": "f00", "split_hashes": {"test": "ba1"}}
RESULT = Result(name="x", heads=HEADS, predictions=PREDICTIONS, tracks=TRACKS, about=ABOUT)


@pytest.mark.parametrize(("manifest_hash", "marked"), [("f00", False), ("b" * 64, True), (None, False)])
def test_the_title_marks_a_model_trained_on_other_data(manifest_hash: str | None, marked: bool):
    trained = {"trained_on": {"manifest": "old.csv", "manifest_hash": manifest_hash}}
    about = {**ABOUT, "pooling": "mean", "eval_chunks": None, "calibrated_on": None, **trained}
    lines = dataclasses.replace(RESULT, about=about).title("test")
    assert lines[:2] == ["x", "set, test (tracks and labels ba1)"]
    assert lines[2:] == ["trained on other tracks or labels: old.csv bbbbbbbbbbbb"] * marked


def test_only_labelled_tracks_count():
    genre, tags, tempo = score_heads(PREDICTIONS, HEADS)
    assert (genre.tracks, genre.labelled) == (4, 3) and genre.metrics["accuracy"] == pytest.approx(2 / 3)
    assert (tags.tracks, tags.labelled) == (4, 3) and tags.metrics["roc_auc"] == pytest.approx((1 + 0) / 2)
    assert (tempo.tracks, tempo.labelled) == (4, 0) and math.isnan(tempo.metrics["acc1"])
    assert genre.classes_left_out == ["[pop]"] and tags.classes_left_out == ["harp"]


def test_a_class_that_is_predicted_but_never_true_counts_in_the_mean():
    """Its F1 is zero; it is not left out."""
    answers = torch.eye(3)[[2, 1, 1]], torch.tensor([0.0, 1.0, 1.0])
    (score,) = score_heads({"test": {"genre": answers}}, [GENRE])
    assert score.classes_left_out == []
    assert score.metrics["f1_macro"] == pytest.approx((0 + 1 + 0) / 3)


def test_chance_is_the_score_of_shuffled_answers():
    target = (torch.arange(400) % 4).float()
    head = ClassHead(name="x", column="x", classes=tuple("abcd"))
    (score,) = score_heads({"test": {"x": (torch.eye(4)[target.long()], target)}}, [head])
    assert score.metrics["accuracy"] == 1
    assert score.chance["accuracy"] == pytest.approx(0.25, abs=0.02)
    constant = torch.eye(4)[torch.zeros(400, dtype=torch.long)]
    (score,) = score_heads({"test": {"x": (constant, target)}}, [head])
    assert score.chance["accuracy"] == pytest.approx(0.25), (
        "if every answer is the same, chance is the frequency of that class"
    )


def test_tables_are_plain_text_without_a_terminal(capsys: pytest.CaptureFixture):
    print_scores(score_heads(PREDICTIONS, HEADS), title="a [title]")
    for score in score_heads(PREDICTIONS, HEADS)[:2]:
        print_per_class(score)
    printed = capsys.readouterr().out
    lines = [" ".join(line.split()) for line in printed.splitlines()]
    assert "\x1b" not in printed
    assert "a [title]" in lines, "square brackets are text, not styling"
    assert "| metric | test | chance | tracks |" in lines
    assert any(line.startswith("| genre accuracy | 0.667 |") and line.endswith("| 3 |") for line in lines)
    assert "test: no track is labelled for tempo; left out" in lines
    assert "test: of 4 tracks, only those with a label that the model knows count: genre 3, tags 3" in lines
    assert not any("tempo acc1" in line for line in lines)
    assert "| [pop] | 0 | – | – | – |" in lines
    assert "| piano | 3 | 2 | 0.500 | 1.000 | 1.000 | 1.000 |" in lines
    assert "not in any mean, because test cannot score them: harp" in lines


def test_of_many_classes_the_best_and_the_worst_are_printed(capsys: pytest.CaptureFixture):
    head = TagHead(classes=tuple(f"tag{index:02d}" for index in range(40)))
    target = (torch.arange(100)[:, None] % 2).float().expand(100, 40)
    noise = torch.rand(100, 40, generator=torch.Generator().manual_seed(0))
    (score,) = score_heads({"test": {"tags": (target * torch.linspace(1, 0, 40) + noise, target)}}, [head])
    print_per_class(score)
    printed = capsys.readouterr().out
    assert "tag00" in printed and "tag20" not in printed and printed.count("| tag") == 25  # with the header
    assert "16 more classes in per_class_tags.csv" in printed


def test_files_contain_the_scores(tmp_path: Path):
    scores = score_heads(PREDICTIONS, HEADS)
    write_report(tmp_path, scores, RESULT)
    assert {path.name for path in tmp_path.iterdir()} == {
        "metrics.json",
        "metrics.csv",
        "per_class_genre.csv",
        "per_class_tags.csv",
        "predictions.csv",
        "predictions.safetensors",
        "result.json",
    }
    rows = list(csv.DictReader((tmp_path / "metrics.csv").open()))
    assert {row["head"] for row in rows} == {"genre", "tags"}
    assert list(rows[0]) == ["split", "head", "metric", "value", "chance", "tracks"]
    assert float(rows[0]["value"]) == pytest.approx(2 / 3, abs=1e-6) and rows[0]["metric"] == "accuracy"
    per_class = list(csv.DictReader((tmp_path / "per_class_tags.csv").open()))
    assert [row["roc_auc"] for row in per_class] == ["1.0", "0.0", ""]
    summary = json.loads((tmp_path / "metrics.json").read_text())
    assert summary["export"] == "x" and summary["splits"]["test"]["tracks"] == 4
    assert summary["splits"]["test"]["heads"]["tags"]["classes_left_out"] == ["harp"]
    assert summary["splits"]["test"]["heads"]["tempo"] == {
        "labelled": 0,
        "metrics": dict.fromkeys(("acc1", "acc2", "acc1_2pct", "acc2_2pct")),
        "chance": dict.fromkeys(("acc1", "acc2", "acc1_2pct", "acc2_2pct")),
        "intervals": {},
        "units": {},
        "temperature": 1.0,
        "calibration": {},
        "classes_left_out": [],
    }


def test_predictions_are_written_as_class_names():
    answers = {
        "genre": prediction_rows(GENRE, *GENRES, track_ids=list("abcd"), split="test"),
        "key": prediction_rows(KeyHead(), torch.eye(24)[[21]], torch.tensor([0.0]), track_ids=["a"], split="test"),
        "tempo": prediction_rows(TEMPO, TEMPI[0][:1], torch.tensor([128.0]), track_ids=["a"], split="test"),
    }
    genre = answers["genre"]
    assert genre.columns == ["split", "track_id", "head", "class", "label", "prediction", "probability"]
    assert genre["label"].to_list() == ["jazz", "rock", "rock", None]
    assert genre["prediction"].to_list() == ["jazz", "jazz", "rock", "rock"]
    assert genre["probability"].to_list() == pytest.approx([0.9] * 4)
    assert answers["key"].row(0)[4:6] == ("C major", "A minor")
    assert answers["tempo"].row(0)[4] == "128.0"
    tags = prediction_rows(TAGS, *TAG_SCORES, track_ids=list("abcd"), split="test")
    assert tags.filter(pl.col("track_id") == "c")["class"].to_list() == ["piano", "drums", "harp"]
    assert tags.filter(pl.col("track_id") == "c")["prediction"].to_list() == ["0", "1", "1"]
    assert tags.filter(pl.col("track_id") == "d")["label"].null_count() == 3


def test_beats_are_written_as_grids():
    times = np.arange(0.3, 20, 0.5)
    frames = np.full((2, 2, 1251), 0.02, np.float32)
    frames[0, 0, np.round(times * 62.5).astype(int)] = 0.9
    frames[0, 1, np.round(times[::4] * 62.5).astype(int)] = 0.9
    target = BeatHead().encode(pl.DataFrame({"beats": [write_beats(times, [1, 2, 3, 4] * 10), None]}))
    rows = prediction_rows(BeatHead(), torch.from_numpy(frames), target, track_ids=["a", "b"], split="test")
    assert rows["track_id"].to_list() == ["a", "b"] and rows["probability"].null_count() == 2
    assert rows["label"].to_list() == ["40 beats from 0.30 s", None]
    assert re.fullmatch(r"(119\.9|120\.0).* BPM from 0\.(29|30).* s \(0\..*\)", rows["prediction"][0])
    assert rows["prediction"][1] == "no beat"


def test_parts_of_a_split_with_other_lengths_are_joined():
    short, long = torch.rand(1, 2, 5), torch.rand(2, 2, 8)
    parts = [{"beats": (short, torch.rand(1, 3, 2))}, {"beats": (long, torch.rand(2, 4, 2))}]
    probabilities, target = concatenate_predictions(parts)["beats"]
    assert probabilities.shape == (3, 2, 8) and target.shape == (3, 4, 2)
    assert torch.equal(probabilities[0, :, :5], short[0]) and probabilities[0, :, 5:].isnan().all()
    assert torch.equal(probabilities[1:], long) and target[0, 3].isnan().all()


def test_an_error_names_the_folder_that_cannot_be_written(tmp_path: Path):
    scores = score_heads(PREDICTIONS, HEADS)
    (tmp_path / "nowhere").write_text("a file")
    with pytest.raises(MusicrecError, match=r"cannot write .*nowhere/metrics\.csv: "):
        write_report(tmp_path / "nowhere", scores, RESULT)


def test_intervals_are_printed_and_written_beside_the_values(tmp_path: Path, capsys: pytest.CaptureFixture):
    bootstrap = Bootstrap(resamples=500)
    raw = {"test": {name: probabilities for name, (probabilities, _) in PREDICTIONS["test"].items()}}
    scores = score_heads(PREDICTIONS, HEADS, bootstrap=bootstrap, artists={"test": RESULT.artists("test")}, raw=raw)
    genre = scores[0]
    assert genre.units == {"track": 3, "artist": 2}
    low, high = genre.intervals["track"]["accuracy"]
    assert 0 <= low < 2 / 3 < high <= 1
    assert scores[2].units == {} and scores[2].intervals == {}, "no track is labelled for tempo"
    print_scores(scores, title="x on set", bootstrap=bootstrap)
    print_per_class(genre)
    print_calibration(scores)
    printed = " ".join(capsys.readouterr().out.split())
    assert "| metric | test | 95% by track | 95% by artist | chance | tracks |" in printed
    assert f"| genre accuracy | 0.667 | [{low:.3f}, {high:.3f}] |" in printed
    assert "500 bootstrap resamples of 3 tracks and of 2 artists" in printed
    assert "no interval because all resamples agree" in printed
    assert "| genre | test | 1.00 |" in printed

    write_report(tmp_path, scores, RESULT, bootstrap=bootstrap)
    (row,) = (r for r in csv.DictReader((tmp_path / "metrics.csv").open()) if r["metric"] == "accuracy")
    assert [float(row["low_track"]), float(row["high_track"])] == pytest.approx([low, high], abs=1e-6)
    per_class = list(csv.DictReader((tmp_path / "per_class_genre.csv").open()))
    assert {"f1_low", "f1_high"} <= set(per_class[0])
    summary = json.loads((tmp_path / "metrics.json").read_text())
    assert summary["bootstrap"] == {"resamples": 500, "confidence": 0.95, "seed": 0}
    assert summary["splits"]["test"]["heads"]["genre"]["intervals"]["track"]["accuracy"] == pytest.approx([low, high])


def test_a_result_is_read_back_unchanged(tmp_path: Path):
    RESULT.write(tmp_path)
    again = read_result(tmp_path)
    assert again.heads == HEADS and again.about == ABOUT and again.tracks.equals(TRACKS)
    for head, (probabilities, target) in PREDICTIONS["test"].items():
        assert torch.equal(again.predictions["test"][head][0], probabilities)
        assert torch.equal(again.predictions["test"][head][1].isnan(), target.isnan())
    (tmp_path / "result.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"is not a report of evaluate\.py"):
        read_result(tmp_path)
