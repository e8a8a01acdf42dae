"""Learning rates against their formulas, and the stages of the published recipe."""

import math

import pytest
import torch
from torch.optim import SGD, Adam, AdamW

from musicrec.errors import ConfigError
from musicrec.training.recipes import AdamSGD, AdamWCosine


def rates(recipe: AdamWCosine, *, total_steps: int) -> list[float]:
    """Return the learning rate of every step of a run."""
    optimizer, schedule = recipe.configure([torch.nn.Parameter(torch.zeros(1))], stage=0, total_steps=total_steps)
    assert type(optimizer) is AdamW
    used = []
    for _ in range(total_steps):
        used.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    used.append(optimizer.param_groups[0]["lr"])
    return used


def test_rate_rises_in_equal_steps_and_falls_as_a_cosine():
    used = rates(AdamWCosine(lr=0.2, warmup=0.1), total_steps=100)
    # Ten steps of warm-up, k = 0 … 9, each a further eleventh; the peak at step 10; then 90 steps of half a cosine.
    assert used[:10] == pytest.approx([0.2 * (k + 1) / 11 for k in range(10)])
    assert used[10] == pytest.approx(0.2)
    assert used[10:] == pytest.approx([0.1 * (1 + math.cos(math.pi * k / 90)) for k in range(91)], abs=1e-9)
    assert used[55] == pytest.approx(0.1), "half-way down"
    assert used[100] == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("total_steps", [1, 2, 3])
def test_shortest_runs_have_a_rate(total_steps: int):
    assert all(0 < rate <= 0.2 for rate in rates(AdamWCosine(lr=0.2), total_steps=total_steps)[:-1])


def test_weight_decay_is_passed_on():
    optimizer, _ = AdamWCosine(weight_decay=0.3).configure([torch.nn.Parameter(torch.ones(1))], stage=0, total_steps=9)
    assert optimizer.param_groups[0]["weight_decay"] == 0.3
    assert AdamWCosine().stage(10_000) == 0


def test_published_recipe_changes_at_its_milestones():
    recipe = AdamSGD()
    assert [recipe.stage(epoch) for epoch in (0, 79, 80, 99, 100, 119, 120, 500)] == [0, 0, 1, 1, 2, 2, 3, 3]


@pytest.mark.parametrize(("stage", "kind", "rate"), [(0, Adam, 1e-4), (1, SGD, 1e-3), (2, SGD, 1e-4), (3, SGD, 1e-5)])
def test_published_recipe_has_one_rate_per_stage(stage: int, kind: type, rate: float):
    optimizer, schedule = AdamSGD().configure([torch.nn.Parameter(torch.ones(1))], stage=stage, total_steps=10)
    assert type(optimizer) is kind and schedule is None
    group = optimizer.param_groups[0]
    assert group["lr"] == rate and group["weight_decay"] == 1e-4
    if kind is SGD:
        assert group["nesterov"] and group["momentum"] == 0.9


def test_every_milestone_needs_a_rate():
    with pytest.raises(ConfigError, match=r"sgd_lr=\[0.001\] .* milestones=\[10, 20\]"):
        AdamSGD(milestones=(10, 20), sgd_lr=(1e-3,))
    assert AdamSGD(milestones=(), sgd_lr=()).stage(5) == 0
