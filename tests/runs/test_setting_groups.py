"""Grouping of the runs of a sweep by their settings."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from musicrec.errors import ConfigError
from musicrec.runs.find import find_sweep_runs
from musicrec.runs.setting_groups import group_by_setting, mean_minutes


@pytest.fixture
def study(tmp_path: Path, make_run: Callable) -> Path:
    for number in range(12):
        seed, lr = number % 2, 0.001 if number < 6 else 0.01
        status = "failed" if number == 5 else "finished"
        make_run(
            tmp_path / "study" / str(number),
            0.5,
            status=status,
            overrides=[f"optim.lr={lr}", f"seed={seed}", f"model.width={8 * (number % 6 // 2 + 1)}"],
        )
    return tmp_path


def test_find_sweep_runs_returns_finished_runs_ordered_by_number(study: Path):
    found = find_sweep_runs("all:study", runs=study)
    assert [run.folder.name for run in found] == ["0", "1", "2", "3", "4", "6", "7", "8", "9", "10", "11"]
    assert find_sweep_runs(f"all:{study / 'study'}", runs="elsewhere") == found
    with pytest.raises(ConfigError, match=r"export=all:nothing: there is no folder .*nothing; paths.runs sets"):
        find_sweep_runs("all:nothing", runs=study)


def test_runs_that_differ_only_in_the_seed_form_one_group(study: Path):
    groups = group_by_setting(find_sweep_runs("all:study", runs=study))
    assert [(params, [run.folder.name for run in runs]) for params, runs in groups] == [
        ({"model.width": width, "optim.lr": lr}, folders)
        for width, lr, folders in (
            (8, 0.001, ["0", "1"]), (16, 0.001, ["2", "3"]), (24, 0.001, ["4"]),
            (8, 0.01, ["6", "7"]), (16, 0.01, ["8", "9"]), (24, 0.01, ["10", "11"]),
        )
    ]  # fmt: skip


def test_a_sweep_over_seeds_alone_is_one_group_without_parameters(tmp_path: Path, make_run: Callable):
    for seed in range(2):
        make_run(tmp_path / str(seed), 0.5, overrides=[f"seed={seed}", "model=crnn"])
    ((params, runs),) = group_by_setting(find_sweep_runs(f"all:{tmp_path}", runs="elsewhere"))
    assert params == {} and len(runs) == 2


def test_mean_minutes(tmp_path: Path, make_run: Callable):
    for number, minute in enumerate((4, 6)):
        path = make_run(tmp_path / str(number), 0.5) / "run.json"
        times = {"started": "2026-01-01T10:00:00.000+00:00", "ended": f"2026-01-01T10:0{minute}:30.000+00:00"}
        path.write_text(json.dumps(json.loads(path.read_text()) | times))
    runs = find_sweep_runs(f"all:{tmp_path}", runs="elsewhere")
    assert mean_minutes(runs) == pytest.approx(5.5)
    make_run(tmp_path / "unknown", 0.5)
    assert mean_minutes(find_sweep_runs(f"all:{tmp_path}", runs="elsewhere")) is None
