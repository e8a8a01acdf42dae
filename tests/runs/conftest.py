"""Run folders that are written without training."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from musicrec.runs.record_file import FORMAT


@pytest.fixture
def make_run() -> Callable[..., Path]:
    """Return a function that writes a run folder with a record and an export folder."""

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
        recorded = {"metric": metric, "mode": mode, "value": objective}
        tracks = {"train": 16, "valid": 4, "test": 4}
        record = {
            "format": FORMAT,
            "status": status,
            "objective": None if objective is None else recorded,
            "metrics": {"test": {"genre/accuracy": accuracy, "score": accuracy}},
            "data": {"manifest": "m.csv", "manifest_hash": manifest_hash, "tracks": tracks},
            "overrides": list(overrides),
            "config": {
                "task": {"heads": {head: {}, "removed": None}},
                "data": {"train_split": "train", "valid_split": "valid"},
            },
        }
        (folder / "run.json").write_text(json.dumps(record))
        return folder

    return make
