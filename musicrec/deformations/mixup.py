"""Mixup of two examples (Zhang et al. 2018, "mixup: Beyond empirical risk minimization", ICLR)."""

import numpy as np
import torch
from torch import Tensor

from musicrec.config.number_types import Positive
from musicrec.config.value_check import check_value


class Mixup:
    """Adds to each example another one of its batch. The first one's share of the power is its share of the loss.

    The share is drawn once per batch, as in the paper, from Beta(alpha, alpha), and folded so that the first example
    has the larger part. Both examples are brought to equal power first, and the sum to the level of the first example.
    Otherwise the louder recording would dominate, whatever share was drawn.

    Args:
        alpha: 1 makes all shares from 0.5 to 1 equally likely; smaller values mostly leave the first example alone.

    Raises:
        ConfigError: Alpha is not a positive number.
    """

    def __init__(self, *, alpha: Positive = 1.0) -> None:
        check_value("alpha", alpha, Positive, expected="a number above 0, or switch mixup off (augment.mixup=null)")
        self.alpha = alpha

    def __call__(self, waveform: Tensor, *, generator: torch.Generator) -> tuple[Tensor, Tensor, float]:
        """Mix the examples of a batch.

        Args:
            waveform: (batch, samples) float32.
            generator: A CPU generator.

        Returns:
            The mixed waveform; partner (batch,) int64, the index of the example that was added; and the share of the
            first example.
        """
        rng = np.random.default_rng(int(torch.randint(2**62, (), generator=generator)))
        share = float(rng.beta(self.alpha, self.alpha))
        share = max(share, 1 - share)
        circle = torch.randperm(len(waveform), generator=generator)
        partner = torch.empty_like(circle)
        partner[circle] = circle.roll(1)  # no example is its own partner
        partner = partner.to(waveform.device)
        power = waveform.square().mean(dim=1, keepdim=True)
        level = (power / power[partner].clamp(min=1e-10)).sqrt()  # a silent partner stays silent
        return share**0.5 * waveform + (1 - share) ** 0.5 * level * waveform[partner], partner, share
