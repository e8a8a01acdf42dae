"""Run folders without a training."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from musicrec.runs.record_file import FORMAT


@pytest.fixture
def make_run() -> Callable[..., Path]:
    """Writes a run folder with a record and an export."""

    def make(
        folder: Path,
        objective: float | None,
        *,
        status: str = "finished",
        overrides: list[str] = (),
        accuracy: float = 0.5,
        manifest_hash: str = "a" * 64,
        head: str = "genre",
        metric: str = "val/score",
        mode: str = "max",
    ) -> Path:
        (folder / "export").mkdir(parents=True)
        reached = {"metric": metric, "mode": mode, "value": objective}
        tracks = {"train": 16, "valid": 4, "test": 4}
        record = {
            "format": FORMAT,
            "status": status,
            "objective": None if objective is None else reached,
            "metrics": {"test": {"genre/accuracy": accuracy, "score": accuracy}},
            "data": {"manifest": "m.csv", "manifest_hash": manifest_hash, "tracks": tracks},
            "overrides": list(overrides),
            "config": {
                "task": {"heads": {head: {}, "gone": None}},
                "data": {"train_split": "train", "valid_split": "valid"},
            },
        }
        (folder / "run.json").write_text(json.dumps(record))
        return folder

    return make
