"""MusiCNN: its shapes; tests/export/test_musicnn_weights.py compares it with the original."""

import torch

from musicrec.models.frontends.mel import MelSpectrogram
from musicrec.models.musicnn import MusiCNN


def test_filters_as_published():
    with torch.device("meta"):
        network = MusiCNN({"tags": 50})
    kernels = [tuple(branch.conv.weight.shape) for branch in network.branches]
    assert kernels == [(204, 1, 38, 7), (204, 1, 67, 7), (51, 1, 1, 128), (51, 1, 1, 64), (51, 1, 1, 32)]
    assert [tuple(layer.conv.weight.shape) for layer in network.middle] == [(64, 561, 7), (64, 64, 7), (64, 64, 7)]
    assert (network.hidden.in_features, network.hidden.out_features) == (1506, 200)


def test_a_chunk_has_187_frames():
    network = MusiCNN({"tags": 5}, width=8)
    assert network.chunk_frames == 187
    assert MelSpectrogram()(torch.zeros(1, network.chunk_samples)).shape[-1] == 187


def test_a_click_reaches_as_far_as_the_longest_filter():
    """TensorFlow pads a filter of 128 frames with 63 zeros before the chunk and 64 after it."""
    network = MusiCNN({"tags": 5}, width=8).eval()
    spectrogram = torch.zeros(1, 1, 96, 400)
    silent = network.branches[2](network.input_norm(spectrogram))
    spectrogram[..., 200] = 1
    moved = (network.branches[2](network.input_norm(spectrogram)) - silent)[0].abs().amax(dim=0).nonzero().flatten()
    assert silent.shape == (1, 2, 400)
    assert moved.min() >= 200 - 64 and moved.max() <= 200 + 63


def test_embedding_is_the_input_of_the_heads():
    network = MusiCNN({"tags": 5}, width=8).eval()
    embedding, logits = network(torch.randn(2, 1, 96, 187))
    linear = network.classifier.linears["tags"]
    torch.testing.assert_close(logits["tags"], embedding @ linear.weight.T + linear.bias)
    assert embedding.shape == (2, 200)
