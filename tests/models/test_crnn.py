"""The CRNN."""

import pytest
import torch
import torch.nn.functional as F

from musicrec.errors import ConfigError
from musicrec.models.crnn import CRNN


@pytest.mark.parametrize("n_mels", [96, 128, 192, 229])
@pytest.mark.parametrize("frames", [96, 191, 300])
def test_other_mel_bands_and_lengths(n_mels, frames):
    network = CRNN({"tags": 5}, n_mels=n_mels, width=8)
    _, logits = network(torch.randn(2, 1, n_mels, frames))
    assert logits["tags"].shape == (2, 5)
    assert network.gru.input_size == 16 * (n_mels // 96)


def test_too_few_mel_bands_are_rejected():
    with pytest.raises(ConfigError, match=r"model\.n_mels=80.*give 96 or more"):
        CRNN({"tags": 5}, n_mels=80)


def test_too_short_chunks_are_rejected():
    with pytest.raises(ConfigError, match=r"model\.chunk_samples=16000.*at least 96 frames, not 63"):
        CRNN({"tags": 5}, chunk_samples=16_000, width=8)(torch.randn(1, 1, 96, 63))


def test_embedding_is_the_last_state_and_the_input_of_the_heads():
    network = CRNN({"tags": 5}, width=8).eval()
    embedding, logits = network(torch.randn(2, 1, 96, 300))
    linear = network.classifier.linears["tags"]
    torch.testing.assert_close(logits["tags"], F.linear(embedding, linear.weight, linear.bias))
    assert embedding.abs().max() < 1  # a GRU's state lies within ±1


def test_means_of_the_last_blocks_are_appended_to_the_last_state():
    network = CRNN({"tags": 5}, n_mels=192, width=8, mean_blocks=2)
    decibels = torch.randn(2, 1, 192, 300)
    network(decibels)  # updates the running mean and variance
    with pytest.raises(ConfigError, match="a training batch has only one chunk"):
        network(decibels[:1])
    network.eval()
    embedding, _ = network(decibels)
    third = network.blocks[:3](network.input_norm(decibels))  # (2, 16, 8, 12)
    fourth = network.blocks[3](third)  # (2, 16, 2, 3)
    assert embedding.shape == (2, network.embedding_size) == (2, 32 + 16 * 8 + 16 * 2)
    means = torch.cat([x.mean(dim=3).flatten(1) for x in (third, fourth)], dim=1)
    mean, deviation = network.mean_norm.running_mean, (network.mean_norm.running_var + 1e-5).sqrt()
    torch.testing.assert_close(embedding[:, 32:], (means - mean) / deviation)
    assert embedding[:, :32].abs().max() < 1


def test_more_means_than_blocks_are_rejected():
    with pytest.raises(ConfigError, match=r"model\.mean_blocks=5: there are 4 blocks; give 0 to 4"):
        CRNN({"tags": 5}, mean_blocks=5)


def test_relu_after_pooling_gives_the_gradients_of_the_published_order():
    torch.manual_seed(0)
    block = CRNN({"tags": 5}, width=8).blocks[1].double()
    features = torch.randn(2, 8, 9, 12, dtype=torch.float64)
    gradients = []
    for forward in (block, lambda x: F.max_pool2d(F.relu(block.norm(block.conv(x))), block.pool)):
        block.zero_grad()
        forward(features).square().sum().backward()
        gradients.append([parameter.grad.clone() for parameter in block.parameters()])
    for actual, expected in zip(*gradients, strict=True):
        torch.testing.assert_close(actual, expected)
