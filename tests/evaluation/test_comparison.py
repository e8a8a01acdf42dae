"""Comparison of two simulated models whose difference is known."""

import csv
import dataclasses
import json
import math
from pathlib import Path

import polars as pl
import pytest
import torch
from scipy import stats

from musicrec.errors import ConfigError
from musicrec.evaluation.bootstrap import Bootstrap
from musicrec.evaluation.comparison import compare, print_comparison, write_comparison
from musicrec.evaluation.result import Result
from musicrec.heads.classes import ClassHead
from musicrec.heads.tags import TagHead
from musicrec.heads.tempo import TempoHead

GENRE = ClassHead(name="genre", column="genre", classes=("jazz", "rock"))
BOOTSTRAP = Bootstrap(resamples=2000)


def result(name: str, right: list[bool], *, heads: list | None = None, sha: str = "aa") -> Result:
    """Return the result of a model that is right or wrong on each track; with 100 tracks, an artist has four."""
    target = torch.arange(len(right)) % 2
    predicted = torch.where(torch.tensor(right), target, 1 - target)
    return Result(
        name=name,
        heads=heads or [GENRE],
        predictions={"test": {"genre": (torch.eye(2)[predicted], target.float())}},
        tracks=pl.DataFrame(
            {
                "split": "test",
                "track_id": [str(i) for i in range(len(right))],
                "artist": [f"artist {i % 25}" for i in range(len(right))],
            }
        ),
        about={
            "dataset": "set",
            "manifest": "m.csv",
            "manifest_hash": sha,
            "split_hashes": {"test": sha},
            "pooling": "mean",
            "eval_chunks": None,
            "calibrated_on": None,
        },
    )


# Of 100 tracks, both models are right on 60, only A on 5, only B on 20.
A = result("A", [True] * 60 + [True] * 5 + [False] * 20 + [False] * 15)
B = result("B", [True] * 60 + [False] * 5 + [True] * 20 + [False] * 15)


def test_interval_and_p_value_are_those_of_paired_data():
    differences, left_out = compare(A, B, BOOTSTRAP)
    accuracy = next(d for d in differences if d.metric == "accuracy")
    assert (accuracy.first, accuracy.second) == pytest.approx((0.65, 0.80)) and left_out == []
    error = math.sqrt((0.25 - 0.15**2) / 100)  # of the mean of 20 values +1, 5 values -1 and 75 values 0
    assert accuracy.intervals["track"] == pytest.approx((0.15 - 1.96 * error, 0.15 + 1.96 * error), abs=0.015)
    mcnemar = stats.binomtest(5, 25).pvalue
    assert accuracy.p_values["track"] == pytest.approx(mcnemar, abs=0.004)
    assert accuracy.units == {"track": 100, "artist": 25} and accuracy.better == "second"


def test_the_interval_by_artist_decides_which_model_is_better():
    """The interval by track decides if there are no artists."""
    accuracy = next(d for d in compare(A, B, BOOTSTRAP)[0] if d.metric == "accuracy")
    assert accuracy.intervals["track"][0] > 0 and list(accuracy.intervals) == ["track", "artist"]
    unsure = dataclasses.replace(accuracy, intervals={**accuracy.intervals, "artist": (-0.1, 0.4)})
    assert (accuracy.better, unsure.better) == ("second", "")
    assert dataclasses.replace(accuracy, intervals={"track": accuracy.intervals["track"]}).better == "second"


def test_swapping_the_models_changes_only_the_sign():
    there, back = ({d.metric: d for d in compare(*pair, BOOTSTRAP)[0]} for pair in ((A, B), (B, A)))
    for metric, difference in there.items():
        low, high = difference.intervals["track"]
        assert back[metric].intervals["track"] == pytest.approx((-high, -low), abs=1e-9)
        assert back[metric].p_values == pytest.approx(difference.p_values)
    assert back["accuracy"].better == "first"


def test_a_model_does_not_differ_from_itself():
    differences, _ = compare(A, A, BOOTSTRAP)
    assert all(d.second - d.first == 0 and d.better == "" and math.isnan(d.p_values["track"]) for d in differences)


def test_equally_good_models_rarely_have_a_small_p_value():
    generator, found = torch.Generator().manual_seed(0), 0
    for simulation in range(100):
        answers = [(torch.rand(60, generator=generator) < 0.7).tolist() for _ in range(2)]
        bootstrap = Bootstrap(resamples=200, units=["track"], seed=simulation)
        differences, _ = compare(result("A", answers[0]), result("B", answers[1]), bootstrap)
        found += next(d for d in differences if d.metric == "accuracy").p_values["track"] < 0.05
    assert found <= 11, "5 of 100 by chance"


@pytest.mark.parametrize(
    "other",
    [
        result("B", [True] * 100, sha="bb"),
        dataclasses.replace(
            B, predictions={"valid": B.predictions["test"]}, about={**B.about, "split_hashes": {"valid": "aa"}}
        ),
        result("B", [True] * 99),
    ],
    ids=["labels", "split", "tracks"],
)
def test_results_on_different_data_are_rejected(other: Result):
    with pytest.raises(ConfigError, match=r"A was evaluated on set test \(aa\), B on set .* can be compared"):
        compare(A, other, BOOTSTRAP)


def test_heads_that_cannot_be_compared_are_named():
    both = torch.tensor([[0.9, 0.1], [0.2, 0.8]] * 50), torch.tensor([[1.0, 0.0], [0.0, 1.0]] * 50)
    bpm = torch.eye(120)[torch.full((100,), 72)], torch.full((100,), 120.0)
    one = dataclasses.replace(
        A,
        heads=[GENRE, TagHead(classes=("a", "b")), TempoHead()],
        predictions={"test": {**A.predictions["test"], "tags": both, "tempo": bpm}},
    )
    two = dataclasses.replace(
        one,
        name="B",
        heads=[TagHead(classes=("a", "c")), TempoHead(classes_per_octave=12)],
        predictions={"test": {"tags": both, "tempo": (torch.eye(40)[torch.full((100,), 24)], bpm[1])}},
    )
    differences, left_out = compare(one, two, BOOTSTRAP)
    assert {d.head for d in differences} == {"tempo"}, "tempi are compared in BPM, whatever the classes"
    assert left_out == ["genre: only A has it", "tags: the classes or ranges of the models differ"]


def test_table_and_files_name_the_better_model(tmp_path: Path, capsys: pytest.CaptureFixture):
    differences, _ = compare(A, B, BOOTSTRAP)
    print_comparison(A, B, differences, ["x: only A has it"], BOOTSTRAP)
    printed = " ".join(capsys.readouterr().out.split())
    assert "A: A, set, test (tracks and labels aa) B: B, set" in printed and "not compared: x: only A has it" in printed
    assert "| genre accuracy | 0.650 | 0.800 | +0.150 |" in printed and "| B | 100 |" in printed
    assert (
        "2000 paired bootstrap resamples of 100 tracks, 25 artists; better where the last interval excludes" in printed
    )
    write_comparison(tmp_path, A, B, differences, BOOTSTRAP)
    rows = list(csv.DictReader((tmp_path / "comparison.csv").open()))
    summary = json.loads((tmp_path / "comparison.json").read_text())
    assert [row["metric"] for row in rows] == [row["metric"] for row in summary["differences"]]
    assert float(rows[0]["difference"]) == summary["differences"][0]["difference"] == pytest.approx(0.15)
    assert rows[0]["better"] == "second" and summary["split_hashes"] == {"test": "aa"}
