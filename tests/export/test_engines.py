"""What runs the networks: every engine has PyTorch's answers, the fastest is chosen, and mistakes get one message."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from musicrec.errors import ConfigError, ExportError
from musicrec.export import catalogue, engine_choice, onnx_extras
from musicrec.export.analyzer import TrackAnalyzer, load
from musicrec.export.description import Model
from musicrec.export.engines import OnnxEngine, TorchEngine
from musicrec.export.folder import read_export
from musicrec.export.precision import EngineTrial, trial_music
from musicrec.heads.tags import TagHead
from musicrec.models.frontends.mel import MelSpectrogram
from musicrec.models.musicnn import MusiCNN

CPU = torch.device("cpu")
ROOT = Path(__file__).parents[2]
engines = pytest.mark.parametrize(
    "engine", [pytest.param(name, marks=pytest.mark.extra(name)) for name in ("onnx", "openvino")]
)


def make_tagger() -> Model:
    torch.manual_seed(0)
    network = MusiCNN({"tags": 5}, width=8, middle=8)
    network.classifier.linears["tags"].weight.data *= 5
    head = TagHead(name="tags", columns=("tags",), classes=tuple("abcde"))
    frontend = MelSpectrogram(padding="zeros", compression="log")
    return Model(network=network.eval(), frontend=frontend, heads=[head], config={}, source=Path("tagger"))


@pytest.fixture(scope="module")
def models() -> list[Model]:
    """Those that ship, and a tagger that hears patches of the spectrogram."""
    return [*(read_export(catalogue.resolve(name)) for name in ("tempo", "key")), make_tagger()]


@pytest.fixture(scope="module")
def beats() -> Model:
    """Answers for every frame. The network and the weights that ship."""
    return read_export(catalogue.resolve("beats"))


@pytest.fixture
def is_installed(monkeypatch: pytest.MonkeyPatch):
    """is_installed(names): lets only these extras be installed."""

    def set_names(*names: str) -> None:
        monkeypatch.setattr(engine_choice, "is_installed", lambda extra: extra in names)

    return set_names


@engines
def test_answers_are_those_of_pytorch(models: list[Model], engine: str):
    music = trial_music(40 * 16_000, 16_000).numpy()
    expected = TrackAnalyzer(models, engine="torch", precision="float32").analyze(music)
    analyzer = TrackAnalyzer(models, engine=engine, precision="float32", batch_size=7)  # the last batch is smaller
    assert analyzer.engines == [f"{engine} float32"] * 3
    found = analyzer.analyze(music)
    for head, probabilities in expected.probabilities.items():
        np.testing.assert_allclose(found.probabilities[head], probabilities, atol=1e-5)
    np.testing.assert_allclose(found.embedding, expected.embedding, atol=1e-4)
    for head, answer in expected.features.items():
        assert found.features[head] | {"probability": 0} == answer | {"probability": 0}
    chunks = music[: 2 * 30_000].reshape(2, -1)  # of a length that the graphs are not for
    for head, probabilities in TrackAnalyzer(models, engine="torch", precision="float32").predict(chunks).items():
        np.testing.assert_allclose(analyzer.predict(chunks)[head], probabilities, atol=1e-5)


@engines
def test_frames_are_those_of_pytorch(beats: Model, engine: str):
    music = trial_music(30 * 16_000, 16_000).numpy()
    expected = TrackAnalyzer([beats], engine="torch", precision="float32").analyze(music)
    analyzer = TrackAnalyzer([beats], engine=engine, precision="float32")
    assert analyzer.engines == [f"{engine} float32"]
    found = analyzer.analyze(music)
    np.testing.assert_allclose(found.frames["beats"], expected.frames["beats"], atol=1e-5)
    assert found.frames["beats"].shape == (2, 1876) and found.frames["beats"].max() > 0.5
    assert found.beat_grid.bpm == pytest.approx(expected.beat_grid.bpm, abs=1e-3)


def test_one_frame_with_another_answer_is_found(beats: Model):
    """The mean over the chunks would hide it."""
    trial, same = EngineTrial(beats, CPU), TorchEngine(beats.network, CPU)

    class Other:
        name, precision = "torch", "bf16"

        def __call__(self, spectrogram):
            embedding, logits = same(spectrogram)
            probability = logits["beats"][0, 0, 100].sigmoid()
            logits["beats"][0, 0, 100] = (probability + (0.03 if probability < 0.5 else -0.03)).logit()
            return embedding, logits

    assert trial.keeps_answers(same) and not trial.keeps_answers(Other())


@engines
def test_several_threads_run_an_engine_at_a_time(models: list[Model], engine: str):
    analyzer = TrackAnalyzer(models[:1], engine=engine, precision="float32")
    music = [trial_music(16_000 * seconds, 16_000).numpy() for seconds in (13, 20, 27, 34)]
    expected = [analyzer.analyze(one).probabilities["tempo"] for one in music]
    found: dict[int, np.ndarray] = {}

    def work(number: int) -> None:
        found[number] = analyzer.analyze(music[number % 4]).probabilities["tempo"]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, probabilities in found.items():
        np.testing.assert_allclose(probabilities, expected[number % 4], atol=1e-6)
    assert len(found) == 8


@pytest.mark.extra("openvino")
def test_bf16_of_openvino_is_used_where_it_is_fast_and_keeps_the_answers(models, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(engine_choice, "has_fast_bf16", lambda device: True)
    built = []

    class EngineTrial(engine_choice.EngineTrial):
        def keeps_answers(self, engine):
            built.append((engine.name, engine.precision))
            return engine.precision == "float32"

    monkeypatch.setattr(engine_choice, "EngineTrial", EngineTrial)
    assert TrackAnalyzer(models[:1], engine="openvino").engines == ["openvino float32"]
    assert built == [("openvino", "bf16"), ("openvino", "float32")]


def test_the_fastest_engine_that_is_installed_is_chosen(
    models: list[Model], is_installed, monkeypatch: pytest.MonkeyPatch
):
    by_speed = engine_choice._by_speed
    is_installed("onnx", "openvino")
    slow, fast = {"fast_bf16": False}, {"fast_bf16": True}
    assert by_speed(models[0], CPU, **fast)[:2] == [("openvino", "bf16"), ("torch", "bf16")]
    assert by_speed(models[0], CPU, **slow) == [("openvino", "float32"), ("onnx", "float32"), ("torch", "float32")]
    assert by_speed(models[2].for_inference(), CPU, **slow)[0] == ("torch", "float32")
    assert by_speed(models[0], torch.device("cuda"), **fast) == [("torch", "bf16"), ("torch", "float32")]
    assert by_speed(models[0], torch.device("cuda"), **slow) == [("torch", "float32")]
    is_installed()
    assert by_speed(models[0], CPU, **slow) == [("torch", "float32")]
    monkeypatch.delenv(engine_choice.VARIABLE, raising=False)
    assert TrackAnalyzer(models[:1], precision="float32").engines == ["torch float32"]
    assert TrackAnalyzer(models[:1], precision="float32", engine="fastest").engines == ["torch float32"]


@pytest.mark.extra("onnx")
def test_an_engine_with_other_answers_is_not_used(models: list[Model], is_installed, monkeypatch: pytest.MonkeyPatch):
    class Wrong(OnnxEngine):
        def __call__(self, spectrogram):
            embedding, logits = super().__call__(spectrogram)
            return embedding, {head: values + torch.arange(values.shape[1]) * 1e-3 for head, values in logits.items()}

    is_installed("onnx")
    monkeypatch.setattr(engine_choice, "OnnxEngine", Wrong)
    with pytest.raises(ExportError, match=r"tempo: engine=onnx: gives other answers than PyTorch; choose engine=torch"):
        TrackAnalyzer(models[:1], engine="onnx", precision="float32")
    assert isinstance(engine_choice.choose_engine(models[0], CPU, precision="float32"), TorchEngine)


@pytest.mark.extra("onnx")
def test_a_network_without_a_graph_stays_in_pytorch(is_installed):
    model = make_tagger()
    model.network.hidden_norm.forward = torch.special.bessel_j0
    is_installed("onnx")
    with pytest.raises(ExportError, match=r"tagger: engine=onnx: the network .* cannot be written as ONNX"):
        engine_choice.choose_engine(model, CPU, engine="onnx", precision="float32")
    assert engine_choice.choose_engine(model, CPU, precision="float32").name == "torch"


def test_one_message_for_each_mistake(models: list[Model], monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(ConfigError, match="engine=tensorrt: choose auto, torch, onnx, openvino or fastest"):
        TrackAnalyzer(models, engine="tensorrt")
    with pytest.raises(ConfigError, match=r"engine=openvino: runs on a CPU, not on device=cuda"):
        engine_choice.check_engine("openvino", torch.device("cuda"))
    monkeypatch.setattr(onnx_extras, "_missing", lambda extra: list(onnx_extras._PACKAGES[extra]))
    for engine, package in (("onnx", "onnxruntime"), ("openvino", "openvino")):
        message = rf"^engine={engine} needs the package {package}, .*; run `pip install 'musicrec\[{engine}\]'`"
        with pytest.raises(ExportError, match=message):
            load("tempo", engine=engine)


@pytest.mark.extra("openvino")
def test_openvino_reports_to_nobody(tmp_path: Path):
    """Its telemetry writes the id of the user to ~/intel, and reports each import."""
    code = "import sys; from musicrec.export import engines; core = engines._import_openvino().Core(); "
    code += "print(*(name for name in sys.modules if name.startswith('openvino_telemetry')))"
    environment = {**os.environ, "HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip(), list(tmp_path.iterdir())) == (0, "", []), done.stderr


def test_a_variable_says_what_auto_stands_for(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(engine_choice.VARIABLE, "torch")
    assert engine_choice.check_engine("auto", CPU) == "torch"
    monkeypatch.setenv(engine_choice.VARIABLE, "")
    assert engine_choice.check_engine("auto", CPU) == "torch"
    monkeypatch.setenv(engine_choice.VARIABLE, "fastest")
    assert engine_choice.check_engine("auto", CPU) == "fastest"
    monkeypatch.setenv(engine_choice.VARIABLE, "tensorrt")
    with pytest.raises(ConfigError, match="MUSICREC_ENGINE=tensorrt"):
        engine_choice.check_engine("auto", CPU)
    monkeypatch.setenv(engine_choice.VARIABLE, "openvino")
    assert engine_choice.check_engine("auto", torch.device("cuda")) == "torch"
