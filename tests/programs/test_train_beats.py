"""A network for beats as a user trains it: from the command to an evaluated export that finds beats, and mistakes."""

import json
from collections.abc import Callable
from pathlib import Path

import mir_eval
import numpy as np
import polars as pl
import pytest

import musicrec
from musicrec.data.manifest import read_manifest, write_manifest
from musicrec.heads.beat_times import parse_beats

pytestmark = pytest.mark.slow
DANCE = [
    "data=synthetic",
    *(f"data.manifest.{name}" for name in ("genres=[techno,disco]", "tracks=32", "duration_s=6")),
]


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("music")


@pytest.fixture(scope="module")
def run(program: Callable, music: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network, trained for 135 batches on dance music with loud drums."""
    folder = tmp_path_factory.mktemp("run")
    program(
        "train.py", "+experiment/beats=beats", "debug=fast", *DANCE, f"data.manifest.folder={music}",
        "data.max_tracks=null", "data.test_splits=[test]", "data.chunks_per_track=8", "data.batch_size=4",
        "model.width=16", "model.blocks=7", "model.chunk_samples=64000", "model.dropout=0", "optim.lr=1e-2",
        "trainer.max_epochs=3", "logger=csv", "callbacks.progress=null", f"paths.cache={music / 'cache'}",
        f"hydra.run.dir={folder}",
    )  # fmt: skip
    return folder


def test_the_export_finds_the_beats_of_new_tracks(run: Path, music: Path):
    analyzer = musicrec.load(run / "export")
    f_measures, right_tempo = [], []
    for row in read_manifest(music / "manifest.csv").filter(pl.col("split") == "test").to_dicts():
        grid = analyzer.analyze(row["path"]).beat_grid
        expected = np.array([time_s for time_s, _ in parse_beats(row["beats"])])
        f_measures.append(mir_eval.beat.f_measure(expected, grid.beats_s))
        right_tempo.append(abs(grid.bpm / row["bpm"] - 1) < 0.01)
    assert len(f_measures) >= 4 and np.mean(f_measures) > 0.9 and np.mean(right_tempo) >= 0.75


def test_evaluate_scores_the_export(program: Callable, run: Path, music: Path, tmp_path: Path):
    printed = program(
        "evaluate.py", f"export={run / 'export'}", *DANCE, f"data.manifest.folder={music}", "logger=csv",
        f"paths.cache={music / 'cache'}", f"hydra.run.dir={tmp_path}",
    ).stdout  # fmt: skip
    assert "beats f_measure" in printed and "trained on other tracks" not in printed
    found = json.loads((tmp_path / "metrics.json").read_text())["splits"]["test"]["heads"]["beats"]
    trained = json.loads((run / "export" / "metrics.json").read_text())["test"]
    assert found["metrics"]["f_measure"] == pytest.approx(trained["beats/f_measure"], abs=1e-3)
    assert found["metrics"]["f_measure"] > 0.9 > 0.7 > found["chance"]["f_measure"]


@pytest.fixture(scope="module")
def labelled(music: Path, run: Path) -> Path:
    """Six of the tracks; the tests change the beats of the second one."""
    frame = read_manifest(music / "manifest.csv")
    parts = [frame.filter(pl.col("split") == split).head(2) for split in ("train", "valid", "test")]
    path = music / "few.csv"
    write_manifest(pl.concat(parts), path)
    return path


@pytest.mark.parametrize(
    ("beats", "message"),
    [
        ("0.5/1 0.4/2", "1 problem\n  row 3, beats: '0.4/2', expected increasing times in seconds from 0 on"),
        ("500/1 1000/2", "go on to 1000 s, but {path} is 6.0 s long; give seconds"),
        (None, "no track of split 'train' has a label that head 'beats' (beat, downbeat) can use"),
    ],
    ids=["order", "milliseconds", "none"],
)
def test_a_mistake_in_the_labels_is_one_message(program, labelled, tmp_path, beats, message):
    frame = read_manifest(labelled)
    second = frame["track_id"] == frame["track_id"][1]
    cells = pl.when(second).then(pl.lit(beats)).otherwise("beats") if beats else pl.lit(None, pl.String)
    write_manifest(frame.with_columns(cells.alias("beats")), tmp_path / "m.csv")
    error = program(
        "train.py", "debug=fast", "model=beat_net", "model.chunk_samples=48000", "task=[beats]", "data=manifest",
        f"data.manifest={tmp_path / 'm.csv'}", "logger=csv", f"paths.cache={tmp_path}",
        f"hydra.run.dir={tmp_path / 'run'}", status=1,
    ).stderr  # fmt: skip
    assert message.format(path=frame["path"][1]) in error and f"error: {tmp_path / 'm.csv'}: " in error
    assert error.count("error: ") == 1 and "Traceback" not in error


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["model=crnn"], "task.heads.beats: CRNN answers once per chunk, but this head needs every frame; take model="),
        (["model=beat_net", "frontend.hop_length=320"], "frame_rate=62.5: the front end has 50.0 frames per second"),
    ],
)
def test_a_network_that_does_not_fit_is_one_message(program, labelled, tmp_path, settings, message):
    error = program(
        "train.py", "debug=fast", *settings, "task=[beats]", "data=manifest", f"data.manifest={labelled}",
        "logger=csv", f"paths.cache={tmp_path}", f"hydra.run.dir={tmp_path / 'run'}", status=1,
    ).stderr  # fmt: skip
    assert error.count("error: ") == 1 and message in error and "Traceback" not in error


def test_a_beat_network_also_answers_once_per_track(program, labelled, tmp_path):
    """Heads without frames get the mean over the frames; a beat network without the head beats is allowed, too."""
    program(
        "train.py", "debug=fast", "model=beat_net", "model.chunk_samples=48000", "task=[genre]", "data=manifest",
        f"data.manifest={labelled}", "logger=csv", f"paths.cache={tmp_path}", f"hydra.run.dir={tmp_path / 'run'}",
    )  # fmt: skip
    analyzer = musicrec.load(tmp_path / "run" / "export")
    assert analyzer.predict(np.zeros(48_000, np.float32))["genre"].shape == (1, len(analyzer.heads["genre"].classes))
    assert analyzer.analyze(np.zeros(48_000, np.float32)).beat_grid is None
