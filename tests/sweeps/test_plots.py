"""The figures of a sweep, and the importances of its parameters."""

import random
from pathlib import Path

import pytest
from matplotlib.image import imread

from musicrec.sweeps.jobs import Outcome
from musicrec.sweeps.plots import importances, plot_sweep


def job(number: int, status: str = "finished", objective: float | None = None, **params: object) -> Outcome:
    return Outcome(number=number, params=params, folder=Path(str(number)), status=status, objective=objective)


@pytest.fixture
def jobs() -> list[Outcome]:
    """Twenty jobs whose objective depends on the dropout alone."""
    generator = random.Random(0)
    jobs = []
    for number in range(20):
        dropout = generator.uniform(0, 0.5)
        params = {
            "optim.lr": 10 ** generator.uniform(-4, -2),
            "model.dropout": dropout,
            "model": generator.choice(["a", "b"]),
        }
        jobs.append(job(number, objective=1 - dropout, **params))
    return jobs


def test_importances_find_the_parameter_that_matters(jobs: list[Outcome]):
    shares = importances(jobs, ["optim.lr", "model.dropout", "model"])
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["model.dropout"] > 0.8


def test_figures_of_numeric_and_categorical_parameters(jobs: list[Outcome], tmp_path: Path):
    failed = job(20, "failed", **{"optim.lr": 1.0, "model.dropout": 0.0, "model": "c"})
    paths = plot_sweep(tmp_path, [*jobs, failed])
    assert {path.name for path in paths} == {"parallel_coordinates.png", "importance.png"}
    for path in paths:
        assert imread(path).std() > 0.05 and path.stat().st_size < 250_000


LINES, BARS = "parallel_coordinates.png", "importance.png"


@pytest.mark.parametrize(
    ("objectives", "widths", "names"),
    [
        ([0.1, 0.2, 0.3], [1, 2, 1], []),
        ([0.1, 0.2, 0.3, 0.4], [1, 1, 1, 1], [LINES]),
        ([0.5] * 4, [1, 2, 1, 2], [LINES]),
        ([0.1, 0.2, 0.3, 0.4], [1, 2, 1, 2], [LINES, BARS]),
    ],
    ids=["too few", "one parameter", "equal objectives", "enough"],
)
def test_only_meaningful_figures_are_drawn(
    tmp_path: Path, objectives: list[float], widths: list[int], names: list[str]
):
    values = zip(objectives, widths, strict=True)
    jobs = [job(number, objective=value, lr=number, width=width) for number, (value, width) in enumerate(values)]
    assert [path.name for path in plot_sweep(tmp_path, jobs)] == names
