"""The public weights of S-KEY: a file of the published form becomes an export, other files get one message."""

import hashlib
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

import musicrec
from musicrec.errors import ExportError
from musicrec.export import catalogue, fetch
from musicrec.export.folder import read_export
from musicrec.export.skey_weights import import_skey
from musicrec.heads.keys import KEYS_24
from musicrec.models.skey import SKey
from tests.models.test_skey import original_name
from tests.web_host import Host


@pytest.fixture(scope="module")
def network() -> SKey:
    torch.manual_seed(0)
    return SKey({"key": 24}).eval()


@pytest.fixture(scope="module")
def published(network: SKey, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file like skey.pt, with other weights: tensors of a front end, and numbers of NumPy in the optimiser."""
    tensors = {f"chromanet.{original_name(name)}": value for name, value in network.state_dict().items()}
    tensors["chromanet.classifier.weight"] = tensors["chromanet.classifier.weight"][..., None]
    optimizer = {"param_groups": [{"lr": np.float64(1e-3)}]}
    path = tmp_path_factory.mktemp("published") / "skey.pt"
    torch.save({"stone": {"hcqt.lenghts": torch.ones(99), **tensors}, "optimizer": optimizer, "epoch": 98}, path)
    return path


def test_a_published_file_becomes_an_export(network: SKey, published: Path, tmp_path: Path):
    model = read_export(import_skey(published, out=tmp_path / "export", licence="MIT"))
    assert [head.classes for head in model.heads] == [KEYS_24]
    assert model.config["licence"] == "MIT" and model.config["data"]["weights"] == "skey.pt"
    assert model.network.chunk_samples == 480_000
    waveform = torch.sin(torch.arange(480_000) * 0.2)[None]
    spectrogram = model.frontend(waveform)
    with torch.no_grad():
        assert torch.equal(model.network(spectrogram)[1]["key"], network(spectrogram)[1]["key"])


def test_is_fetched_by_name_and_stands_beside_others(
    host: Host, published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """From a server on this machine, by the entry of the catalogue with the address and the checksum of this file."""
    content = published.read_bytes()
    host.files["skey.pt"] = content
    written = catalogue.FILE.read_text()
    download = catalogue.entries()["skey"].download
    for public, ours in (
        (download.url, host.url("skey.pt")),
        (download.sha256, hashlib.sha256(content).hexdigest()),
        (f"bytes: {download.bytes}", f"bytes: {len(content)}"),
    ):
        assert written.count(public) == 1
        written = written.replace(public, ours)
    (tmp_path / "catalogue.yaml").write_text(written)
    monkeypatch.setattr(catalogue, "FILE", tmp_path / "catalogue.yaml")
    monkeypatch.setenv("MUSICREC_MODELS", str(tmp_path / "models"))
    with pytest.raises(ExportError, match="run `musicrec models get skey` "):
        catalogue.resolve("skey")
    assert [entry.name for entry in fetch.get(catalogue.entries()["skey"].download)] == ["skey"]
    assert host.requests == [("skey.pt", 0)]
    assert "skey" not in catalogue.default_models()
    assert "skey is not used: key answers the same; choose with --models" in catalogue.default_remarks()
    analysis = musicrec.load("tempo", "skey").analyze(np.sin(np.arange(400_000) * 0.1).astype(np.float32))
    assert analysis.features["key"]["key"] in KEYS_24 and analysis.features["tempo"]["bpm"] > 0


class Runs:
    """A pickle of it runs code when it is loaded."""

    def __reduce__(self):
        return os.system, ("exit 1",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"stone": {"chromanet.a": Runs()}}, r"would run code on loading \((posix|nt)\.system\), which is refused"),
        ({"weights": {}}, "holds no weights of S-KEY"),
        ({"stone": {"chromanet.classifier.bias": torch.zeros(2)}}, r"not the weights of S-KEY; \d+ tensors differ"),
        ({"stone": {}}, r"not the weights of S-KEY"),
        (None, "not a PyTorch checkpoint, or is cut off"),
    ],
)
def test_other_files_are_rejected(content: object, message: str, tmp_path: Path):
    path = tmp_path / "skey.pt"
    path.write_bytes(pickle.dumps(1)[:-1]) if content is None else torch.save(content, path)
    with pytest.raises(ExportError, match=f"{message}.*give the file skey.pt from github.com/deezer/skey"):
        import_skey(path, out=tmp_path / "export")
    assert not (tmp_path / "export").exists()


def test_a_missing_file(tmp_path: Path):
    with pytest.raises(ExportError, match=r"skey\.pt: no such file; give the file"):
        import_skey(tmp_path / "skey.pt", out=tmp_path / "export")


@pytest.mark.slow
def test_the_public_weights_name_the_key_of_a_scale():
    """Where they have been fetched. The answers were compared with those of the original code by hand."""
    if not catalogue.entries()["skey"].is_present:
        pytest.skip("needs `musicrec models get skey`")
    time_s = np.arange(16_000 * 30) / 16_000
    chords = ((57, 60, 64), (62, 65, 69), (64, 68, 71), (57, 60, 64))  # A minor, D minor, E major, A minor
    notes = np.array(chords)[(time_s // 2).astype(int) % 4]
    hertz = 440 * 2 ** ((notes - 69) / 12)
    waveform = sum(np.sin(2 * np.pi * h * hertz * time_s[:, None]).sum(1) / h for h in (1, 2, 3)) / 10
    analysis = musicrec.load("skey").analyze(waveform.astype(np.float32))
    assert analysis.features["key"]["key"] == "A minor"
