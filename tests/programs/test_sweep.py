"""Multiruns of train.py as a user starts them: a grid with failed jobs, and a study that is killed."""

import csv
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from pytorch_lightning import Trainer

from musicrec.errors import MusicrecError
from musicrec.training.module import MusicModule
from musicrec.training.resume import ResumePoint

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
FAST = ["debug=fast", "model=short_chunk_resnet", "task=[genre]", "callbacks.progress=null", "-m"]


@pytest.fixture(scope="module")
def music(tiny_music: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    cache = tmp_path_factory.mktemp("cache")
    return ["data=manifest", f"data.manifest={tiny_music}", f"paths.cache={cache}"]


def table(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def run(folder: Path) -> dict:
    return json.loads((folder / "run.json").read_text())


GRID = ["optim.lr=1e-3,1e30", "seed=0,1", "sweep.name=grid"]


@pytest.fixture(scope="module")
def grid(program: Callable, music: list[str], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A sweep folder in which two of four jobs failed, and the printed output."""
    runs = tmp_path_factory.mktemp("runs") / "my runs"
    done = program("train.py", *FAST, *music, *GRID, f"paths.runs={runs}", status=1)
    return runs / "grid", done.stdout


def test_a_failed_job_does_not_stop_the_others_and_is_reported_at_the_end(grid: tuple[Path, str]):
    folder, printed = grid
    assert [run(folder / job)["status"] for job in "0123"] == ["finished", "finished", "failed", "failed"]
    assert (folder / "1" / "export" / "config.json").is_file() and not (folder / "2" / "export").exists()
    end = " ".join(printed[printed.rindex("| rank") :].split())
    assert "4 jobs: 2 failed, 2 finished" in end
    assert "job 2 failed (optim.lr=1e+30 seed=0): the loss is nan at step" in end
    assert f"repeat the command with hydra.sweep.dir='{folder}'" in printed, "quoted for a shell"
    (best, worst) = table(folder / "ranking.csv")
    objectives = [run(folder / job)["objective"]["value"] for job in "01"]
    assert (best["rank"], best["optim.lr"], best["runs"]) == ("1", "0.001", "2")
    assert float(best["objective"]) == pytest.approx(sum(objectives) / 2)
    assert float(best["std"]) == pytest.approx(abs(objectives[0] - objectives[1]) / 2**0.5)
    assert (worst["rank"], worst["status"]) == ("", "failed")


def test_an_extended_grid_runs_only_the_new_jobs(program: Callable, music: list[str], grid: tuple[Path, str]):
    folder, _ = grid
    before = run(folder / "0")
    arguments = ["optim.lr=3e-3,1e-3", "seed=0,1", "sweep.name=grid", f"paths.runs={folder.parent}"]
    done = program("train.py", *FAST, *music, *arguments)
    assert "sweep of 4 jobs (2 started earlier)" in done.stdout
    assert run(folder / "0") == before
    assert [run(folder / job)["overrides"][-4] for job in "45"] == ["optim.lr=0.003"] * 2
    assert {row["run"] for row in table(folder / "jobs.csv")} == {str(folder / job) for job in "0145"}
    assert all(float(row["objective"]) > 0 for row in table(folder / "ranking.csv"))


def test_compare_runs_and_find_the_best(program: Callable, music: list[str], grid: tuple[Path, str], tmp_path: Path):
    folder, _ = grid
    done = program("evaluate.py", f"runs={folder}", f"hydra.run.dir={tmp_path / 'compared'}", "sort=test/score")
    (first, *_) = rows = table(tmp_path / "compared" / "runs.csv")
    assert len(rows) >= 2 and first["rank"] == "1" and "test/score" in done.stdout
    assert float(first["test/score"]) == run(Path(first["run"]))["metrics"]["test"]["score"]

    arguments = ["export=best:grid", f"paths.runs={folder.parent}", f"hydra.run.dir={tmp_path / 'evaluated'}"]
    done = program("evaluate.py", *music, *arguments, "plots=false")
    objectives = {job: (run(job)["objective"] or {"value": 0.0})["value"] for job in sorted(folder.glob("[0-9]"))}
    best = max(objectives, key=objectives.get)
    assert f"best:grid: {best} (val/score {objectives[best]:.4f}, best of {len(rows)} runs" in done.stderr
    evaluated = json.loads((tmp_path / "evaluated" / "metrics.json").read_text())
    assert evaluated["export"] == str(best / "export")


def test_compare_settings_over_their_seeds(program: Callable, music: list[str], grid: tuple[Path, str], tmp_path: Path):
    folder, _ = grid
    arguments = ["export=all:grid", f"paths.runs={folder.parent}", f"hydra.run.dir={tmp_path}"]
    done = program("evaluate.py", *music, *arguments, "bootstrap.resamples=100")
    rows = [row for row in table(tmp_path / "settings.csv") if row["metric"] == "accuracy"]
    assert (rows[0]["split"], rows[0]["runs"], rows[0]["difference"], rows[0]["tracks"]) == ("test", "2", "", "4")
    measured = [run(folder / job)["metrics"]["test"]["genre/accuracy"] for job in "01"]
    assert float(rows[0]["mean"]) == pytest.approx(sum(measured) / 2, abs=1e-6)
    assert float(rows[0]["min"]) == pytest.approx(min(measured), abs=1e-6) and float(rows[0]["minutes"]) < 10
    for text in (f"1 of {2 * len(rows)}: {folder / '0'}", "| genre accuracy", f"figure: {tmp_path / 'settings.png'}"):
        assert text in done.stdout
    assert 1000 < (tmp_path / "settings.png").stat().st_size < 200_000


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("export=[all:grid,best:grid]", "all:STUDY compares the settings of one sweep and cannot be combined"),
        ("figures=true", "figures=true draws the predictions of one model; name one instead of all:grid"),
        ("bootstrap=null", "bootstrap=null: a comparison requires the bootstrap"),
        (
            "paths.runs=nowhere",
            "export=all:grid: there is no folder nowhere/grid; paths.runs sets the folder with the runs",
        ),
    ],
)
def test_invalid_comparisons_of_settings_are_rejected(
    program: Callable, music: list[str], grid: tuple[Path, str], tmp_path: Path, setting: str, message: str
):
    arguments = ["export=all:grid", f"paths.runs={grid[0].parent}", f"hydra.run.dir={tmp_path}", setting]
    assert message in " ".join(program("evaluate.py", *music, *arguments, status=1).stderr.split())


def test_a_repeated_grid_resumes_jobs_from_their_checkpoints(
    program: Callable, music: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    arguments = [*FAST, *music, "trainer.max_epochs=2", "seed=0", f"hydra.sweep.dir={tmp_path}"]
    save = ResumePoint.on_train_epoch_end

    def stop(point: ResumePoint, trainer: Trainer, module: MusicModule) -> None:
        save(point, trainer, module)
        raise MusicrecError("stopped")

    with monkeypatch.context() as patched:
        patched.setattr(ResumePoint, "on_train_epoch_end", stop)
        program("train.py", *arguments, status=1)
    last = tmp_path / "0" / "checkpoints" / "last.ckpt"
    before = torch.load(last, weights_only=True)
    assert run(tmp_path / "0")["error"] == "stopped" and before["epoch"] == 0

    done = program("train.py", *arguments, "resume=true")
    assert f"resume: from {last}" in done.stdout and "1 jobs: 1 finished" in done.stdout
    assert torch.load(last, weights_only=True)["global_step"] == 2 * before["global_step"]
    validated = [row for row in table(tmp_path / "0" / "metrics.csv") if row.get("val/score")]
    assert [row["epoch"] for row in validated] == ["1"], "the first epoch is not trained again"
    assert done.stdout.count("job 0:") == 1 and "job 1" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["optim=adamw,adamw9"], "adamw9"),
        (["optim.lr=1e-3,fast"], "error: optim.lr=fast: give a number"),
        (["sweep=optuna", "trainer.max_epochs=many"], "error: trainer.max_epochs=many: give a whole number"),
        (["sweep=optuna", "sweep.trials=0"], "error: sweep.trials=0: give a whole number, 1 or more"),
    ],
)
def test_a_mistake_in_any_job_is_reported_before_the_first_job_starts(
    program: Callable, music: list[str], tmp_path: Path, arguments: list[str], message: str
):
    done = program("train.py", *FAST, *music, *arguments, f"hydra.sweep.dir={tmp_path}", status=1)
    assert message in done.stderr and not (tmp_path / "0").exists()


@pytest.mark.parametrize("setting", ["trainer.devices=2", "trainer.strategy=ddp"])
def test_several_processes_per_job_are_rejected(program: Callable, music: list[str], tmp_path: Path, setting: str):
    arguments = [setting, "trainer.accelerator=cpu", "seed=0", f"hydra.sweep.dir={tmp_path}"]
    done = program("train.py", *FAST, *music, *arguments, status=1)
    assert setting in done.stderr
    assert "each process would run the whole multirun; use trainer.strategy=auto" in done.stderr


KILLED = """
import os, runpy, signal
from musicrec.runs.run_record import RunRecord

enter = RunRecord.__enter__
def enter_and_kill(self):
    enter(self)
    if self.path.parent.name == "1":
        os.kill(os.getpid(), signal.SIGKILL)
    return self

RunRecord.__enter__ = enter_and_kill
runpy.run_path({train!r}, run_name="__main__")
"""


def test_a_killed_study_can_be_continued(program: Callable, music: list[str], tmp_path: Path):
    """Kill the study in its second trial: the second trial is repeated, the first is not."""
    arguments = [*FAST, *music, "sweep=optuna", "sweep.trials=3", f"paths.runs={tmp_path}", "sweep.name=study"]
    folder = tmp_path / "study"
    code = KILLED.format(train=str(ROOT / "train.py"))
    done = subprocess.run([sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    first, second = run(folder / "0"), run(folder / "1")
    assert (first["status"], second["status"]) == ("finished", "running")

    done = program("train.py", *arguments)
    assert "study of 3 trials (2 started earlier)" in done.stdout
    assert run(folder / "0") == first
    assert run(folder / "1")["overrides"] == second["overrides"]
    assert run(folder / "1")["started"] > second["started"]
    assert [run(folder / job)["status"] for job in "012"] == ["finished"] * 3
    rows = table(folder / "ranking.csv")
    assert {row["optim.lr"] for row in rows} == {str(run(folder / job)["config"]["optim"]["lr"]) for job in "012"}
    assert [float(row["objective"]) for row in rows] == sorted((float(row["objective"]) for row in rows), reverse=True)

    done = program("train.py", *arguments)
    assert "3 jobs: 3 finished" in done.stdout and "job 3" not in done.stdout


def test_a_pruned_trial_ends_early_and_cleanly(program: Callable, music: list[str], tmp_path: Path):
    pruner = ["sweep.pruner._target_=optuna.pruners.ThresholdPruner", "+sweep.pruner.lower=2.0"]
    pruner += ["~sweep.pruner.n_startup_trials", "~sweep.pruner.n_warmup_steps", "trainer.max_epochs=3"]
    done = program("train.py", *FAST, *music, "sweep=optuna", "sweep.trials=1", *pruner, f"hydra.sweep.dir={tmp_path}")
    assert "1 jobs: 1 pruned" in done.stdout
    assert run(tmp_path / "0")["status"] == "pruned" and run(tmp_path / "0")["objective"]["value"] < 2
    assert sum(bool(row.get("val/score")) for row in table(tmp_path / "0" / "metrics.csv")) == 1, "after one epoch"
    assert not (tmp_path / "0" / "export").exists()


def test_a_search_without_multirun_is_rejected(program: Callable, music: list[str], tmp_path: Path):
    arguments = [*FAST[:-1], *music, "sweep=optuna", f"hydra.run.dir={tmp_path / 'one'}"]
    done = program("train.py", *arguments, status=1)
    assert "start it with -m" in done.stderr


def test_recommend_accepts_the_best_run(program: Callable, tiny_music: Path, tmp_path: Path):
    arguments = ["exports=[best:nothing,best]", f"source={tiny_music}", f"library={tmp_path / 'l.sqlite'}"]
    done = program("recommend.py", "action=index", *arguments, f"paths.runs={tmp_path}", status=1)
    assert f"export=best:nothing: there is no folder {tmp_path / 'nothing'}" in " ".join(done.stderr.split())
