"""Tests that every network of the package passes."""

import inspect
import json
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf
from torch.utils._python_dispatch import TorchDispatchMode

from musicrec.config.class_lookup import find_class, find_classes
from musicrec.errors import ConfigError

ROOT = Path(__file__).parents[2]
SMALL = {"TimmNetwork": {"name": "test_efficientnet"}}  # what makes a network small, beside its width
EXTRAS = {"TimmNetwork": pytest.mark.extra("timm")}
ALL_NAMES = sorted(set(find_classes("musicrec.models")) - {"Probe"})  # has an encoder in place of layers: test_probe.py
NAMES = [pytest.param(name, marks=EXTRAS.get(name, ())) for name in ALL_NAMES]
# With 50 outputs. tests/export/sota_networks.json has those of the reference implementations, too.
PARAMETERS = {
    "BeatNet": 63_716,
    "CRNN": 394_100,
    "FCN": 447_732,
    "GenreSliceCNN": 4_267_860,
    "GtzanCNN": 47_922,
    "HarmonicCNN": 3_631_551,
    "K1C2": 1_005_042,
    "K2C1": 1_001_580,
    "K2C2": 1_003_830,
    "KeyNet": 16_674,
    "MusiCNN": 787_159,
    "MusiCNN2020": 784_300,
    "SKey": 49_126,
    "SampleCNN": 1_869_874,
    "SampleCNNSE": 6_951_858,
    "SelfAttentionCNN": 10_521_652,
    "ShortChunkCNN": 3_687_348,
    "ShortChunkResNet": 12_104_244,
    "SpectrogramTransformer": 3_763_828,
    "TempoNet": 57_332,
    "TimmNetwork": 4_071_024,
}
# The least frames that a network pools into one, where that is more than 192.
FRAMES = {
    "FCN": 1280,
    "HarmonicCNN": 288,
    "K1C2": 1280,
    "K2C1": 1280,
    "K2C2": 1280,
    "SampleCNN": 59_049,
    "SampleCNNSE": 59_049,
}
OUTPUTS = {"tags": 7, "tempo": 3}
BF16_UNITS = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def constructor_settings(name):
    parameters = inspect.signature(find_class("musicrec.models", name)).parameters.values()
    return {parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY}


def small(name, **settings):
    torch.manual_seed(0)
    return find_class("musicrec.models", name)(OUTPUTS, width=8, **SMALL.get(name, {}), **settings)


def spectrogram(network, batch):
    return torch.randn(batch, 1, network.n_mels, FRAMES.get(type(network).__name__, 192))


