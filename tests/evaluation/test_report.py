"""Scores, the tables made of them, and the files: every number against arithmetic."""

import csv
import json
import math
from pathlib import Path

import polars as pl
import pytest
import torch

from musicrec.errors import MusicrecError
from musicrec.evaluation.files import prediction_rows, write_report
from musicrec.evaluation.report import print_metrics, print_per_class, score_heads
from musicrec.heads.classes import ClassHead
from musicrec.heads.key import KeyHead
from musicrec.heads.tags import TagHead
from musicrec.heads.tempo import TempoHead

GENRE = ClassHead(name="genre", column="genre", classes=("jazz", "rock", "[pop]"))
TAGS = TagHead(classes=("piano", "drums", "harp"))
TEMPO = TempoHead()
UNKNOWN = math.nan

# Four tracks: jazz, rock, rock, unlabelled; said: jazz, jazz, rock, rock.
GENRES = torch.eye(3)[[0, 0, 1, 1]] * 0.8 + 0.1, torch.tensor([0.0, 1.0, 1.0, UNKNOWN])
# Piano ranked rightly, drums wrongly, no harp; the last track unlabelled.
TAG_SCORES = (
    torch.tensor([[0.9, 0.1, 0.5], [0.8, 0.2, 0.5], [0.1, 0.9, 0.5], [0.5, 0.5, 0.5]]),
    torch.tensor([[1.0, 1, 0], [1, 1, 0], [0, 0, 0], [UNKNOWN] * 3]),
)
TEMPI = torch.eye(120)[[72, 72, 72, 72]], torch.full((4,), UNKNOWN)
HEADS = [GENRE, TAGS, TEMPO]
PREDICTIONS = {"test": {"genre": GENRES, "tags": TAG_SCORES, "tempo": TEMPI}}


def test_scores_count_labelled_tracks_only():
    genre, tags, tempo = score_heads(PREDICTIONS, HEADS)
    assert (genre.tracks, genre.labelled) == (4, 3) and genre.metrics["accuracy"] == pytest.approx(2 / 3)
    assert (tags.tracks, tags.labelled) == (4, 3) and tags.metrics["roc_auc"] == pytest.approx((1 + 0) / 2)
    assert (tempo.tracks, tempo.labelled) == (4, 0) and math.isnan(tempo.metrics["acc1"])
    assert genre.classes_left_out == ["[pop]"] and tags.classes_left_out == ["harp"]


def test_an_answer_that_is_no_label_counts_against_the_mean():
    """A class said but never true has an F1 of zero; it is not left out."""
    answers = torch.eye(3)[[2, 1, 1]], torch.tensor([0.0, 1.0, 1.0])
    (score,) = score_heads({"test": {"genre": answers}}, [GENRE])
    assert score.classes_left_out == []
    assert score.metrics["f1_macro"] == pytest.approx((0 + 1 + 0) / 3)


def test_chance_is_what_shuffled_answers_score():
    target = (torch.arange(400) % 4).float()
    head = ClassHead(name="x", column="x", classes=tuple("abcd"))
    (score,) = score_heads({"test": {"x": (torch.eye(4)[target.long()], target)}}, [head])
    assert score.metrics["accuracy"] == 1
    assert score.chance["accuracy"] == pytest.approx(0.25, abs=0.02)
    constant = torch.eye(4)[torch.zeros(400, dtype=torch.long)]
    (score,) = score_heads({"test": {"x": (constant, target)}}, [head])
    assert score.chance["accuracy"] == pytest.approx(0.25), "always the same answer: chance is its frequency"


def test_tables_are_plain_where_there_is_no_terminal(capsys: pytest.CaptureFixture):
    print_metrics(PREDICTIONS, HEADS, title="a [title]")
    for score in score_heads(PREDICTIONS, HEADS)[:2]:
        print_per_class(score)
    printed = capsys.readouterr().out
    lines = [" ".join(line.split()) for line in printed.splitlines()]
    assert "\x1b" not in printed
    assert "a [title]" in lines, "square brackets are text, not styling"
    assert "| metric | test | chance | tracks |" in lines
    assert any(line.startswith("| genre accuracy | 0.667 |") and line.endswith("| 3 |") for line in lines)
    assert "test: no track is labelled for tempo; left out" in lines
    assert "test: of 4 tracks, those count that have a label the model knows: genre 3, tags 3" in lines
    assert not any("tempo acc1" in line for line in lines)
    assert "| [pop] | 0 | – | – | – |" in lines
    assert "| piano | 3 | 2 | 0.500 | 1.000 | 1.000 | 1.000 |" in lines
    assert "no metric counts these, as test cannot tell: harp" in lines


def test_of_many_classes_the_ends_are_shown(capsys: pytest.CaptureFixture):
    head = TagHead(classes=tuple(f"tag{index:02d}" for index in range(40)))
    target = (torch.arange(100)[:, None] % 2).float().expand(100, 40)
    noise = torch.rand(100, 40, generator=torch.Generator().manual_seed(0))
    (score,) = score_heads({"test": {"tags": (target * torch.linspace(1, 0, 40) + noise, target)}}, [head])
    print_per_class(score)
    printed = capsys.readouterr().out
    assert "tag00" in printed and "tag20" not in printed and printed.count("| tag") == 25  # with the header
    assert "16 more classes in per_class_tags.csv" in printed


def test_files_hold_the_scores(tmp_path: Path):
    scores = score_heads(PREDICTIONS, HEADS)
    write_report(tmp_path, scores, PREDICTIONS, track_ids={"test": list("abcd")}, about={"export": "x"})
    assert {path.name for path in tmp_path.iterdir()} == {
        "metrics.json",
        "metrics.csv",
        "per_class_genre.csv",
        "per_class_tags.csv",
        "predictions.csv",
    }
    rows = list(csv.DictReader((tmp_path / "metrics.csv").open()))
    assert {row["head"] for row in rows} == {"genre", "tags"}
    assert list(rows[0]) == ["split", "head", "metric", "value", "chance"]
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
        "classes_left_out": [],
    }


def test_predictions_are_in_words():
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


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path):
    scores = score_heads(PREDICTIONS, HEADS)
    with pytest.raises(MusicrecError, match=r"cannot write the report to .*nowhere"):
        write_report(tmp_path / "nowhere", scores, PREDICTIONS, track_ids={"test": list("abcd")}, about={})
