"""Integrated gradients, compared with calculation, and their completeness on real networks."""

import dataclasses

import pytest
import torch
from torch import nn

from musicrec.export.description import Model
from musicrec.figures.saliency import integrated_gradients, saliency

SILENCE_DB = -100.0  # of the mel spectrogram in decibels


def test_each_entry_of_a_weighted_sum_contributes_its_term():
    weight, value, baseline = torch.randn(3, 1, 4, 5).unbind()
    parts = integrated_gradients(lambda x: (weight * x).sum(dim=(1, 2)), value[:, None], baseline[:, None], steps=1)
    torch.testing.assert_close(parts[:, 0], weight * (value - baseline))


def test_each_entry_of_a_sum_of_squares_contributes_its_square():
    value = torch.tensor([[1.0, -2.0, 3.0]])
    parts = integrated_gradients(lambda x: (x**2).sum(dim=1), value, torch.zeros_like(value), steps=4)
    torch.testing.assert_close(parts, torch.tensor([[1.0, 4.0, 9.0]]))


def test_both_factors_of_a_product_contribute_the_same():
    value = torch.tensor([[2.0, 5.0]])
    parts = integrated_gradients(lambda x: x[:, 0] * x[:, 1], value, torch.zeros_like(value), steps=8)
    torch.testing.assert_close(parts, torch.tensor([[5.0, 5.0]]))


class Weighted(nn.Module):
    """Logits that are weighted sums of the spectrogram."""

    def __init__(self, outputs: dict[str, int], *, n_mels: int, frames: int) -> None:
        super().__init__()
        sizes = {name: (classes, n_mels, frames) for name, classes in outputs.items()}
        self.weights = nn.ParameterDict({name: 1e-4 * torch.randn(size) for name, size in sizes.items()})

    def forward(self, decibels: torch.Tensor) -> tuple[None, dict[str, torch.Tensor]]:
        return None, {name: torch.einsum("bxmt,cmt->bc", decibels, weight) for name, weight in self.weights.items()}


@pytest.fixture(scope="module")
def weighted(model: Model) -> Model:
    torch.manual_seed(0)
    network = Weighted({head.name: len(head.classes) for head in model.heads}, n_mels=model.frontend.n_mels, frames=33)
    return dataclasses.replace(model, network=network)


def test_the_logit_is_attributed_if_classes_are_not_exclusive(weighted: Model):
    decibels, parts = saliency(weighted, 0.1 * torch.randn(1, 32 * 256), head="instruments", output=2, steps=1)
    expected = weighted.network.weights["instruments"][2].detach() * (decibels - SILENCE_DB)
    torch.testing.assert_close(parts, expected)


def test_the_log_probability_is_attributed_if_classes_are_exclusive(weighted: Model):
    decibels, parts = saliency(weighted, 0.1 * torch.randn(1, 32 * 256), head="key", output=2)
    with torch.no_grad():
        both = torch.stack([decibels, torch.full_like(decibels, SILENCE_DB)])[:, None]
        music, silence = weighted.network(both)[1]["key"].log_softmax(dim=1)[:, 2].tolist()
    assert abs(music - silence) > 0.05
    assert float(parts.sum()) == pytest.approx(music - silence, rel=1e-3)


def test_every_network_has_a_saliency_and_is_not_changed(model: Model):
    decibels, parts = saliency(model, torch.randn(1, model.network.chunk_samples), head="key", output=0, steps=2)
    assert decibels.shape == parts.shape == (model.frontend.n_mels, model.network.chunk_samples // 256 + 1)
    assert parts.isfinite().all() and parts.abs().max() > 0
    assert not model.network.training
    assert all(parameter.grad is None for parameter in model.network.parameters())
