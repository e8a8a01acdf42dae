"""What is particular to single networks. All networks: test_networks.py; those with public weights: tests/export."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.fft import dct
from torch import nn

from musicrec.errors import ConfigError
from musicrec.models.fcn import FCN
from musicrec.models.genre_slice_cnn import GenreSliceCNN
from musicrec.models.gtzan_cnn import GtzanCNN
from musicrec.models.harmonic_cnn import HarmonicCNN
from musicrec.models.k1c2 import K1C2
from musicrec.models.k2c1 import K2C1
from musicrec.models.k2c2 import K2C2
from musicrec.models.musicnn_2020 import MusiCNN2020
from musicrec.models.sample_cnn import SampleCNN
from musicrec.models.sample_cnn_se import SampleCNNSE
from musicrec.models.self_attention_cnn import SelfAttentionCNN
from musicrec.models.short_chunk_cnn import ShortChunkCNN
from musicrec.models.short_chunk_resnet import ShortChunkResNet

# Networks with a choice of pooling, and the least frames from which two places remain.
POOLED = {
    FCN: 2560,
    HarmonicCNN: 576,
    K1C2: 2560,
    K2C1: 2560,
    K2C2: 2560,
    SampleCNN: 118_098,
    SampleCNNSE: 118_098,
    ShortChunkCNN: 256,
    ShortChunkResNet: 200,
}
TOO_SHORT = {
    FCN: (1279, "this network needs at least 1280 frames, not 1279"),
    GenreSliceCNN: (127, "needs at least 128 frames, not 127"),
    HarmonicCNN: (287, "this network needs at least 288 frames, not 287"),
    K1C2: (1279, "needs at least 1280 frames, not 1279"),
    K2C1: (1279, "needs at least 1280 frames, not 1279"),
    K2C2: (1279, "needs at least 1280 frames, not 1279"),
    SampleCNN: (59_048, "model.chunk_samples=59048: this network pools 59049 samples into one place"),
    SampleCNNSE: (59_048, "model.chunk_samples=59048: this network pools 59049 samples into one place"),
    ShortChunkCNN: (127, "this network needs at least 128 frames, not 127"),
}


def build(cls, **settings):
    torch.manual_seed(0)
    return cls({"tags": 3}, width=8, **settings)


@pytest.mark.parametrize("cls", TOO_SHORT)
def test_too_short_chunks_are_rejected(cls):
    frames, message = TOO_SHORT[cls]
    network = build(cls)
    with pytest.raises(ConfigError, match=message):
        network(torch.zeros(2, 1, network.n_mels, frames))


@pytest.mark.parametrize("cls", [FCN, K2C2, ShortChunkCNN])
def test_too_few_mel_bands_are_rejected(cls):
    with pytest.raises(ConfigError, match=r"model\.n_mels=80: .* into one; give \d+ or more"):
        build(cls, n_mels=80)


@pytest.mark.parametrize("n_mels", [128, 200])
@pytest.mark.parametrize("cls", [FCN, K1C2, K2C1, K2C2, ShortChunkCNN, SelfAttentionCNN, MusiCNN2020, GenreSliceCNN])
def test_other_mel_bands(cls, n_mels):
    _, logits = build(cls, n_mels=n_mels)(torch.randn(2, 1, n_mels, 1300))
    assert logits["tags"].shape == (2, 3)


# -- pooling over time ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("cls", POOLED)
def test_pooling_is_a_choice(cls):
    """Attention starts as the mean, and differs from it as soon as it has learnt; the maximum has no such weights."""
    networks = {name: build(cls, pooling=name).eval() for name in ("max", "mean", "attention")}
    decibels = torch.randn(2, 1, networks["max"].n_mels, POOLED[cls])
    weights = networks["max"].state_dict()
    assert networks["mean"].state_dict().keys() == weights.keys()
    missing = networks["attention"].load_state_dict(weights, strict=False)
    assert missing.missing_keys == ["time_pooling.score.weight"] and not missing.unexpected_keys
    networks["mean"].load_state_dict(weights)
    maximum, mean, attention = (networks[name](decibels)[0] for name in networks)
    torch.testing.assert_close(attention, mean)
    assert (maximum - mean).abs().max() > 1e-4
    attention.square().sum().backward()
    assert networks["attention"].time_pooling.score.weight.grad.abs().max() > 0
    with torch.no_grad():
        nn.init.normal_(networks["attention"].time_pooling.score.weight)
    assert (networks["attention"](decibels)[0] - mean).abs().max() > 1e-6
    with pytest.raises(ConfigError, match=r"model\.pooling=median: choose max, mean or attention"):
        build(cls, pooling="median")


# -- networks on samples -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("cls", [SampleCNN, SampleCNNSE])
def test_networks_on_samples_reject_spectrograms(cls):
    with pytest.raises(ConfigError, match=r"model\.n_mels=96: this network hears the waveform, which is one row"):
        build(cls, n_mels=96)
    with pytest.raises(ConfigError, match=r"model\.chunk_samples=48000: this network pools 59049 samples"):
        build(cls, chunk_samples=48_000)


# -- Harmonic CNN --------------------------------------------------------------------------------------------------
def test_a_tone_is_loudest_where_it_is_a_harmonic():
    """A bin at 1312.5 Hz: the fundamental near E6, its half in the second channel, a third in the third."""
    network = HarmonicCNN({"tags": 3}, width=8)
    decibels = torch.full((1, 1, 257, 3), -100.0)
    decibels[:, :, 42] = 0.0
    heard = network.filters(decibels)[0, :, :, 0].detach()  # (harmonics, bands)
    assert heard.shape == (6, 128)
    fundamentals = 440 * 2 ** ((24 + np.arange(128) / 2 - 69) / 12)
    for harmonic, row in enumerate(heard, start=1):
        nearest = np.abs(fundamentals * harmonic - 1312.5).argmin()
        assert abs(int(row.argmax()) - nearest) <= 1
        assert row[0] == pytest.approx(-100.0)  # floor added to no bin is no sound


def test_harmonics_need_room():
    with pytest.raises(ConfigError, match=r"frontend\.sample_rate=8000, model\.harmonics=6: leave room for 104 "):
        HarmonicCNN({"tags": 3}, sample_rate=8000)


# -- self-attention ------------------------------------------------------------------------------------------------
def test_attention_heads_divide_the_states():
    with pytest.raises(ConfigError, match=r"model\.attention_heads=3: must divide 2 · model\.width = 16"):
        build(SelfAttentionCNN, attention_heads=3)


def test_more_than_64_chunks():
    """The published code has its constant vector 64 times."""
    assert build(SelfAttentionCNN).eval()(torch.zeros(65, 1, 128, 16))[0].shape == (65, 16)


# -- Choi et al. 2017 ----------------------------------------------------------------------------------------------
def test_widths_with_a_million_parameters():
    with torch.device("meta"):
        flat, tall, square = K1C2({"tags": 50}), K2C1({"tags": 50}), K2C2({"tags": 50})
    assert [block.conv.out_channels for block in tall.blocks] == [152, 152, 152, 304, 304]
    assert [block.conv.out_channels for block in square.blocks] == [67, 135, 135, 203, 271]
    assert [block.pool for block in flat.blocks] == [4, 5, 8, 8]
    for network in (flat, tall, square):
        assert sum(parameter.numel() for parameter in network.parameters()) == pytest.approx(1e6, rel=0.02)


def test_kernels_along_time_do_not_mix_bands():
    network = build(K1C2).eval()
    decibels = torch.randn(1, 1, 96, 1280)
    other = decibels.clone()
    other[:, :, 40] += 1.0
    changed = (network.blocks(network.input_norm(other)) != network.blocks(network.input_norm(decibels))).any(dim=1)
    assert changed[0, :, 0].nonzero().flatten().tolist() == [40]


# -- GTZAN ---------------------------------------------------------------------------------------------------------
def test_mfccs_are_those_of_librosa():
    """Which are SciPy's orthonormal cosine transform of decibels, at most 80 dB below the loudest."""
    decibels = 30 * torch.randn(2, 1, 128, 20) - 40
    clipped = decibels.numpy()
    clipped = np.maximum(clipped, clipped.max(axis=(1, 2, 3), keepdims=True) - 80)
    expected = dct(clipped, type=2, axis=2, norm="ortho")[:, :, :13]
    actual = build(GtzanCNN).coefficients(decibels)
    torch.testing.assert_close(actual, torch.from_numpy(expected), atol=1e-3, rtol=1e-4)
    assert torch.equal(build(GtzanCNN, coefficients=0).coefficients(decibels), torch.from_numpy(clipped))


