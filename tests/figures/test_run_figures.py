"""figures=true on the command line."""

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from musicrec.data.manifest import read_manifest

pytestmark = pytest.mark.slow

CHOICES = ["debug=fast", "model=short_chunk_resnet", "task=[genre,instruments,tempo]", "data=manifest"]


@pytest.fixture(scope="module")
def music(tiny_music: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return [f"data.manifest={tiny_music}", f"paths.cache={tmp_path_factory.mktemp('cache')}"]


@pytest.fixture(scope="module")
def trained(program: Callable, music: list[str], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("run")
    done = program("train.py", *CHOICES, *music, "figures=true", f"hydra.run.dir={folder}")
    return folder, done.stdout


def test_figures_of_a_training(trained: tuple[Path, str], tiny_music: Path):
    folder, printed = trained
    names = {path.name for path in (folder / "figures").iterdir()}
    (track,) = [name.removeprefix("track_") for name in names if name.startswith("track_")]
    assert (tiny_music.parent / "audio" / track).with_suffix(".flac").is_file()
    assert names == {
        f"track_{track}", f"saliency_{track}", "learning.png", "test_genre_reliability.png",
        "test_instruments_reliability.png", "test_embedding.png",
        "test_genre_confusion.png", "test_instruments_curves.png", "test_tempo_scatter.png",
        "test_genre_classes.png", "test_instruments_classes.png", "test_tempo_classes.png",
    }  # fmt: skip
    assert f"figures: {folder / 'figures'} (12 files)" in printed
    for path in (folder / "figures").iterdir():
        assert path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n" and path.stat().st_size < 200_000, path.name


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ("[nobody]", "no readable track 'nobody' in"),
        ("nobody", "no readable track 'nobody' in"),
        ("-1", "figure_tracks=-1: give the number of tracks"),
    ],
)
def test_an_invalid_track_is_reported_before_the_training(
    program: Callable, music: list[str], tmp_path: Path, chosen: str, message: str
):
    arguments = [*CHOICES, *music, f"figure_tracks={chosen}", f"hydra.run.dir={tmp_path}"]
    done = program("train.py", *arguments, status=1)
    assert message in " ".join(done.stderr.split()) and "Traceback" not in done.stderr
    assert not (tmp_path / "checkpoints").exists()


def test_figures_of_an_evaluation(
    program: Callable, trained: tuple[Path, str], music: list[str], tiny_music: Path, tmp_path: Path
):
    """They include a track of another split, and the learning curves of the run that made the export."""
    frame = read_manifest(tiny_music)
    track = frame.filter(pl.col("split") == "train")["track_id"][0]
    program(
        "evaluate.py", f"export={trained[0] / 'export'}", "data=manifest", *music, "figures=true", "plots=false",
        f"figure_tracks=[{track}]", f"hydra.run.dir={tmp_path}",
    )  # fmt: skip
    names = {path.name for path in (tmp_path / "figures").iterdir()}
    assert {f"track_{track}.png", f"saliency_{track}.png", "test_embedding.png", "learning.png"} <= names
