"""The examples of CONTRIBUTING.md and docs/manifest.md work as written."""

import hashlib
import re
import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import polars as pl
import pytest
import soundfile
import torch
from hydra import utils
from omegaconf import DictConfig, OmegaConf
from sklearn.metrics import balanced_accuracy_score

from musicrec.config.class_lookup import find_class
from musicrec.config.targets import TARGETS
from musicrec.data.manifest import read_manifest
from musicrec.evaluation.head_scores import score_heads
from musicrec.export import catalogue, fetch
from musicrec.export.folder import read_export
from musicrec.export.public_names import ARCHITECTURES, ORIGINAL_NAMES
from musicrec.figures.scores import plot_scores
from musicrec.heads import Head, from_dict, head_classes, to_dict
from musicrec.recommend.columns import Columns
from musicrec.recommend.sets.axes import LoudnessAxis
from musicrec.recommend.sets.transition import TransitionScore
from musicrec.recommend.similarity import Similarity

ROOT = Path(__file__).parents[1]
instantiate = partial(utils.instantiate, _execution_whitelist_=TARGETS)


def blocks(document: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", (ROOT / document).read_text(), flags=re.MULTILINE | re.DOTALL)


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
def block() -> Callable[[str, str], str]:
    """block(name, language): the block of CONTRIBUTING.md below the paragraph that begins with the name of the file."""
    text = (ROOT / "CONTRIBUTING.md").read_text()

    def find(named: str, language: str) -> str:
        found = re.search(rf"^`{re.escape(named)}`(?:.+\n)*\n*```{language}\n((?s:.*?))^```", text, re.MULTILINE)
        assert found, f"CONTRIBUTING.md has no {language} block for {named}"
        return found[1]

    return find


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: Callable[[str, str], str]):
    """Put the Python file of an example of CONTRIBUTING.md into its package, and return the content of its YAML."""

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
    config = example("musicrec.data.adapters", "genre_folders", "conf/data/genre_folders.yaml")
    music = tmp_path / "dataset" / "music"
    for genre in ("jazz", "rock"):
        (music / genre).mkdir(parents=True)
        for number in range(10):
            soundfile.write(music / genre / f"{number}.wav", [0.0] * 1600, 16000)
    assert config.defaults == ["base", {"override /task@_global_.task": ["genre"]}]
    config.root, config.stores = str(music.parent), str(tmp_path / "stores")
    frame = read_manifest(instantiate(config.manifest)())
    assert dict(frame["split"].value_counts().iter_rows()) == {"train": 16, "valid": 2, "test": 2}
    assert frame.filter(pl.col("track_id").str.starts_with("jazz/"))["genre"].to_list() == ["jazz"] * 10


def test_example_of_a_deformation(example, block):
    config = example("musicrec.deformations", "tremolo", "conf/deformation/tremolo.yaml")
    waveform, seeds = torch.ones(64, 16_000), range(64)
    for strength, deformation in instantiate(config.tremolo):
        result = deformation(waveform, samples=8000, sample_rate=16_000, seeds=seeds)
        assert result.waveform.shape == (64, 8000)
        level_db = 20 * result.waveform.log10()
        assert level_db.amax(dim=1).tolist() == pytest.approx([0.0] * 64, abs=0.01)
        assert level_db.amin(dim=1).tolist() == pytest.approx([-strength] * 64, abs=0.01)
        assert len(set(level_db.argmax(dim=1).tolist())) > 50, "each example has its phase"
        assert not result.shift_semitones.any() and (result.tempo_ratio == 1).all()
    config = OmegaConf.create({"augment": OmegaConf.load(ROOT / "conf" / "augment" / "none.yaml")})
    config.augment.waveform = OmegaConf.create(block("conf/augment/waveform/tremolo.yaml", "yaml"))
    config.augment.probability = 0.5
    training = instantiate(config.augment.waveform.tremolo)(waveform, samples=8000, sample_rate=16_000, seeds=seeds)
    still = (training.waveform == 1).all(dim=1)
    assert 20 < still.sum() < 44
    assert 0 > 20 * training.waveform.amin().log10() > -12


def test_example_of_a_head():
    named = re.search(
        r"^`conf/task/mood.yaml`.*\n\n```yaml\n((?s:.*?))^```", (ROOT / "CONTRIBUTING.md").read_text(), re.M
    )
    head = instantiate(OmegaConf.create(named[1]).heads.mood).fit(pl.DataFrame({"mood": ["calm", "wild", None]}))
    assert head.classes == ("calm", "wild")
    assert head.encode(pl.DataFrame({"mood": ["wild", None]})).isnan().tolist() == [False, True]