@pytest.mark.parametrize(("size", "pool"), [(128, 3), (11, 3), (62, 3), (4, 3), (30, 2), (1, 2), (5, 2)])
def test_max_pooling_pads_as_keras(size, pool):
    """Window i of Keras's "same" begins at 2 i − half of what is missing; there are size / 2, rounded up."""
    network = build(GtzanCNN)
    block = network.blocks[0] if pool == 3 else network.blocks[2]
    block.conv, block.norm = nn.Identity(), nn.Identity()
    values = torch.rand(1, 1, size, size)
    count = -(-size // 2)
    before = max(0, (count - 1) * 2 + pool - size) // 2
    windows = [range(max(0, 2 * i - before), min(size, 2 * i - before + pool)) for i in range(count)]
    expected = [[values[0, 0, rows.start : rows.stop, columns.start : columns.stop].max() for columns in windows]
                for rows in windows]  # fmt: skip
    assert torch.equal(block(values)[0, 0], torch.tensor(expected))


def test_the_size_of_the_tutorial():
    with torch.device("meta"):
        network = GtzanCNN({"genre": 10})
    assert network.hidden.in_features == 480  # 15 × 1 × 32
    assert sum(parameter.numel() for parameter in network.parameters()) == 45_322
    assert GtzanCNN({"genre": 10}, width=8).eval()(torch.randn(1, 1, 128, 60))[0].shape == (1, 16)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"coefficients": 10}, "at least 11 rows"),
        ({"chunk_samples": 4_000}, "11 frames"),
        ({"coefficients": 20, "n_mels": 16}, "only model.n_mels=16 bands"),
    ],
)
def test_gtzan_cnn_rejects_what_is_too_small(settings, message):
    with pytest.raises(ConfigError, match=message):
        build(GtzanCNN, **settings)


