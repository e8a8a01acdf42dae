"""The table that compares runs."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from musicrec.errors import ConfigError
from musicrec.runs.compare import compare_runs, print_runs, write_runs


@pytest.fixture
def runs(tmp_path: Path, make_run: Callable) -> Path:
    folder = tmp_path / "runs"
    make_run(folder / "0", 0.7, overrides=["optim.lr=0.001", "seed=0", "sweep.name=a"], accuracy=0.4)
    make_run(folder / "1", 0.6, overrides=["optim.lr=0.01", "seed=0", "sweep.name=b"], accuracy=0.8)
    make_run(folder / "2", None, status="failed", overrides=["optim.lr=1.0"])
    return folder


def test_best_run_first_with_the_differing_settings(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    rows = compare_runs([str(runs)], sort=None, mixed=False)
    assert [row["settings"] for row in rows] == [{"optim.lr": 0.001}, {"optim.lr": 0.01}]
    by_test = compare_runs([str(runs)], sort="test/genre/accuracy", mixed=False)
    assert [row["settings"]["optim.lr"] for row in by_test] == [0.01, 0.001]
    print_runs(rows, sort=None)
    printed = capsys.readouterr().out
    assert "2 runs, measured on m.csv aaaaaaaaaaaa (valid 4, test 4)" in printed
    header = printed.split("|---")[0]
    assert [cell.strip() for cell in header.strip().strip("|").split("|")] == [
        "rank", "run", "optim.lr", "val/score", "test/genre/accuracy", "test/score",
    ]  # fmt: skip
    with write_runs(tmp_path, rows).open() as file:
        first, second = csv.DictReader(file)
    assert (first["rank"], first["run"], first["optim.lr"], first["val/score"]) == (
        "1",
        str(runs / "0"),
        "0.001",
        "0.7",
    )
    assert second["test/genre/accuracy"] == "0.8"


def test_smaller_values_rank_first_only_for_a_minimised_objective(tmp_path: Path, make_run: Callable):
    for number, (loss, accuracy) in enumerate(((0.9, 0.8), (0.3, 0.4))):
        make_run(tmp_path / str(number), loss, accuracy=accuracy, metric="val/loss", mode="min")
    by_loss, by_test = (compare_runs([str(tmp_path)], sort=sort, mixed=False) for sort in (None, "test/score"))
    assert [row["metrics"]["val/loss"] for row in by_loss] == [0.3, 0.9]
    assert [row["metrics"]["test/score"] for row in by_test] == [0.8, 0.4]


def test_folders_may_overlap_or_be_single_runs(runs: Path):
    assert len(compare_runs([str(runs), str(runs / "1")], sort=None, mixed=False)) == 2
    assert [row["settings"] for row in compare_runs([str(runs / "1")], sort=None, mixed=False)] == [
        {"optim.lr": 0.01, "seed": 0}
    ]


def test_runs_on_different_data_are_only_mixed_on_request(
    runs: Path, make_run: Callable, capsys: pytest.CaptureFixture
):
    make_run(runs / "other", 0.9, manifest_hash="b" * 64)
    with pytest.raises(ConfigError, match=r"different data.*m.csv aaaaaaaaaaaa.*m.csv bbbbbbbbbbbb.*mixed=true"):
        compare_runs([str(runs)], sort=None, mixed=False)
    print_runs(compare_runs([str(runs)], sort=None, mixed=True), sort=None)
    printed = capsys.readouterr().out
    assert "measured on" in printed and "bbbbbbbbbbbb" in printed


def test_invalid_requests_are_rejected(runs: Path, tmp_path: Path):
    with pytest.raises(ConfigError, match=r"sort=test/x: no run has this metric; available: test/genre/accuracy"):
        compare_runs([str(runs)], sort="test/x", mixed=False)
    with pytest.raises(ConfigError, match="none of the 1 runs found there has finished"):
        compare_runs([str(runs / "2")], sort=None, mixed=False)
    with pytest.raises(ConfigError, match="there is no run in or below this folder"):
        compare_runs([str(tmp_path / "nowhere")], sort=None, mixed=False)
