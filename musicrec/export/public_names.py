"""The networks of github.com/minzwon/sota-music-tagging-models: their names there and here, and their settings."""

from collections.abc import Callable

from torch import Tensor

from musicrec.errors import ConfigError
from musicrec.models import Network
from musicrec.models.crnn import CRNN
from musicrec.models.fcn import FCN
from musicrec.models.frontends import Frontend
from musicrec.models.frontends.linear import LinearSpectrogram
from musicrec.models.frontends.mel import MelSpectrogram
from musicrec.models.frontends.waveform import Waveform
from musicrec.models.harmonic_cnn import HarmonicCNN
from musicrec.models.musicnn_2020 import TEMPORAL_FRAMES, TIMBRAL_HEIGHTS, MusiCNN2020
from musicrec.models.sample_cnn import SampleCNN
from musicrec.models.sample_cnn_se import SampleCNNSE
from musicrec.models.self_attention_cnn import SelfAttentionCNN
from musicrec.models.short_chunk_cnn import ShortChunkCNN
from musicrec.models.short_chunk_resnet import ShortChunkResNet

ARCHITECTURES: dict[str, Callable[..., Network]] = {
    "crnn": CRNN,
    "fcn": FCN,
    "harmonic_cnn": HarmonicCNN,
    "musicnn_2020": MusiCNN2020,
    "sample_cnn": SampleCNN,
    "sample_cnn_se": SampleCNNSE,
    "self_attention_cnn": SelfAttentionCNN,
    "short_chunk_cnn": ShortChunkCNN,
    "short_chunk_resnet": ShortChunkResNet,
}

MODEL_TYPES = {
    "musicnn": "musicnn_2020",
    "sample": "sample_cnn",
    "se": "sample_cnn_se",
    "short": "short_chunk_cnn",
    "short_res": "short_chunk_resnet",
    "attention": "self_attention_cnn",
    "hcnn": "harmonic_cnn",
}
"""What the original repository calls an architecture (its --model_type), where it is another name."""

HEAD = "tags"


def _blocks(count: int, *parts: tuple[str, str], ours: str = "blocks") -> dict[str, str]:
    """Return the names of the parts of blocks, which the original counts from 1, and we from 0."""
    pairs = ((block, part, original) for block in range(count) for part, original in parts)
    return {f"{ours}.{block}.{part}": f"layer{block + 1}.{original}" for block, part, original in pairs}


_CONVOLUTION = (("conv", "conv"), ("norm", "bn"))
_RESIDUAL = (("conv1", "conv_1"), ("norm1", "bn_1"), ("conv2", "conv_2"), ("norm2", "bn_2"))
_SHORTCUT = (("shortcut", "conv_3"), ("shortcut_norm", "bn_3"))
_EXCITATION = (("squeeze", "dense1"), ("excite", "dense2"))
_INPUT = {"input_norm": "spec_bn"}
_OUTPUT = {f"classifier.linears.{HEAD}": "dense"}
_HIDDEN = {"hidden": "dense1", "hidden_norm": "bn", f"classifier.linears.{HEAD}": "dense2"}
_ENCODER = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "attended": "attention.output.dense",
    "attention_norm": "attention.output.LayerNorm",
    "expand": "intermediate.dense",
    "reduce": "output.dense",
    "norm": "output.LayerNorm",
}
_TIMBRAL, _TEMPORAL = len(TIMBRAL_HEIGHTS), len(TEMPORAL_FRAMES)

