"""Every command of docs/probes.md runs, on little music and with untrained encoders."""

import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from musicrec.data.manifest import read_manifest
from musicrec.export.folder import write_export
from musicrec.heads.tags import TagHead
from musicrec.models.frontends.mel import MelSpectrogram
from musicrec.models.musicnn import MusiCNN

pytestmark = pytest.mark.slow
PAGE = (Path(__file__).parents[2] / "docs" / "probes.md").read_text()
LINES = [line for block in re.findall(r"^```bash\n(.*?)^```", PAGE, re.M | re.S) for line in block.splitlines()]
OF_HUGGING_FACE = [line for line in LINES if "encoder=hugging_face" in line]
QUICK = ["trainer.max_epochs=1", "logger=csv", "callbacks.progress=null"]


@pytest.fixture(scope="module")
def world(tiny_music: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the page takes as given, a home with music and labels in it, and an untrained MusiCNN."""
    world = tmp_path_factory.mktemp("world")
    music = world / "home" / "Music"
    frame = read_manifest(tiny_music)
    names = [f"{genre}/{Path(path).name}" for genre, path in frame["genre", "path"].iter_rows()]
    for path, name in zip(frame["path"], names, strict=True):
        (music / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, music / name)
    labels = pl.DataFrame({"path": names, "genre": frame["genre"], "artist": frame["artist"], "split": frame["split"]})
    labels.write_csv(music / "labels.csv")
    labels.with_columns(track_id=frame["track_id"], path="home/Music/" + pl.col("path")).write_csv(
        world / "my_music.csv"
    )
    embeddings = [[float(len(genre)), float(number)] for number, genre in enumerate(frame["genre"])]
    pl.DataFrame({"track_id": frame["track_id"], "embedding": embeddings}).write_parquet(world / "embeddings.parquet")
    write_export(
        world / "models" / "musicnn_mtt",
        network=MusiCNN({"tags_mtt": 5}, width=8, hidden=12),
        heads=[TagHead(name="tags_mtt", classes=tuple("abcde"))],
        frontend=MelSpectrogram(mel_scale="slaney", mel_norm="slaney", compression="log", padding="zeros"),
        metrics={},
        data={},
    )
    return world


@pytest.fixture(scope="module")
def hubert(world: Path) -> None:
    """An untrained encoder in the folder that the page names."""
    from transformers import HubertConfig, HubertModel, Wav2Vec2FeatureExtractor

    sizes = {"num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 2, "conv_dim": [16] * 7}
    HubertModel(
        HubertConfig(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, **sizes)
    ).save_pretrained(world / "hubert")
    Wav2Vec2FeatureExtractor().save_pretrained(world / "hubert")


def test_the_page_has_commands():
    assert len(LINES) >= 8 and len(OF_HUGGING_FACE) >= 2


@pytest.mark.extra("hf")
@pytest.mark.usefixtures("hubert")
@pytest.mark.parametrize("line", OF_HUGGING_FACE)
def test_command_of_hugging_face(line: str, world: Path, program: Callable, monkeypatch: pytest.MonkeyPatch):
    run(line, world, program, monkeypatch)


@pytest.mark.parametrize("line", [line for line in LINES if line not in OF_HUGGING_FACE])
def test_command(line: str, world: Path, program: Callable, monkeypatch: pytest.MonkeyPatch):
    """In their order: some read what those before them wrote."""
    if line != "musicrec models get musicnn":  # tests/test_readme.py runs it
        run(line, world, program, monkeypatch)


def run(line: str, world: Path, program: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(world / "home"))
    monkeypatch.setenv("MUSICREC_MODELS", str(world / "models"))
    for name in ("MUSICREC_CACHE", "MUSICREC_LIBRARY", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    first, name, *words = shlex.split(line)
    assert first == "musicrec"
    # As a shell would: ~ where a word or a path after = begins with it.
    words = [word.replace("~/", f"{world / 'home'}/") for word in words]
    if name == "index":
        (found,) = world.glob("runs/probe/*/export")
        words = [word.replace("RUN/export", str(found)) for word in words]
    quick = {"train": QUICK, "evaluate": ["bootstrap.resamples=100"], "index": []}[name]
    done = program("musicrec/__main__.py", name, *words, *quick, folder=world)
    if "encoder=table" in line and name == "train":
        assert "cannot analyse audio or index music" in done.stdout
