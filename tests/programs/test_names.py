"""The programs as a user runs them, with files and folders that have difficult names."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

NAME = "My, music (2020) [x] = ü 'q' {a} $b \\c #~"
FAST = ["data=manifest", "debug=fast", "logger=csv"]
GENRE = ["task=[genre]", "model=short_chunk_resnet", "model.width=4"]


@pytest.fixture(scope="module")
def top(tiny_music: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a difficult name that holds music and its manifest."""
    return shutil.copytree(tiny_music.parent, tmp_path_factory.mktemp("names") / NAME)


@pytest.fixture(scope="module")
def data(top: Path, tiny_music: Path) -> list[str]:
    return [*FAST, f"data.manifest={top}/{tiny_music.name}", f"paths.cache={top}/cache", f"paths.runs={top}/runs"]


@pytest.fixture(scope="module")
def run(program: Callable, top: Path, data: list[str]) -> Path:
    program("train.py", *data, *GENRE, f"hydra.run.dir={top}/lr=0.1/run")
    assert (top / "lr=0.1" / "run" / "export" / "config.json").is_file()
    return top / "lr=0.1" / "run"


@pytest.fixture(scope="module")
def second(program: Callable, top: Path, data: list[str], run: Path) -> Path:
    done = program("train.py", *data, *GENRE, f"hydra.run.dir={top}/two", f"start_from={run}/export")
    assert f"start_from={run}/export: " in done.stdout
    return top / "two"


def test_training_continues_from_a_checkpoint(program: Callable, data: list[str], run: Path):
    program("train.py", *data, *GENRE, f"ckpt_path={run}/checkpoints/last.ckpt", "trainer.max_epochs=2")
    assert (run / "metrics_1.csv").is_file()


def test_a_sweep_is_continued_and_listed(program: Callable, top: Path, data: list[str], run: Path, second: Path):
    sweep = [*data, *GENRE, "-m", f"start_from={run}/export,{second}/export", f"hydra.sweep.dir={top}/a, sweep [1]"]
    program("train.py", *sweep)
    folder = top / "a, sweep [1]"
    records = [json.loads((folder / job / "run.json").read_text()) for job in "01"]
    assert [record["config"]["start_from"] for record in records] == [f"{run}/export", f"{second}/export"]
    assert "sweep of 2 jobs (2 started earlier)" in program("train.py", *sweep).stdout
    done = program("evaluate.py", f"runs=[{folder},{second}]", f"hydra.run.dir={top}/listed", f"paths.runs={top}/runs")
    assert f"table: {top}/listed" in done.stdout


def test_evaluate(program: Callable, top: Path, data: list[str], run: Path, second: Path):
    settings = [*data[:2], *data[3:], "bootstrap.resamples=100", "plots=false"]
    program("evaluate.py", *settings, f"export=[{run}/export,{second}/export]", f"hydra.run.dir={top}/report [1]")
    assert (top / "report [1]" / "comparison.json").is_file()
    checkpoint = f"export={run}/checkpoints/best.ckpt"
    program("evaluate.py", *settings, checkpoint, f"hydra.run.dir={top}/report, 2")
    reports = f"compare=[{top}/report [1]/0,{top}/report, 2]"
    program("evaluate.py", *settings, reports, f"hydra.run.dir={top}/both")
    assert (top / "both" / "comparison.json").is_file()
    sweep = [f"export={run}/export,{second}/export", f"hydra.sweep.dir={top}/reports, all"]
    program("evaluate.py", *settings, "-m", *sweep)
    assert {path.name for path in (top / "reports, all").iterdir()} >= {"0", "1", "ranking.csv"}


def test_home_and_names_that_are_numbers(
    program: Callable, top: Path, data: list[str], run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HOME", str(top.parent))
    settings = [*data[:2], *data[3:], "bootstrap=null", "plots=false", "seed=1"]
    program("evaluate.py", *settings, f"export=~/{NAME}/lr=0.1/run/export", "hydra.run.dir=~/a report", folder=tmp_path)
    assert (top.parent / "a report" / "metrics.json").is_file()
    for name in ("2020", "1e5", "true", "1"):
        (tmp_path / name).symlink_to(run / "export")
        program("evaluate.py", *settings, f"export={name}", f"hydra.run.dir={name} report", folder=tmp_path)
        assert (tmp_path / f"{name} report" / "metrics.json").is_file()


def test_robustness(program: Callable, top: Path, data: list[str], run: Path, second: Path):
    settings = [*data, "deformation=gain", "recommender=null", "figures=false", "bootstrap=null"]
    both = f"export=[{run}/export,{second}/export]"
    program("robustness.py", *settings, both, f"hydra.run.dir={top}/robust=1")
    assert list((top / "robust=1").glob("*.json"))
    program("robustness.py", *settings, "-m", both.replace("[", "", 1)[:-1], f"hydra.sweep.dir={top}/robust=2")
    assert list((top / "robust=2" / "1").glob("*.json"))


def test_recommend(program: Callable, top: Path, run: Path):
    library = f"library={top}/a, (1).sqlite"
    program("recommend.py", "action=index", f"exports=[{run}/export]", f"source={top}", library)
    query = top / "Part 1, [Mix] = ü.flac"
    shutil.copy(next(top.rglob("*.flac")), query)
    done = program("recommend.py", "action=query", f"query={query}", library, "format=json", f"exports=[{run}/export]")
    assert json.loads(done.stdout)["query"]["path"] == str(query)