def test_example_of_a_new_kind_of_head(example, tmp_path: Path):
    """It is described and found again, learns, is scored and drawn, and is compared by the recommender."""
    head = instantiate(example("musicrec.heads", "level", "conf/task/energy.yaml").heads.energy)
    assert type(head) is head_classes()["LevelHead"] and from_dict(to_dict(head)) == head
    assert [name for name in vars(Head) if not name.startswith("_") and not hasattr(head, name)] == []
    target = head.encode(pl.DataFrame({"energy": [0.0, 0.35, 0.4, 1.0, None]}))
    assert target[:4].tolist() == [1, 4, 4, 10] and target[4].isnan()
    logits = torch.zeros(5, 10, requires_grad=True)
    optimizer = torch.optim.Adam([logits], lr=0.3)
    for _ in range(200):
        optimizer.zero_grad()
        head.loss(logits, target).backward()
        optimizer.step()
    assert logits.grad[4].abs().sum() == 0
    probabilities = head.probabilities(logits.detach())
    assert head.score(probabilities, target).values() == {"within_1": 1, "accuracy": 1}
    predictions = {"test": {"energy": (probabilities, target)}}
    paths = plot_scores(tmp_path, score_heads(predictions, [head]), predictions, dataset="set")
    assert [path.name for path in paths] == ["test_energy_scatter.png"]
    assert head.text(head.decode(probabilities[3].numpy())) == "10.0 of 10"
    similarity, _ = Similarity([head]).compare({"energy": np.eye(10)[3]}, {"energy": np.eye(10)})
    assert np.argsort(-similarity, kind="stable")[:3].tolist() == [3, 2, 4], "the nearest levels are the most similar"


def test_example_of_a_metric():
    """The line, put into a copy of the module, gives what scikit-learn has under the same name."""
    line = next(code for code in blocks("CONTRIBUTING.md", "python") if code.startswith("overall["))
    source = (ROOT / "musicrec" / "heads" / "metrics.py").read_text()
    head, exclusive = source.split("def single_label(")
    before = '    counts = {"tracks": torch.bincount'
    assert before in exclusive
    module = ModuleType("metrics_with_another")
    sys.modules[module.__name__] = module  # where dataclasses look for it
    try:
        exec(f"{head}def single_label({exclusive.replace(before, f'    {line}{before}', 1)}", module.__dict__)
    finally:
        del sys.modules[module.__name__]
    probabilities, target = torch.eye(3)[[0, 0, 1, 2, 2, 0]], torch.tensor([0.0, 0, 0, 1, 2, 2])
    scores = module.single_label(probabilities, target, None, classes=("a", "b", "c"))
    expected = balanced_accuracy_score(target, probabilities.argmax(dim=1))
    assert scores.values()["balanced_accuracy"] == pytest.approx(expected) == pytest.approx((2 / 3 + 0 + 1 / 2) / 3)


def test_example_of_an_axis(block: Callable[[str, str], str]):
    """Ten years apart score one half, beside an axis that scores 1."""
    module = ModuleType("year_axis")
    sys.modules[module.__name__] = module  # where dataclasses look for it
    try:
        exec(block("musicrec/recommend/sets/year.py", "python"), module.__dict__)
        unknown = np.full(3, np.nan)
        facts = dict.fromkeys(("bpm", "energy", "duration_s"), unknown) | dict.fromkeys(
            ("artist", "album", "genre"), np.full(3, "")
        )
        columns = Columns(**facts, key=[-1] * 3, loudness=[-9.0] * 3, year=[1990, 2000, -1], vectors=np.zeros((3, 0)))
        scoring = TransitionScore(axes=(LoudnessAxis(weight=0.3), module.YearAxis()), missing_costs=0)
        made, unknown_year = (scoring.explain(scoring.pairs(columns, [0], [row])) for row in (1, 2))
    finally:
        del sys.modules[module.__name__]
    assert made.axes == {"loudness": 1.0, "year": 0.5} and made.score == pytest.approx((0.3 + 0.05) / 0.4)
    assert made.reason == "1990 → 2000"
    assert unknown_year.axes["year"] is None and unknown_year.score == 1


def test_example_model_with_a_name(block: Callable[[str, str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    written = block("musicrec/export/catalogue.yaml", "yaml")
    weights = {}
    for name, tensor in ARCHITECTURES["crnn"]({"tags": 2}, width=4, gru_size=4).state_dict().items():
        ours = next(module for module in ORIGINAL_NAMES["crnn"] if name.startswith(f"{module}."))
        weights[ORIGINAL_NAMES["crnn"][ours] + name.removeprefix(ours)] = tensor
    torch.save(weights, tmp_path / "carried.pth")
    (stated,) = re.findall(r"sha256: (.*)", written)
    found = hashlib.sha256((tmp_path / "carried.pth").read_bytes()).hexdigest()
    (tmp_path / "catalogue.yaml").write_text(written.replace(stated, found))
    monkeypatch.setattr(catalogue, "FILE", tmp_path / "catalogue.yaml")
    monkeypatch.setenv("MUSICREC_MODELS", str(tmp_path / "models"))
    entry = catalogue.entries()["rock_or_jazz"]
    assert fetch.get(entry.download, file=tmp_path / "carried.pth") == [entry]
    model = read_export(catalogue.resolve("rock_or_jazz"))
    assert [head.name for head in model.heads] == list(entry.heads) and model.heads[0].classes == ("rock", "jazz")
    assert model.config["licence"] == entry.licence