# Our names of the modules, and those of the original repository.
ORIGINAL_NAMES = {
    "crnn": _INPUT | _blocks(4, *_CONVOLUTION) | {"gru": "layer5"} | _OUTPUT,
    "fcn": _INPUT | _blocks(5, *_CONVOLUTION) | _OUTPUT,
    "harmonic_cnn": {"filters": "hstft", "input_norm": "hstft_bn"} | _blocks(7, *_CONVOLUTION, *_RESIDUAL) | _HIDDEN,
    "musicnn_2020": _INPUT
    | {
        f"{ours}.{branch}.{part}": f"layers.{first + branch}.{original}"
        for ours, first, count in (("timbral", 0, _TIMBRAL), ("temporal", _TIMBRAL, _TEMPORAL))
        for branch in range(count)
        for part, original in _CONVOLUTION
    }
    | _blocks(3, *_CONVOLUTION, ours="middle")
    | _HIDDEN,
    "sample_cnn": _blocks(11, *_CONVOLUTION) | _OUTPUT,
    "sample_cnn_se": _blocks(11, *_RESIDUAL, *_SHORTCUT, *_EXCITATION) | _HIDDEN,
    "self_attention_cnn": _INPUT
    | _blocks(7, *_RESIDUAL, *_SHORTCUT)
    | {
        f"encoder.{layer}.{ours}": f"encoder.layer.{layer}.{original}"
        for layer in range(2)
        for ours, original in _ENCODER.items()
    }
    | {"pooler": "pooler.dense"}
    | _OUTPUT,
    "short_chunk_cnn": _INPUT | _blocks(7, *_CONVOLUTION) | _HIDDEN,
    "short_chunk_resnet": _INPUT | _blocks(7, *_RESIDUAL, *_SHORTCUT) | _HIDDEN,
}
_OTHER_LEAVES = {"filters.quality": "hstft.bw_Q"}


_FIRST = {
    "musicnn_2020": "timbral.0.conv.bias",
    "sample_cnn_se": "blocks.0.conv1.bias",
    "self_attention_cnn": "blocks.0.conv1.bias",
    "short_chunk_resnet": "blocks.0.conv1.bias",
}
"""Where an architecture has another first layer, whose channels are its width."""


def checked_architecture(name: str) -> str:
    """Return our name of an architecture.

    Args:
        name: Our name, or that of the original repository.

    Raises:
        ConfigError: There is no such architecture.
    """
    ours = MODEL_TYPES.get(name, name)
    if ours not in ARCHITECTURES:
        raise ConfigError(f"architecture {name!r} is unknown; choose from: {', '.join(ARCHITECTURES)}")
    return ours


def original_name(key: str, architecture: str) -> str:
    """Return what the original repository calls a tensor of our network."""
    if key in _OTHER_LEAVES:
        return _OTHER_LEAVES[key]
    module, _, leaf = key.rpartition(".")
    return f"{ORIGINAL_NAMES[architecture][module]}.{leaf}"


def settings_of(weights: dict[str, Tensor], architecture: str, n_mels: int | None) -> dict:
    """Return the constructor arguments that follow from the shapes of the weights.

    Args:
        weights: Under the names of the original repository.
        architecture: Our name of it.
        n_mels: Number of mel bands, if the checkpoint says it.

    Returns:
        Among them `outputs`, {"tags": number of classes}.
    """
    output = ORIGINAL_NAMES[architecture][f"classifier.linears.{HEAD}"]
    first = original_name(_FIRST.get(architecture, "blocks.0.conv.bias"), architecture)
    settings: dict = {"outputs": {HEAD: len(weights[f"{output}.bias"])}, "width": len(weights[first])}
    if architecture == "crnn":
        settings["gru_size"] = weights["layer5.weight_hh_l0"].shape[-1]
    if architecture == "musicnn_2020":
        settings |= {"middle": len(weights["layer1.conv.bias"]), "hidden": len(weights["dense1.bias"])}
    return settings | ({"n_mels": n_mels} if n_mels else {})


def front_end(architecture: str, network: Network) -> Frontend:
    """Return the front end that the public weights of an architecture were trained with.

    Args:
        architecture: Our name of it.
        network: The network.
    """
    if architecture in ("sample_cnn", "sample_cnn_se"):
        return Waveform()
    if architecture == "harmonic_cnn":
        return LinearSpectrogram()
    return MelSpectrogram(n_mels=network.n_mels)
