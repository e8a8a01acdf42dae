"""The record of a run that finishes, fails, is interrupted, or is killed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from musicrec.errors import ConfigError, MusicrecError
from musicrec.runs.record_file import read_run
from musicrec.runs.run_record import RunRecord
from musicrec.system.atomic_write import write_json


def record(folder: Path) -> RunRecord:
    return RunRecord(folder, name="crnn", config={"seed": 1, "optim": {"lr": float("inf")}}, overrides=["seed=1"])


def test_a_run_that_finishes(tmp_path: Path):
    with record(tmp_path) as run:
        assert json.loads((tmp_path / "run.json").read_text())["status"] == "running"
        run.note(objective={"metric": "val/score", "mode": "max", "value": 0.5}, metrics={"test": {"x": float("nan")}})
    found = read_run(tmp_path)
    assert (found["status"], found["objective"]["value"], found["metrics"]["test"]["x"]) == ("finished", 0.5, None)
    assert found["config"] == {"seed": 1, "optim": {"lr": None}} and found["overrides"] == ["seed=1"]
    assert found["packages"]["torch"].startswith("2.") and len(found["git_commit"] or "0" * 40) >= 40
    assert found["started"] <= found["ended"]
    assert {path.name for path in tmp_path.iterdir()} == {"run.json", ".run.lock"}


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (ConfigError("trainer.max_epochs=-1: no"), "failed", "trainer.max_epochs=-1: no"),
        (AssertionError("a bug"), "failed", "AssertionError: a bug"),
        (KeyboardInterrupt(), "interrupted", None),
        (SystemExit(1), "interrupted", None),
    ],
    ids=["user error", "bug", "ctrl-c", "exit"],
)
def test_a_run_that_raises(tmp_path: Path, error: BaseException, status: str, message: str | None):
    with pytest.raises(type(error)), record(tmp_path):
        raise error
    assert (read_run(tmp_path)["status"], read_run(tmp_path)["error"]) == (status, message)


@pytest.mark.slow
def test_a_running_folder_is_locked_and_a_killed_run_counts_as_interrupted(tmp_path: Path):
    code = "import sys; from musicrec.runs.run_record import RunRecord\n"
    code += (
        "with RunRecord(sys.argv[1], name='n', config={}, overrides=[]): print('started', flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout.readline() == "started\n"
    assert read_run(tmp_path)["status"] == "running"
    with pytest.raises(MusicrecError, match="another process is running in this folder"), record(tmp_path):
        pass
    other.kill()
    other.wait()
    assert read_run(tmp_path)["status"] == "interrupted"


def test_missing_and_invalid_records(tmp_path: Path):
    assert read_run(tmp_path) is None
    (tmp_path / "run.json").write_text('{"format": "other/1"}')
    with pytest.raises(MusicrecError, match=r"run.json: format is 'other/1'"):
        read_run(tmp_path)
    (tmp_path / "run.json").write_text('{"form')
    with pytest.raises(MusicrecError, match="cannot be read as JSON"):
        read_run(tmp_path)


def test_a_json_file_is_replaced_atomically(tmp_path: Path):
    write_json(tmp_path / "a.json", {"a": 1})
    with pytest.raises(TypeError):
        write_json(tmp_path / "a.json", {"a": object()})
    assert json.loads((tmp_path / "a.json").read_text()) == {"a": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
