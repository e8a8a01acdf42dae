"""The order and the columns of the ranked table."""

import csv
from pathlib import Path

import pytest

from musicrec.sweeps.jobs import Outcome
from musicrec.sweeps.ranking_table import print_ranking, rank, write_ranking


def job(number: int, objective: float | None, status: str = "finished", **params: object) -> Outcome:
    results = {"objective": objective, "metric": "val/score", "wandb": f"id{number}"}
    error = "out of memory" if status == "failed" else None
    return Outcome(number=number, params=params, folder=Path(f"runs/{number}"), status=status, error=error, **results)


JOBS = [
    job(0, 0.5, lr=0.1, seed=0),
    job(1, 0.9, lr=0.1, seed=1),
    job(2, 0.6, lr=0.2, seed=0),
    job(3, 0.65, lr=0.2, seed=1),
    job(4, 0.95, "pruned", lr=0.3, seed=0),
    job(5, None, "failed", lr=0.4, seed=0),
    job(6, 0.8, lr=0.5, seed=0),
    job(7, None, "failed", lr=0.5, seed=1),
]


def test_settings_are_ranked_by_the_mean_over_their_seeds():
    settings = rank(JOBS)
    assert [setting.params["lr"] for setting in settings] == [0.5, 0.1, 0.2, 0.3, 0.4]
    assert [setting.status for setting in settings] == ["finished"] * 3 + ["pruned", "failed"]
    first, second = settings[:2]
    assert (first.mean, first.std, [run.number for run in first.runs]) == (0.8, None, [6, 7])
    assert second.mean == pytest.approx(0.7)
    assert second.std == pytest.approx(0.08**0.5), "sample standard deviation: ((0.2² + 0.2²) / (2 - 1))½"
    assert [run.number for run in second.runs] == [1, 0], "the best run first"


def test_the_lowest_loss_ranks_first():
    losses = [
        Outcome(number=n, params={"lr": n}, folder=Path(str(n)), status="finished", objective=value, mode="min")
        for n, value in enumerate([0.3, 0.1, 0.2])
    ]
    assert [setting.params["lr"] for setting in rank(losses)] == [1, 2, 0]


def test_tables_list_every_setting_and_every_job(tmp_path: Path, capsys: pytest.CaptureFixture):
    settings = rank(JOBS)
    write_ranking(tmp_path, settings)
    print_ranking(tmp_path, settings, files=["ranking.csv"])
    rows = list(csv.DictReader((tmp_path / "ranking.csv").open()))
    assert [row["rank"] for row in rows] == ["1", "2", "3", "", ""]
    assert (rows[1]["lr"], rows[1]["min"], rows[1]["max"], rows[1]["best_run"]) == ("0.1", "0.5", "0.9", "runs/1")
    assert rows[1]["wandb"] == "id1"
    jobs = {row["job"]: row for row in csv.DictReader((tmp_path / "jobs.csv").open())}
    assert len(jobs) == 8 and jobs["7"]["error"] == "out of memory" and jobs["7"]["seed"] == "1"
    printed = capsys.readouterr().out
    assert "0.7000" in printed and "0.2828" in printed and "2 of 2" in printed
    assert "8 jobs: 2 failed, 5 finished, 1 pruned" in " ".join(printed.split())
    assert "job 7 failed (lr=0.5 seed=1): out of memory" in printed
