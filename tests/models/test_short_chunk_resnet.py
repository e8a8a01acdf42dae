"""The Short-Chunk ResNet."""

import pytest
import torch
import torch.nn.functional as F

from musicrec.models.short_chunk_resnet import ShortChunkResNet


@pytest.mark.parametrize(("n_mels", "frames"), [(128, 231), (96, 100), (229, 300), (64, 1)])
def test_other_mel_bands_and_lengths(n_mels, frames):
    _, logits = ShortChunkResNet({"tags": 5}, n_mels=n_mels, width=8)(torch.randn(2, 1, n_mels, frames))
    assert logits["tags"].shape == (2, 5)


def test_embedding_is_the_input_of_the_heads():
    network = ShortChunkResNet({"tags": 5}, width=8).eval()
    embedding, logits = network(torch.randn(2, 1, 128, 231))
    assert embedding.shape == (2, 32) and embedding.min() >= 0
    linear = network.classifier.linears["tags"]
    torch.testing.assert_close(logits["tags"], F.linear(embedding, linear.weight, linear.bias))


def test_channels_as_published():
    with torch.device("meta"):
        network = ShortChunkResNet({"tags": 50})
    assert [block.conv2.out_channels for block in network.blocks] == [128, 128, 256, 256, 256, 256, 512]
    assert all(block.conv1.stride == block.shortcut.stride == (2, 2) for block in network.blocks)


@pytest.mark.parametrize(("frames", "in_bf16"), [(65, 7), (64, 6), (33, 6), (32, 5)])
def test_convolutions_with_stride_over_a_single_frame_are_never_in_bf16(frames, in_bf16):
    """Their gradients are wrong in oneDNN, depending on what was in memory."""
    network = ShortChunkResNet({"tags": 5}, width=8)
    dtypes = []
    for block in network.blocks:
        block.conv1.register_forward_hook(lambda module, inputs, output: dtypes.append(output.dtype))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        _, logits = network(torch.randn(2, 1, 128, frames))
    assert dtypes == in_bf16 * [torch.bfloat16] + (7 - in_bf16) * [torch.float32]
    logits["tags"].float().sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in network.parameters())
