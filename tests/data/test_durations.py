from pathlib import Path
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from musicrec.data.durations import compare_durations


def store(folder: Path, lengths: dict[str, int]) -> SimpleNamespace:
    """A store with a sample rate of 100 Hz."""
    names = list(lengths)
    rows = lambda ids: np.array([names.index(name) if name in names else -1 for name in ids], dtype=np.int64)  # noqa: E731
    return SimpleNamespace(folder=folder, sample_rate=100, rows=rows, lengths=np.array(list(lengths.values())))


def test_wrong_durations_are_reported_once(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    decoded = store(tmp_path, {"a": 3000, "b": 160, "c": 11_900, "d": 500})
    frame = pl.DataFrame(
        {
            "track_id": ["a", "b", "c", "d", "not decoded"],
            "path": ["a.mp3", "098565.mp3", "c.mp3", "d.mp3", "e.mp3"],
            "duration_s": [30.5, 30.0, 120.0, None, 30.0],
        }
    )
    compare_durations(frame, decoded)
    assert "1 of 3 tracks differ in duration from the manifest:\n  098565.mp3: 1.6 s instead of 30.0 s" in caplog.text
    assert (tmp_path / "durations.csv").read_text().splitlines()[1] == "b,098565.mp3,30.00,1.60"
    caplog.clear()
    compare_durations(frame, decoded)
    assert not caplog.text, "it has been reported already"


def test_right_durations_are_not_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    compare_durations(
        pl.DataFrame({"track_id": ["a"], "path": ["a.mp3"], "duration_s": [30.0]}), store(tmp_path, {"a": 2997})
    )
    assert not caplog.text and not list(tmp_path.iterdir())
