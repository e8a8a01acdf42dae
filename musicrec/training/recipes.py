"""Training recipes: the optimiser and learning rate schedule of a run, and when they change."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from torch.nn import Parameter
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, LRScheduler, SequentialLR

from musicrec.config.number_types import NotNegative, Positive, Share
from musicrec.config.value_check import check_value
from musicrec.errors import ConfigError


class Recipe(Protocol):
    """One or more stages of training; every new stage starts from the best weights so far."""

    def stage(self, epoch: int) -> int:
        """Return the stage of an epoch; stages count from 0."""
        ...

    def configure(
        self, parameters: Iterable[Parameter], *, stage: int, total_steps: int
    ) -> tuple[Optimizer, LRScheduler | None]:
        """Build the optimiser of a stage.

        Args:
            parameters: The parameters to train.
            stage: The stage.
            total_steps: Optimiser steps of the whole training.

        Returns:
            The optimiser and, if the learning rate changes within the stage, a scheduler that steps after each batch.
        """
        ...


@dataclass(kw_only=True)
class AdamWCosine:
    """AdamW with linear warm-up and cosine decay to zero (Loshchilov and Hutter 2019, 2017).

    Attributes:
        lr: Highest learning rate.
        weight_decay: Decoupled weight decay.
        warmup: Share of all steps over which the learning rate rises.
    """

    lr: Positive = 1e-3
    weight_decay: NotNegative = 1e-2
    warmup: Share = 0.05

    def stage(self, epoch: int) -> int:
        """Return the stage of an epoch, see `Recipe.stage`."""
        return 0

    def configure(
        self, parameters: Iterable[Parameter], *, stage: int, total_steps: int
    ) -> tuple[Optimizer, LRScheduler]:
        """Build the optimiser of a stage, see `Recipe.configure`."""
        optimizer = AdamW(parameters, lr=self.lr, weight_decay=self.weight_decay, fused=True)
        rise = min(max(1, round(self.warmup * total_steps)), max(1, total_steps - 1))
        schedule = SequentialLR(
            optimizer,
            [
                LinearLR(optimizer, start_factor=1 / (rise + 1), total_iters=rise),
                CosineAnnealingLR(optimizer, T_max=max(1, total_steps - rise)),
            ],
            milestones=[rise],
        )
        return optimizer, schedule


@dataclass(kw_only=True)
class AdamSGD:
    """The published benchmark's recipe (Won et al. 2020, "Evaluation of CNN-based automatic music tagging models").

    Adam until the first milestone, then SGD with Nesterov momentum, with another learning rate from every milestone on.
    Each change restarts from the best checkpoint.

    Attributes:
        lr: Learning rate of Adam.
        weight_decay: L2 penalty, in all stages.
        milestones: The epochs at which the next stage begins.
        sgd_lr: Learning rates of SGD, one per milestone.
        momentum: The momentum of SGD.
    """

    lr: Positive = 1e-4
    weight_decay: NotNegative = 1e-4
    milestones: Sequence[int] = (80, 100, 120)
    sgd_lr: Sequence[float] = (1e-3, 1e-4, 1e-5)
    momentum: Positive = 0.9

    def __post_init__(self) -> None:
        if len(self.sgd_lr) < len(self.milestones):
            raise ConfigError(
                f"AdamSGD: sgd_lr={list(self.sgd_lr)} has fewer rates than milestones={list(self.milestones)}; "
                "give one rate per milestone"
            )
        for rate in self.sgd_lr:  # torch would find out only after the first milestone
            check_value("optim.sgd_lr", rate, NotNegative)

    def stage(self, epoch: int) -> int:
        """Return the stage of an epoch, see `Recipe.stage`."""
        return sum(epoch >= milestone for milestone in self.milestones)

    def configure(
        self, parameters: Iterable[Parameter], *, stage: int, total_steps: int
    ) -> tuple[Optimizer, LRScheduler | None]:
        """Build the optimiser of a stage, see `Recipe.configure`."""
        if stage == 0:
            return Adam(parameters, lr=self.lr, weight_decay=self.weight_decay, fused=True), None
        rate = self.sgd_lr[stage - 1]
        return SGD(parameters, lr=rate, momentum=self.momentum, nesterov=True, weight_decay=self.weight_decay), None
