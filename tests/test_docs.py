"""What the documents say of the manifest and of new parts holds."""

import re
import sys
from functools import partial
from importlib import import_module
from pathlib import Path

import polars as pl
import pytest
import soundfile
import torch
from hydra import utils
from omegaconf import DictConfig, OmegaConf

from musicrec.cli import TARGETS
from musicrec.data.manifest import read_manifest
from musicrec.data.schema import SCHEMA
from musicrec.registry import find_class

ROOT = Path(__file__).parents[1]
instantiate = partial(utils.instantiate, _execution_whitelist_=TARGETS)


def blocks(document: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", (ROOT / document).read_text(), flags=re.MULTILINE | re.DOTALL)


def test_manifest_columns_are_those_of_the_schema():
    rows = [
        line.split("|")[1] for line in (ROOT / "docs" / "manifest.md").read_text().splitlines() if line[:3] == "| `"
    ]
    assert re.findall(r"`(\w+)`", "".join(rows)) == list(SCHEMA)


def test_manifest_example_reads_as_described(tmp_path: Path):
    (tmp_path / "manifest.csv").write_text(blocks("docs/manifest.md", "csv")[0])
    (tmp_path / "audio").mkdir()
    for name in ("first.flac", "second.mp3"):
        soundfile.write(tmp_path / "audio" / name, [0.0] * 16000, 16000)
    first, second = read_manifest(tmp_path / "manifest.csv").to_dicts()
    assert (first["instruments"], first["bpm"], first["key"], first["time_signature"]) == (
        ["drums", "synth"],
        128,
        6,
        4,
    )
    assert (second["key"], second["mode"], second["bpm"], second["genre"]) == (9, "minor", None, None)


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Puts the Python and the YAML of an example of CONTRIBUTING.md where it says; gives the YAML's content."""
    text = (ROOT / "CONTRIBUTING.md").read_text()

    def block(named: str, language: str) -> str:
        found = re.search(rf"^`{re.escape(named)}`.*\n\n```{language}\n((?s:.*?))^```", text, re.MULTILINE)
        assert found, f"CONTRIBUTING.md has no {language} block for {named}"
        return found[1]

    def put(package: str, module: str, config: str) -> DictConfig:
        path = f"{package.replace('.', '/')}/{module}.py"
        (tmp_path / "added" / f"{module}.py").parent.mkdir()
        (tmp_path / "added" / f"{module}.py").write_text(block(path, "python"))
        monkeypatch.setattr(import_module(package), "__path__", [*import_module(package).__path__, f"{tmp_path}/added"])
        return OmegaConf.create(block(config, "yaml"))

    yield put
    for name in [name for name, module in sys.modules.items() if str(tmp_path) in str(getattr(module, "__file__", ""))]:
        del sys.modules[name]


def test_example_of_a_network(example):
    config = example("musicrec.models", "mean_cnn", "conf/model/mean_cnn.yaml")
    network = instantiate(config)({"genre": 3, "key": 24})
    assert type(network) is find_class("musicrec.models", "MeanCNN")
    assert {key: value for key, value in config.items() if key[0] != "_"} == network.settings
    embedding, logits = network(torch.randn(2, 1, 96, 231))
    assert embedding.shape == (2, network.embedding_size)
    assert {name: tuple(values.shape) for name, values in logits.items()} == {"genre": (2, 3), "key": (2, 24)}


def test_example_of_a_dataset(example, tmp_path: Path):
    config = example("musicrec.data", "genre_folders", "conf/data/genre_folders.yaml")
    music = tmp_path / "music"
    for genre in ("jazz", "rock"):
        (music / genre).mkdir(parents=True)
        for number in range(10):
            soundfile.write(music / genre / f"{number}.wav", [0.0] * 1600, 16000)
    assert config.defaults == ["base"]
    config.manifest.root = str(music)
    frame = read_manifest(instantiate(config.manifest)())
    assert dict(frame["split"].value_counts().iter_rows()) == {"train": 16, "valid": 2, "test": 2}
    assert frame.filter(pl.col("track_id").str.starts_with("jazz/"))["genre"].to_list() == ["jazz"] * 10


def test_example_of_a_deformation(example):
    config = example("musicrec.deformations", "gain", "conf/augment/gain.yaml")
    result = instantiate(config.waveform.gain)(
        torch.ones(64, 100), samples=50, generator=torch.Generator().manual_seed(0)
    )
    assert result.waveform.shape == (64, 50)
    gain_db = 20 * result.waveform[:, 0].log10()
    assert -6 <= gain_db.min() < -4 and 4 < gain_db.max() <= 6
    assert not result.shift_semitones.any() and (result.tempo_ratio == 1).all()


def test_example_of_a_head():
    named = re.search(
        r"^`conf/task/mood.yaml`.*\n\n```yaml\n((?s:.*?))^```", (ROOT / "CONTRIBUTING.md").read_text(), re.M
    )
    head = instantiate(OmegaConf.create(named[1]).heads.mood).fit(pl.DataFrame({"mood": ["calm", "wild", None]}))
    assert head.classes == ("calm", "wild")
    assert head.encode(pl.DataFrame({"mood": ["wild", None]})).isnan().tolist() == [False, True]
