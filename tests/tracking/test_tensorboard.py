"""Logging to TensorBoard with one override."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


@pytest.mark.slow
def test_a_run_is_logged_to_tensorboard(program: Callable, tiny_music: Path, tmp_path: Path):
    program(
        "train.py", "debug=fast", "logger=tensorboard", "model=short_chunk_resnet", "data=manifest",
        f"data.manifest={tiny_music}", f"paths.cache={tmp_path}", f"hydra.run.dir={tmp_path / 'run'}",
    )  # fmt: skip
    events = EventAccumulator(str(tmp_path / "run" / "tensorboard"))
    events.Reload()
    scalars = events.Tags()["scalars"]
    assert {"val/score", "best/val/score", "test/genre/accuracy", "speed/chunks_per_s"} <= set(scalars)
    assert events.Scalars("val/score")[-1].value == events.Scalars("best/val/score")[-1].value
    assert (tmp_path / "run" / "metrics.csv").is_file() and not (tmp_path / "run" / "wandb").exists()