def test_every_network_has_a_known_size():
    missing = []
    for name in set(ALL_NAMES) - set(PARAMETERS):
        with torch.device("meta"):
            network = find_class("musicrec.models", name)({"tags": 50})
        size = sum(parameter.numel() for parameter in network.parameters())
        missing.append(
            f'add "{name}": {size:_} to tests/models/test_networks.py (in PARAMETERS) if that is what you expect'
        )
    assert not missing, "\n".join(missing)
    assert set(PARAMETERS) == set(ALL_NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_size(name):
    with torch.device("meta"):
        network = find_class("musicrec.models", name)({"tags": 50})
    assert sum(parameter.numel() for parameter in network.parameters()) == PARAMETERS[name]


@pytest.mark.parametrize("name", NAMES)
def test_settings_name_every_argument_of_the_constructor(name):
    """An export rebuilds the network from them; a forgotten one would silently have its default."""
    cls = find_class("musicrec.models", name)
    file = cls.__module__.replace(".", "/") + ".py"
    arguments = constructor_settings(name)
    absent = {"width", "dropout"} - arguments
    assert not absent, f"{file}: add the keyword-only settings {sorted(absent)}, which all tests of networks use"
    wrong = arguments ^ set(small(name).settings)
    assert not wrong, f"{file}: self.settings and the keyword-only arguments differ in {sorted(wrong)}"


@pytest.mark.parametrize("name", NAMES)
def test_every_network_has_a_config_with_all_its_settings(name):
    target = f"{find_class('musicrec.models', name).__module__}.{name}"
    configs = {path: OmegaConf.load(path) for path in sorted((ROOT / "conf" / "model").glob("*.yaml"))}
    files = [path for path, config in configs.items() if config._target_ == target]
    assert files, f"add conf/model/{target.split('.')[-2]}.yaml with _target_: {target}"
    for file in files:
        absent = sorted(constructor_settings(name) - set(configs[file]))
        assert not absent, f"{file.relative_to(ROOT)}: add {', '.join(absent)}, which {name} takes"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("training", [True, False])
def test_shapes_and_no_nan(name, training):
    network = small(name).train(training)
    frames = network.chunk_samples // 256 + 1 if network.n_mels > 1 else network.chunk_samples
    decibels = 20 * torch.randn(2, 1, network.n_mels, frames) - 40
    embedding, logits = network(decibels)
    assert embedding.shape == (2, network.embedding_size)
    assert {head: value.shape for head, value in logits.items()} == {"tags": (2, 7), "tempo": (2, 3)}
    assert embedding.isfinite().all()
    assert all(value.isfinite().all() for value in logits.values())


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_gets_a_gradient(name):
    """The mode of evaluation: in training, batch normalisation cancels the gradient of a bias before it."""
    network = small(name).eval()
    _, logits = network(spectrogram(network, 4))
    sum(value.square().sum() for value in logits.values()).backward()
    for parameter_name, parameter in network.named_parameters():
        assert parameter.grad is not None, f"{name}: {parameter_name} takes no part in the output"
        assert parameter.grad.isfinite().all(), f"{name}: {parameter_name}"
        assert parameter.grad.abs().max() > 0, f"{name}: {parameter_name} does not change the output"


@pytest.mark.parametrize("name", NAMES)
def test_gradients_are_finite_in_training(name):
    network = small(name, dropout=0.0).train()
    _, logits = network(spectrogram(network, 4))
    sum(value.square().sum() for value in logits.values()).backward()
    for parameter_name, parameter in network.named_parameters():
        assert parameter.grad.isfinite().all(), f"{name}: {parameter_name}"


class ConvolutionErrors(TorchDispatchMode):
    """Compares each gradient of a convolution in bf16 with the gradient in float32 from the same tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.relative: list[float] = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if function is not torch.ops.aten.convolution_backward.default or args[0].dtype is not torch.bfloat16:
            return function(*args, **(kwargs or {}))
        # A kernel that leaves out elements finds these numbers there, instead of the zeros of new memory.
        used = [torch.full((2**power,), 1e30, dtype=torch.bfloat16) for power in range(4, 17)]
        del used
        actual = function(*args)
        expected = function(*(value.float() if isinstance(value, torch.Tensor) else value for value in args))
        for ours, reference in zip(actual, expected, strict=True):
            if reference is not None:
                error = (ours.float() - reference).norm() / reference.norm().clamp(min=1e-6)
                self.relative.append(float(error.nan_to_num(nan=torch.inf)))
        return actual


@pytest.mark.skipif(not BF16_UNITS, reason="this CPU has no units for bf16, so it uses other kernels")
@pytest.mark.parametrize("channels_last", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_gradients_of_convolutions_in_bf16(name, channels_last):
    """If this fails or crashes for a new network, compute the convolution without stride or dilation, or in float32."""
    torch.manual_seed(0)
    cls = find_class("musicrec.models", name)
    network = cls(OUTPUTS, width=24, **SMALL.get(name, {})).train()  # 1.5 vectors of 16 numbers
    network.to(memory_format=torch.channels_last if channels_last else torch.contiguous_format)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        _, logits = network(20 * spectrogram(network, 2) - 40)
    with ConvolutionErrors() as errors:
        sum(value.float().square().sum() for value in logits.values()).backward()
    assert errors.relative and max(errors.relative) < 0.01  # bf16 rounds by up to 0.004


@pytest.mark.parametrize("name", NAMES)
def test_settings_are_plain_and_rebuild_the_network(name):
    network = small(name, dropout=0.25).eval()
    settings = json.loads(json.dumps(network.settings))
    assert settings == network.settings
    again = type(network)(OUTPUTS, **settings).eval()
    again.load_state_dict(network.state_dict())
    decibels = spectrogram(network, 1)
    assert torch.equal(again(decibels)[0], network(decibels)[0])


@pytest.mark.parametrize("name", NAMES)
def test_channels_last_gives_the_same_output(name):
    network = small(name).eval()
    decibels = spectrogram(network, 2)
    expected = network(decibels)[1]["tags"]
    network.to(memory_format=torch.channels_last)
    actual = network(decibels.contiguous(memory_format=torch.channels_last))[1]["tags"]
    torch.testing.assert_close(actual, expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("outputs", "message"), [({}, "outputs is empty"), ({"tags": 0}, r"outputs\.tags = 0"), ({"type": 3}, "'type'")]
)
def test_invalid_heads_are_rejected(name, outputs, message):
    with pytest.raises(ConfigError, match=message):
        find_class("musicrec.models", name)(outputs, width=8, **SMALL.get(name, {}))
