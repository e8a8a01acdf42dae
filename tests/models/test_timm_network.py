"""Backbones of timm."""

import sys

import pytest
import torch

from musicrec.errors import ConfigError
from musicrec.models.timm_network import TimmNetwork


def test_without_timm_a_message_names_the_way_out(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ConfigError, match=r"model=timm needs the package timm; pip install 'musicrec\[timm\]'"):
        TimmNetwork({"tags": 3})


def test_importing_the_module_does_not_import_timm():
    assert "timm" not in vars(sys.modules["musicrec.models.timm_network"])


@pytest.mark.extra("timm")
@pytest.mark.parametrize("name", ["test_efficientnet", "test_resnet", "test_vit"])
def test_the_embedding_is_what_the_backbone_pools(name):
    import timm

    torch.manual_seed(0)
    network = TimmNetwork({"tags": 3}, name=name).eval()
    theirs = timm.create_model(name, in_chans=1, num_classes=0).eval()
    theirs.load_state_dict(network.backbone.state_dict())
    network.input_norm.eps = 1e-12  # its first mean is 0 and its variance 1: it changes nothing
    height, width = network.image_size or (128, 231)
    image = torch.randn(2, 1, height, width)
    embedding, logits = network(image)
    torch.testing.assert_close(embedding, theirs(image))
    assert embedding.shape == (2, network.embedding_size) and logits["tags"].shape == (2, 3)
    assert network(torch.randn(2, 1, 96, 100))[0].shape == embedding.shape
    assert (network.image_size is not None) == (name == "test_vit")


@pytest.mark.extra("timm")
def test_a_width_is_the_size_of_the_embedding():
    network = TimmNetwork({"tags": 3}, name="test_resnet", width=8).eval()
    embedding, _ = network(torch.randn(2, 1, 128, 100))
    assert embedding.shape == (2, 8) and network.embedding_size == 8 and embedding.min() >= 0


@pytest.mark.extra("timm")
@pytest.mark.parametrize("name", ["efficientnet_b00", "hf-hub:timm/resnet18", "local-dir:/tmp"])
def test_unknown_names_are_rejected_and_nothing_is_downloaded(name):
    with pytest.raises(ConfigError, match=rf"model\.name={name}: timm .* has no such backbone; it has .*net"):
        TimmNetwork({"tags": 3}, name=name)
