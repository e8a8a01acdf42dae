"""Scores of settings over their seeds, on simulated runs whose means and differences are known."""

import csv
import math
from pathlib import Path

import polars as pl
import pytest
import torch

from musicrec.errors import ConfigError
from musicrec.evaluation.bootstrap import Bootstrap
from musicrec.evaluation.comparison import compare
from musicrec.evaluation.result import Result
from musicrec.evaluation.setting_scores import SettingResults, score_settings
from musicrec.evaluation.setting_tables import print_settings, write_settings
from musicrec.figures.setting_comparison import settings_figure
from musicrec.heads.classes import ClassHead
from musicrec.heads.tags import TagHead

GENRE = ClassHead(name="genre", column="genre", classes=("jazz", "rock"))
MOOD = TagHead(name="mood", columns=("mood",), classes=("calm",))
BOOTSTRAP = Bootstrap(resamples=500)


def result(right: int, *, heads: tuple = (GENRE,), sha: str = "aa") -> Result:
    """Return the result of a model that is right on the first `right` of 100 tracks; an artist has four tracks."""
    target = torch.arange(100) % 2
    hits = torch.arange(100) < right
    answers = {
        "genre": (torch.eye(2)[torch.where(hits, target, 1 - target)], target.float()),
        "mood": (torch.linspace(0, 1, 100)[:, None], (target == 1).float()[:, None]),
    }
    return Result(
        name=f"{right} right",
        heads=list(heads),
        predictions={"test": {head.name: answers[head.name] for head in heads}},
        tracks=pl.DataFrame(
            {
                "split": "test",
                "track_id": [str(track) for track in range(100)],
                "artist": [f"artist {track % 25}" for track in range(100)],
            }
        ),
        about={
            "dataset": "set",
            "manifest_hash": sha,
            "split_hashes": {"test": sha},
            "pooling": "mean",
            "eval_chunks": None,
        },
    )


LOW = SettingResults(params={"optim.lr": 0.001}, results=[result(50), result(54)], minutes=2.0)
HIGH = SettingResults(params={"optim.lr": 0.01}, results=[result(80), result(84)], minutes=3.0)


def test_a_setting_has_the_mean_and_standard_deviation_of_its_runs():
    scores, left_out = score_settings([LOW, HIGH], BOOTSTRAP)
    low, high = (score for score in scores if score.metric == "accuracy")
    assert not left_out and (low.setting, high.setting) == (LOW, HIGH)
    assert low.values == pytest.approx([0.5, 0.54]) and low.mean == pytest.approx(0.52)
    assert low.spread == pytest.approx(0.04 / 2**0.5)
    assert low.primary and low.units == {"track": 100, "artist": 25} and low.tracks == 100
    assert low.difference is None and not low.differences and not low.p_values
    assert high.difference == pytest.approx(0.3)
    # All runs are right on the first 50 tracks, so only the 30 tracks that the settings differ on add to the interval.
    begin, end = high.differences["track"]
    standard_error = math.sqrt(0.3 * 0.7 / 100)
    assert (begin, end) == (pytest.approx(0.3 - 1.96 * standard_error, abs=0.03), pytest.approx(0.39, abs=0.03))
    assert high.p_values["track"] < 0.01


def test_with_one_run_each_the_scores_equal_the_comparison_of_two_models():
    one, two = result(50), result(60)
    scores, _ = score_settings(
        [SettingResults(params={"a": 1}, results=[one]), SettingResults(params={"a": 2}, results=[two])], BOOTSTRAP
    )
    differences, _ = compare(one, two, BOOTSTRAP)
    for expected in differences:
        found = next(s for s in scores if s.metric == expected.metric and s.difference is not None)
        assert found.spread is None
        assert (found.mean, found.differences, found.p_values) == (
            expected.second,
            expected.intervals,
            expected.p_values,
        )


def test_a_head_that_some_run_lacks_is_left_out_and_named():
    both = SettingResults(params={"task": "both"}, results=[result(50, heads=(GENRE, MOOD))])
    scores, left_out = score_settings([both, SettingResults(params={"task": "genre"}, results=[result(60)])], BOOTSTRAP)
    assert {score.head for score in scores} == {"genre"}
    assert left_out == ["mood: 60 right does not have it"]


def test_runs_on_different_tracks_are_rejected():
    with pytest.raises(ConfigError, match="only results on the same tracks and labels can be compared"):
        score_settings([LOW, SettingResults(params={"optim.lr": 1.0}, results=[result(80, sha="bb")])], BOOTSTRAP)


def test_the_table_and_the_file_agree(tmp_path: Path, capsys: pytest.CaptureFixture):
    scores, left_out = score_settings([LOW, HIGH], BOOTSTRAP)
    print_settings(LOW.results, scores, left_out, BOOTSTRAP)
    printed = capsys.readouterr().out
    cells = [
        [cell.strip() for cell in line.split("|")[1:-1]] for line in printed.splitlines() if "| genre accuracy " in line
    ]
    with write_settings(tmp_path, scores, BOOTSTRAP).open() as file:
        rows = [row for row in csv.DictReader(file) if row["metric"] == "accuracy"]
    assert [row[:5] for row in cells] == [
        ["genre accuracy", "0.001", "2", "2.0", "0.520"],
        ["genre accuracy", "0.01", "2", "3.0", "0.820"],
    ]
    assert [(row["optim.lr"], float(row["mean"]), row["runs"]) for row in rows] == [
        ("0.001", 0.52, "2"),
        ("0.01", 0.82, "2"),
    ]
    assert cells[1][6] == f"[{float(rows[1]['low_artist']):.3f}, {float(rows[1]['high_artist']):.3f}]"
    assert cells[1][8] == "+0.300" and float(rows[1]["difference"]) == pytest.approx(0.3) and not rows[0]["difference"]
    assert "500 paired bootstrap resamples of 100 tracks and 25 artists" in printed


def test_the_figure_shows_means_intervals_and_runs():
    scores, _ = score_settings([LOW, HIGH], BOOTSTRAP)
    figure = settings_figure(scores, dataset="set", confidence=0.95)
    (axes,) = figure.axes
    (bars,) = axes.containers
    assert bars.lines[0].get_ydata().tolist() == pytest.approx([0.52, 0.82])
    ends = bars.lines[2][0].get_segments()[0][:, 1].tolist()
    assert ends == pytest.approx(next(s for s in scores if s.metric == "accuracy").intervals["artist"])
    runs = [point for dots in axes.collections[1:] for point in dots.get_offsets()[:, 1].tolist()]
    assert runs == pytest.approx([0.5, 0.54, 0.8, 0.84])
    first, second = axes.get_xticks()
    assert second - first == pytest.approx(1) and axes.get_xlabel() == "optim.lr (logarithmic)"
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0.001", "0.01"]
    assert settings_figure([], dataset="set", confidence=0.95) is None


def test_the_axis_names_every_parameter_of_a_setting():
    scores, _ = score_settings(
        [SettingResults(params={"model": "crnn", "optim.lr": lr}, results=[result(50)]) for lr in (0.1, 0.2)], BOOTSTRAP
    )
    (axes,) = settings_figure(scores, dataset="set", confidence=0.95).axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["crnn\n0.1", "crnn\n0.2"]
    assert axes.get_xlabel() == "top to bottom: model, optim.lr"
