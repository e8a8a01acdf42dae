"""Search for the best run, as in export=best."""

from collections.abc import Callable
from pathlib import Path

import pytest

from musicrec.errors import ConfigError
from musicrec.runs.find import find_export


def test_best_of_all_runs_and_of_one_study(tmp_path: Path, make_run: Callable, capsys: pytest.CaptureFixture):
    make_run(tmp_path / "crnn" / "time", 0.7)
    make_run(tmp_path / "study" / "0", 0.5)
    second = make_run(tmp_path / "study" / "1", 0.6)
    make_run(tmp_path / "study" / "2", 0.9, status="pruned")
    make_run(tmp_path / "study" / "3", None, status="failed")
    assert find_export("best:study", runs=tmp_path) == str(second / "export")
    assert find_export(f"best:{tmp_path / 'study'}", runs="elsewhere") == str(second / "export")
    assert find_export("best", runs=tmp_path) == str(tmp_path / "crnn" / "time" / "export")
    printed = capsys.readouterr()
    assert "best:study" in printed.err and "(val/score 0.6000, best of 2 runs below" in printed.err and not printed.out


def test_the_lowest_loss_is_best(tmp_path: Path, make_run: Callable):
    make_run(tmp_path / "0", 0.5, metric="val/loss", mode="min")
    low = make_run(tmp_path / "1", 0.1, metric="val/loss", mode="min")
    assert find_export("best", runs=tmp_path) == str(low / "export")


def test_a_path_is_returned_unchanged(tmp_path: Path):
    for path in ("runs/best/export", "bestof/export"):
        assert find_export(path, runs=tmp_path) == path


@pytest.mark.parametrize("other", [{"head": "key"}, {"manifest_hash": "b" * 64}, {"metric": "val/loss"}], ids=str)
def test_incomparable_runs_have_no_best_run(tmp_path: Path, make_run: Callable, other: dict):
    make_run(tmp_path / "tags", 0.7)
    make_run(tmp_path / "other", 0.9, **other)
    with pytest.raises(ConfigError, match=r"differ in their labels, data or metrics.*export=best:STUDY"):
        find_export("best", runs=tmp_path)


def test_missing_runs_are_reported(tmp_path: Path, make_run: Callable):
    with pytest.raises(ConfigError, match=r"export=best:x: there is no folder .*paths.runs"):
        find_export("best:x", runs=tmp_path)
    with pytest.raises(ConfigError, match="there is no run in or below this folder"):
        find_export("best", runs=tmp_path)
    make_run(tmp_path / "a", None, status="failed")
    with pytest.raises(ConfigError, match="has finished with an export"):
        find_export("best", runs=tmp_path)
