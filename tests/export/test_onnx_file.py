"""model.onnx: every network, compared with PyTorch; the file beside an export; and what is wrong."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from musicrec.errors import ExportError
from musicrec.export import checksums, onnx_extras, onnx_file, onnx_graph
from musicrec.export.description import Model
from musicrec.export.encoder import exported_encoder
from musicrec.export.folder import read_export, write_export
from musicrec.export.publish import publish_export
from musicrec.heads.beats import BeatHead
from musicrec.heads.key import KeyHead
from musicrec.heads.tags import TagHead
from musicrec.heads.tempo import TempoHead
from musicrec.models.frontends.mel import MelSpectrogram
from musicrec.models.frontends.none import NoFrontend
from musicrec.models.probe import Probe
from musicrec.models.short_chunk_resnet import ShortChunkResNet
from musicrec.programs.build import TARGETS
from tests.test_configs import WITH

pytestmark = pytest.mark.extra("onnx")

CONF = Path(__file__).parents[2] / "conf"
NAMES = sorted(path.stem for path in (CONF / "model").glob("*.yaml"))
# Networks that compute for one length, such as the tempogram and the octaves of S-KEY's spectrogram, or that need it.
ONE_LENGTH = {"genre_slice_cnn", "gtzan_cnn", "harmonic_cnn", "sample_cnn", "sample_cnn_se", "skey", "tempo_net"}
ONE_LENGTH |= {"spectrogram_transformer"}
TIMM = pytest.mark.extra("timm")
PROBE = "probe"  # two tests of its own: its encoder is a network, or no part of it
FRAME_WISE = {"beat_net"}  # also answers for every frame
HEADS = [KeyHead(), TempoHead(), TagHead(name="tags", columns=("tags",), classes=("piano", "voice", "loud"))]


def run(graph: bytes, waveform: torch.Tensor) -> list[np.ndarray]:
    import onnxruntime

    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    return session.run(None, {"waveform": waveform.numpy()})


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    network = ShortChunkResNet({"tags": 3}, n_mels=48, width=8, chunk_samples=30_000).eval()
    return write_export(
        tmp_path_factory.mktemp("run") / "export",
        network=network,
        heads=HEADS[2:],
        frontend=MelSpectrogram(n_mels=48),
        metrics={"test": {"tags/roc_auc": 0.5}},
        data={},
    )


def test_no_network_is_left_out():
    assert len(NAMES) >= 22 and set(NAMES) >= ONE_LENGTH | FRAME_WISE | {PROBE}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=TIMM if name == "timm" else ()) for name in NAMES if name != PROBE]
)
def test_every_network_has_the_answers_of_pytorch(name: str):
    """With its front end, in batches of any size. Fails for a network that nobody has tried."""
    frontend = [WITH[f"model/{name}.yaml"]] if f"model/{name}.yaml" in WITH else []
    with initialize_config_dir(str(CONF)):
        cfg = compose("train", overrides=[f"model={name}", "model.width=8", "task=[tempo,key]", *frontend])
    heads = [*HEADS, BeatHead()] if name in FRAME_WISE else HEADS
    torch.manual_seed(0)
    network = instantiate(cfg.model, _execution_whitelist_=TARGETS)({head.name: len(head.classes) for head in heads})
    network = network.eval()
    model = Model(
        network=network,
        frontend=instantiate(cfg.frontend, _execution_whitelist_=TARGETS),
        heads=heads,
        config={},
        source=Path(name),
    )
    found = onnx_file.onnx_model(model)
    if name != "timm":  # depends on the backbone
        assert onnx_file.takes_any_length(found) == (name not in ONE_LENGTH)
    assert {node.domain for node in found.graph.node} == {""}
    generator = torch.Generator().manual_seed(1)
    waveform = 0.3 * torch.randn(3, network.chunk_samples, generator=generator)
    with torch.inference_mode():
        embedding, logits = network(model.frontend(waveform))
        expected = [embedding, *(head.probabilities(logits[head.name]) for head in heads)]
    about = json.loads({entry.key: entry.value for entry in found.metadata_props}["musicrec"])
    assert about["frame_rates"] == ({"beats": 62.5} if name in FRAME_WISE else {})
    assert (expected[-1].dim() == 3) == (name in FRAME_WISE)
    for one, other in zip(run(found.SerializeToString(), waveform), expected, strict=True):
        np.testing.assert_allclose(one, other.numpy(), atol=1e-4 * max(1.0, float(other.abs().max())))
    assert not torch.equal(expected[0][0], expected[0][1])  # each chunk has an answer of its own


def test_a_probe_has_the_answers_of_pytorch_with_its_encoder(export: Path):
    """The heads on the encoder's embedding, which is not what the encoder's own heads answer."""
    encoder = exported_encoder(model=str(export))
    torch.manual_seed(1)
    network = Probe(
        {head.name: len(head.classes) for head in HEADS},
        encoder=encoder.description,
        embedding_size=encoder.embedding_size,
        chunk_samples=encoder.chunk_samples,
    ).eval()
    network.encoder.load_state_dict(encoder.network.state_dict())
    model = Model(network=network, frontend=encoder.frontend, heads=HEADS, config={}, source=Path("probe"))
    found = onnx_file.onnx_model(model)
    waveform = 0.3 * torch.randn(3, network.chunk_samples, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        embedding, logits = network(model.frontend(waveform))
        expected = [embedding, *(head.probabilities(logits[head.name]) for head in HEADS)]
    for one, other in zip(run(found.SerializeToString(), waveform), expected, strict=True):
        np.testing.assert_allclose(one, other.numpy(), atol=1e-4 * max(1.0, float(other.abs().max())))


def test_a_probe_on_a_table_is_refused_with_one_message(tmp_path: Path):
    write_export(
        tmp_path / "table",
        network=Probe({"tags": 3}, embedding_size=4).eval(),
        heads=HEADS[2:],
        frontend=NoFrontend(),
        metrics={},
        data={},
    )
    with pytest.raises(ExportError, match=r"table: is a probe on a table of embeddings, .* cannot analyse audio"):
        onnx_file.write_onnx(tmp_path / "table")
    assert not (tmp_path / "table" / "model.onnx").exists()


def test_the_file_describes_itself_and_is_named_by_card_and_checksums(export: Path, tmp_path: Path):
    before = (export / "config.json").read_bytes()
    checksums.write_checksums(export)
    assert onnx_file.write_onnx(export) == export / "model.onnx"
    import onnx

    model = onnx.load(export / "model.onnx")
    about = json.loads({entry.key: entry.value for entry in model.metadata_props}["musicrec"])
    assert about == {
        "format": "musicrec-onnx/1",
        "sample_rate": 16_000,
        "chunk_samples": 30_000,
        "heads": {"tags": ["piano", "voice", "loud"]},
        "frame_rates": {},
        "licence": "unspecified",
    }
    assert [output.name for output in model.graph.output] == ["embedding", "tags"]
    assert checksums.find_damage(export) == [] and "model.onnx" in (export / "SHA256SUMS").read_text()
    assert "`model.onnx`" in (export / "README.md").read_text()
    assert (export / "config.json").read_bytes() == before  # a library knows the export by it
    written = (export / "model.onnx").read_bytes()
    assert onnx_file.write_onnx(export, out=tmp_path / "other.onnx").read_bytes() == written
    (export / "model.onnx").write_bytes(b"of older weights")
    publish_export(export, tmp_path / "published")
    assert (tmp_path / "published" / "model.onnx").read_bytes() == written
    assert "`model.onnx`" in (tmp_path / "published" / "README.md").read_text()
    assert checksums.find_damage(tmp_path / "published") == []


def test_a_damaged_export_is_refused_and_gets_no_new_checksums(export: Path, tmp_path: Path):
    publish_export(export, tmp_path / "there")
    folder = tmp_path / "there"
    recorded = (folder / "SHA256SUMS").read_bytes()
    (folder / "metrics.json").write_text("{}")
    with pytest.raises(ExportError, match=r"metrics\.json: its SHA-256 is .*; make or fetch the export again"):
        onnx_file.write_onnx(folder)
    (folder / "metrics.json").write_text("[")
    with pytest.raises(ExportError, match=r"cannot read .*metrics\.json: not JSON"):
        onnx_file.write_onnx(folder)
    assert (folder / "SHA256SUMS").read_bytes() == recorded


def test_other_answers_are_refused_and_nothing_is_written(
    export: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    model = read_export(export)
    traced = onnx_graph.model_graph

    def other(of: Model, waveform: torch.Tensor, *, any_length: bool) -> bytes:
        with torch.no_grad():
            of.network.classifier.linears["tags"].bias += 0.01
        return traced(of, waveform, any_length=any_length)

    monkeypatch.setattr(
        onnx_file, "model_graph", lambda of, *rest, **settings: other(read_export(export), *rest, **settings)
    )
    with pytest.raises(ExportError, match=r"tags of model\.onnx differs from PyTorch's for 30000 samples"):
        onnx_file.onnx_model(model)
    with pytest.raises(ExportError):
        onnx_file.write_onnx(export, out=tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_a_network_that_onnx_cannot_hold_is_named(export: Path):
    model = read_export(export)
    model.network.hidden = torch.nn.Module()
    model.network.hidden.forward = lambda features: torch.special.bessel_j0(features)
    with pytest.raises(ExportError, match=r"export: the network or its front end cannot be written as ONNX: .*bessel"):
        onnx_file.onnx_model(model)


def test_without_the_extra_one_message(export: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(onnx_extras, "_missing", lambda extra: list(onnx_extras._PACKAGES[extra]))
    with pytest.raises(ExportError, match=r"pip install 'musicrec\[onnx\]'"):
        onnx_file.write_onnx(export)