# -- slices --------------------------------------------------------------------------------------------------------
def test_the_embedding_is_the_mean_over_slices():
    network = build(GenreSliceCNN).eval()
    first, second, rest = torch.randn(3, 1, 1, 128, 128).unbind()
    whole, _ = network(torch.cat([first, second, rest[..., :100]], dim=3))
    torch.testing.assert_close(whole, (network(first)[0] + network(second)[0]) / 2)


def test_the_size_of_the_slice_network():
    with torch.device("meta"):
        network = GenreSliceCNN({"genre": 8})
    assert network.embedding_size == 32
    assert [linear.in_features for linear in network.hidden] == [2048, 1024, 256, 64]
    assert sum(parameter.numel() for parameter in network.parameters()) == 4_266_474
    with pytest.raises(ConfigError, match=r"model\.width=7: .*give an even number"):
        GenreSliceCNN({"genre": 8}, width=7)
    with pytest.raises(ConfigError, match=r"model\.n_mels=80: leaves the convolutions no band"):
        GenreSliceCNN({"genre": 8}, n_mels=80)


@pytest.mark.parametrize("cls", [*POOLED, SelfAttentionCNN, MusiCNN2020, GtzanCNN, GenreSliceCNN])
def test_the_embedding_is_the_input_of_the_heads(cls):
    network = build(cls).eval()
    embedding, logits = network(torch.randn(2, 1, network.n_mels, POOLED.get(cls, 192)))
    linear = network.classifier.linears["tags"]
    torch.testing.assert_close(logits["tags"], F.linear(embedding, linear.weight, linear.bias))
