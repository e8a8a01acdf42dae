"""MusiCNN: its shapes; tests/export/test_musicnn_weights.py compares it with the original."""

import pytest
import torch
from torch import nn

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


@pytest.fixture
def trained() -> MusiCNN:
    """A network like a trained one: statistics, scales of both signs, and filters that are zero."""
    torch.manual_seed(0)
    network = MusiCNN({"tags": 5}, width=16, middle=8, hidden=12).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
            nn.init.normal_(module.bias)
            if module.num_features > 1:
                nn.init.normal_(module.weight)
    with torch.no_grad():
        network.branches[0].conv.weight[::3] = 1e-9
        network.branches[1].conv.weight[5:] = 0
        network.branches[3].conv.weight[1:] = 0
    return network


@pytest.mark.parametrize("frames", [1, 5, 187, 200])
def test_the_compact_form_gives_the_same_answers(trained, frames):
    spectrogram = torch.randn(3, 1, 96, frames)
    with torch.no_grad():
        embedding, logits = trained(spectrogram)
        compact_embedding, compact_logits = trained.for_inference()(spectrogram)
    assert embedding.std() > 0.1
    torch.testing.assert_close(compact_embedding, embedding, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(compact_logits["tags"], logits["tags"], atol=1e-4, rtol=1e-4)


def test_the_compact_form_leaves_out_filters_of_zeros_alone(trained):
    compact = trained.for_inference()
    assert [len(branch.weight) for branch in compact.branches] == [10, 5, 4, 1, 4]
    assert len(compact.live) == 24


def test_the_compact_form_works_if_all_filters_live():
    network = MusiCNN({"tags": 5}, width=8).eval()
    spectrogram = torch.randn(2, 1, 96, 187)
    torch.testing.assert_close(network.for_inference()(spectrogram)[0], network(spectrogram)[0], atol=1e-4, rtol=1e-4)


def test_the_compact_form_runs_in_bf16(trained):
    spectrogram = torch.randn(2, 1, 96, 187)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        embedding, _ = trained.for_inference()(spectrogram)
    with torch.no_grad():
        assert (embedding.float() - trained(spectrogram)[0]).norm() < 0.05 * trained(spectrogram)[0].norm()
