import json
import os
import pickle
import re
import warnings

import pytest
import soundfile
import torch

from musicrec.errors import ConfigError, ExportError
from musicrec.export.public_checkpoint import read_state_dict, translate_state_dict
from musicrec.export.public_names import ARCHITECTURES
from musicrec.models.frontends.mel import MelSpectrogram

WEIGHTS = {"crnn": "mtat_crnn", "short_chunk_resnet": "short_chunk_resnet_16"}


@pytest.fixture(scope="module")
def public(shared):
    return {name: read_state_dict(shared / "reference" / f"{file}.pth") for name, file in WEIGHTS.items()}


@pytest.fixture
def crnn():
    """A state dict in the original spelling, created here so that no reference file is needed."""
    with torch.random.fork_rng():
        ours = ARCHITECTURES["crnn"]({"tags": 5}, width=8, gru_size=4).state_dict()
    renamed = {}
    for key, value in ours.items():
        key = re.sub(r"blocks\.(\d)\.", lambda match: f"layer{int(match[1]) + 1}.", key).replace(".norm.", ".bn.")
        for mine, original in (("input_norm", "spec_bn"), ("gru", "layer5"), ("classifier.linears.tags", "dense")):
            key = key.replace(mine, original)
        renamed[key] = value
    return renamed


def respell_crnn(state_dict):
    """Translate a state dict to the other spelling."""
    patterns = (
        (r"^layer([1-4])\.", r"conv_block\1."),
        (r"\.bn\.", ".batch_norm."),
        ("^layer5", "gru"),
        (r"^spec\.", "mel_spectrogram."),
    )
    for pattern, replacement in patterns:
        state_dict = {re.sub(pattern, replacement, key): value for key, value in state_dict.items()}
    return state_dict


@pytest.mark.slow
@pytest.mark.parametrize("architecture", WEIGHTS)
def test_answers_as_the_reference_implementation(shared, public, architecture):
    reference = json.loads((shared / "reference" / "outputs.json").read_text())[WEIGHTS[architecture]]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        weights, settings = translate_state_dict(public[architecture], architecture=architecture)
    network = ARCHITECTURES[architecture](**settings).eval()
    network.load_state_dict(weights)
    start, stop = reference["samples"]
    frontend = MelSpectrogram(n_mels=network.n_mels)
    assert len(reference["clips"]) == 8
    for clip, expected in reference["clips"].items():
        path = shared / "corpus" / "audio" / f"{clip}.ogg"
        waveform, _ = soundfile.read(path, start=start, stop=stop, dtype="float32")
        assert len(waveform) == network.chunk_samples
        with torch.inference_mode():
            _, logits = network(frontend(torch.from_numpy(waveform)[None]))
        assert (logits["tags"].sigmoid()[0] - torch.tensor(expected)).abs().max() < 1e-4, clip


def test_settings_follow_from_the_shapes(public):
    _, settings = translate_state_dict(public["crnn"], architecture="crnn")
    assert settings == {"outputs": {"tags": 50}, "n_mels": 96, "width": 64, "gru_size": 32}
    _, settings = translate_state_dict(public["short_chunk_resnet"], architecture="short_chunk_resnet")
    assert settings == {"outputs": {"tags": 32}, "n_mels": 128, "width": 16}


def test_both_spellings_of_the_crnn_give_the_same_weights(public):
    expected, settings = translate_state_dict(public["crnn"], architecture="crnn")
    given, given_settings = translate_state_dict(respell_crnn(public["crnn"]), architecture="crnn")
    assert given_settings == settings
    assert given.keys() == expected.keys() and all(torch.equal(given[key], expected[key]) for key in expected)


def test_both_spellings_of_the_residual_blocks_give_the_same_weights(public):
    other = {
        re.sub(r"(layer\d)\.batch_norm(\d)", r"\1.bn_\2", re.sub(r"(layer\d)\.conv(\d)", r"\1.conv_\2", key)): value
        for key, value in public["short_chunk_resnet"].items()
    }
    assert other.keys() != public["short_chunk_resnet"].keys()
    expected, _ = translate_state_dict(public["short_chunk_resnet"], architecture="short_chunk_resnet")
    given, _ = translate_state_dict(other, architecture="short_chunk_resnet")
    assert all(torch.equal(given[key], expected[key]) for key in expected)


@pytest.mark.parametrize(
    "change",
    [
        lambda state: state,
        respell_crnn,
        lambda state: {f"module.{key}": value for key, value in state.items()},
        lambda state: {key: value for key, value in state.items() if "num_batches" not in key},
        lambda state: {key.replace("spec_bn", "mel_spectrogram.batch_norm"): value for key, value in state.items()},
        lambda state: {**state, "mel_spectrogram.mel_basis": MelSpectrogram().mel.mel_basis},
    ],
    ids=["original", "respelled", "wrapped", "old", "inner_norm", "nnaudio"],
)
def test_variants_load(crnn, change):
    weights, settings = translate_state_dict(change(crnn), architecture="crnn")
    network = ARCHITECTURES["crnn"](**settings)
    network.load_state_dict(weights)
    assert torch.equal(network.blocks[1].norm.weight, crnn["layer2.bn.weight"])
    assert torch.equal(network.gru.weight_ih_l1, crnn["layer5.weight_ih_l1"])
    assert torch.equal(network.input_norm.running_var, crnn["spec_bn.running_var"])


