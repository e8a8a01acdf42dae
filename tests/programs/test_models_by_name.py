"""The name of a model works in every program that takes an export, and no program downloads."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml

import musicrec
from musicrec.data.manifest import read_manifest
from musicrec.errors import ExportError
from musicrec.export import catalogue
from musicrec.export.folder import write_export
from musicrec.heads.classes import ClassHead
from musicrec.heads.tempo import TempoHead
from musicrec.models.frontends.mel import MelSpectrogram
from musicrec.models.short_chunk_resnet import ShortChunkResNet

pytestmark = pytest.mark.slow

ABOUT = {"licence": "MIT", "source": "here", "trained_on": "nothing", "measured": [], "predicts": "a genre"}
ABSENT = "absent: has not been fetched; run `musicrec models get absent` (29 MB, MIT licence)"
UNKNOWN = (
    "mime: there is no such file or folder, and no model has this name; did you mean mine? the models are ours, mine, "
    "absent (`musicrec models` describes them)"
)
NAMES = [("absent", ABSENT), ("mime", UNKNOWN)]


@pytest.fixture(scope="module")
def folders(tiny_music: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a catalogue, a model that ships (ours), and one that was fetched (mine)."""
    top = tmp_path_factory.mktemp("names")
    genre = ClassHead(name="genre", column="genre", role="tag").fit(read_manifest(tiny_music))
    for folder, heads in ((top / "pretrained" / "ours", [TempoHead()]), (top / "models" / "mine", [genre])):
        torch.manual_seed(1)
        sizes = {head.name: len(head.classes) for head in heads}
        network = ShortChunkResNet(sizes, n_mels=128, chunk_samples=33_000, width=4, dropout=0.5).eval()
        frontend = MelSpectrogram(n_mels=128)
        write_export(folder, network=network, heads=heads, frontend=frontend, metrics={}, data={"manifest": "none"})
    file = {"file": "x", "bytes": 29_000_000, "sha256": "0" * 64, "url": "http://127.0.0.1:9/x", "importer": "none"}
    models = {
        "ours": {"heads": ["tempo"], **ABOUT},
        "mine": {"heads": ["genre"], "download": "file", **ABOUT},
        "absent": {"heads": ["genre"], "download": "file", **ABOUT},
    }
    written = yaml.safe_dump({"models": models, "downloads": {"file": file}}, sort_keys=False)
    (top / "catalogue.yaml").write_text(written)
    return top


@pytest.fixture(autouse=True)
def names(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "FILE", folders / "catalogue.yaml")
    monkeypatch.setattr(catalogue, "SHIPPED", folders / "pretrained")
    monkeypatch.setenv("MUSICREC_MODELS", str(folders / "models"))


@pytest.fixture
def data(tiny_music: Path, folders: Path) -> list[str]:
    return [
        "data=manifest",
        f"data.manifest={tiny_music}",
        f"paths.cache={folders}/cache",
        f"paths.runs={folders}/runs",
    ]


def test_python(folders: Path):
    assert set(musicrec.load("ours", "mine").heads) == {"tempo", "genre"}
    with pytest.raises(ExportError, match="absent: has not been fetched"):
        musicrec.load("ours", "absent")


def test_train(program: Callable, folders: Path, data: list[str], tmp_path: Path):
    settings = [*data, "debug=fast", "logger=csv", "task=[genre]", "model=short_chunk_resnet", "model.width=4"]
    settings += [f"hydra.run.dir={tmp_path}/run"]
    assert "start_from=mine: " in program("train.py", *settings, "start_from=mine").stdout
    for name, message in NAMES:
        assert message in program("train.py", *settings, f"start_from={name}", status=1).stderr


def test_evaluate(program: Callable, data: list[str], tmp_path: Path):
    settings = [*data, "bootstrap=null", "plots=false", f"hydra.run.dir={tmp_path}/report"]
    program("evaluate.py", *settings, "export=mine")
    assert json.loads((tmp_path / "report" / "metrics.json").read_text())["export"].endswith("/models/mine")
    for name, message in NAMES:
        assert message in program("evaluate.py", *settings, f"export={name}", status=1).stderr


def test_robustness(program: Callable, data: list[str], tmp_path: Path):
    settings = [*data, "deformation=polarity", "bootstrap=null", "measurement.workers=0", "recommender=null"]
    settings += ["figures=false", "logger=csv", f"hydra.run.dir={tmp_path}/report"]
    program("robustness.py", *settings, "export=[mine,ours]")
    assert list((tmp_path / "report").glob("*_metrics.csv"))
    for name, message in NAMES:
        assert message in program("robustness.py", *settings, f"export={name}", status=1).stderr


def test_recommend(program: Callable, folders: Path, tiny_music: Path, tmp_path: Path):
    library, source = f"library={tmp_path}/library.sqlite", f"source={tiny_music}"
    for name, message in NAMES:
        done = program("recommend.py", "action=index", f"exports=[ours,{name}]", source, library, status=1)
        assert message in done.stderr
    program("recommend.py", "action=index", "exports=[ours,mine]", source, library, "max_files=6")
    first = shutil.copy(sorted(tiny_music.parent.rglob("*.flac"))[0], tmp_path / "query.flac")
    (folders / "pretrained").rename(folders / "upgraded")
    asked = ["recommend.py", "action=query", f"query={first}", library, "format=json", "k=2"]
    try:
        assert "which no longer exists; name its new folder" in program(*asked, status=1).stderr
        catalogue.SHIPPED = folders / "upgraded"  # monkeypatch restores it
        assert len(json.loads(program(*asked).stdout)["results"]) == 2
    finally:
        (folders / "upgraded").rename(folders / "pretrained")