def test_warns_of_another_filter_bank(crnn):
    crnn["mel_spectrogram.mel_basis"] = MelSpectrogram().mel.mel_basis / 60
    with pytest.warns(UserWarning, match=r"x\.pth: mel_spectrogram\.mel_basis is not the published mel filter bank"):
        translate_state_dict(crnn, architecture="crnn", source="x.pth")


def test_another_architecture_is_refused_with_the_keys(crnn):
    with pytest.raises(ExportError) as error:
        translate_state_dict(crnn, architecture="short_chunk_resnet", source="x.pth")
    message = str(error.value)
    assert message.startswith("x.pth: not the short_chunk_resnet of sota-music-tagging-models; missing ")
    assert "bn.bias" in message and "surplus" in message and "dense.bias" in message and len(message) < 500


def test_one_missing_and_one_surplus_key_are_named(crnn):
    crnn["layer9.conv.weight"] = crnn.pop("layer3.conv.weight")
    with pytest.raises(
        ExportError, match=r"missing 1 key \(layer3.conv.weight\); surplus 1 key \(layer9.conv.weight\)"
    ):
        translate_state_dict(crnn, architecture="crnn")


def test_a_wrong_number_of_dimensions_is_named(crnn):
    crnn["layer5.weight_hh_l0"] = torch.zeros(())  # the size of the recurrent layer is read from it
    with pytest.raises(ExportError, match=r"layer5\.weight_hh_l0 has 0 dimensions in place of 2"):
        translate_state_dict(crnn, architecture="crnn")


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({3: torch.zeros(1)}, "it holds no state dict"),
        ({"dense.weight": torch.zeros(2, 2).to_sparse()}, "it holds no state dict"),
        ({"dense.weight": torch.tensor([1.0, torch.nan])}, r"1 key \(dense\.weight\) with NaN or infinity"),
    ],
)
def test_what_is_no_set_of_weights_is_refused(state, message, tmp_path):
    torch.save(state, tmp_path / "x.pth")
    with pytest.raises(ExportError, match=message):
        read_state_dict(tmp_path / "x.pth")


def test_a_wrong_shape_is_named(crnn):
    crnn["layer2.conv.weight"] = torch.zeros(16, 8, 5, 5)
    with pytest.raises(ExportError, match=r"layer2.conv.weight is \(16, 8, 5, 5\) where \(16, 8, 3, 3\) is expected"):
        translate_state_dict(crnn, architecture="crnn")


def test_unknown_architecture(crnn):
    with pytest.raises(
        ConfigError, match=r"architecture 'vgg' is unknown; choose from: crnn, fcn, .*, short_chunk_resnet"
    ):
        translate_state_dict(crnn, architecture="vgg")


class Code:
    def __reduce__(self):
        return os.mkdir, (os.environ["MUSICREC_TEST_MARK"],)


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("writer", ["torch", "pickle"])
def test_code_is_refused_and_not_executed(tmp_path, monkeypatch, writer, protocol):
    mark = tmp_path / "was_run"
    monkeypatch.setenv("MUSICREC_TEST_MARK", str(mark))
    path = tmp_path / "x.pth"
    if writer == "torch":
        torch.save({"layer1.conv.weight": Code()}, path, pickle_protocol=protocol)
    else:
        path.write_bytes(pickle.dumps(Code(), protocol=protocol))
    with pytest.raises(ExportError, match=r"x\.pth: it "):
        read_state_dict(path)
    assert not mark.exists()


def test_the_refused_code_is_named(tmp_path):
    torch.save(torch.nn.Linear(1, 1), tmp_path / "x.pth")
    with pytest.raises(ExportError, match=r"x\.pth: it would run code on loading \(torch\.nn\.\S+Linear\)"):
        read_state_dict(tmp_path / "x.pth")


@pytest.mark.parametrize("content", [b"", b"hello, this is text\n", b"OggS" * 99, b"\x80\x02", b"PK\x03\x04 cut off"])
def test_refuses_a_file_that_is_not_a_checkpoint(tmp_path, content):
    (tmp_path / "x.pth").write_bytes(content)
    with pytest.raises(ExportError, match=r"x\.pth: it is not a PyTorch checkpoint"):
        read_state_dict(tmp_path / "x.pth")


@pytest.mark.parametrize("content", [torch.zeros(3), {"epoch": 3}, {}, [1, 2]])
def test_refuses_a_checkpoint_without_state_dict(tmp_path, content):
    torch.save(content, tmp_path / "x.pth")
    with pytest.raises(ExportError, match=r"x\.pth: it holds no state dict"):
        read_state_dict(tmp_path / "x.pth")


def test_refuses_a_missing_file(tmp_path):
    with pytest.raises(ExportError, match=r"x\.pth: no such file"):
        read_state_dict(tmp_path / "x.pth")


def test_wrapped_state_dict(tmp_path, crnn):
    torch.save({"epoch": 3, "state_dict": crnn}, tmp_path / "x.pth")
    assert read_state_dict(tmp_path / "x.pth").keys() == crnn.keys()
