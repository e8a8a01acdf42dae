"""Mixup: two examples sound at once (Zhang et al. 2018, "mixup: Beyond empirical risk minimization", ICLR)."""

import numpy as np
import torch
from torch import Tensor

from musicrec.deformations.base import is_number
from musicrec.errors import ConfigError


class Mixup:
    """Lays over each example another of its batch. What the first takes of the power is its share of the loss.

    The share, the same for a whole batch as in the paper, is drawn from Beta(alpha, alpha), folded so that the first
    example has the greater part. Both are brought to the same power before, and the sum to the level of the first:
    otherwise the louder recording would have the greater part, whatever was drawn.

    alpha: 1 draws all shares from 0.5 to 1 alike; a smaller one mostly leaves the first nearly alone.
    """

    def __init__(self, *, alpha: float = 1.0) -> None:
        if not is_number(alpha) or not alpha > 0:
            raise ConfigError(f"mixup alpha={alpha}: give a number above 0, or switch it off (augment.mixup=null)")
        self.alpha = alpha

    def __call__(self, waveform: Tensor, *, generator: torch.Generator) -> tuple[Tensor, Tensor, float]:
        """waveform: (batch, samples) float32. generator: a CPU generator.

        Returns the mixed waveform, partner (batch,) int64 (the example that was laid over), and the share of the first.
        """
        rng = np.random.default_rng(int(torch.randint(2**62, (), generator=generator)))
        share = float(rng.beta(self.alpha, self.alpha))
        share = max(share, 1 - share)
        circle = torch.randperm(len(waveform), generator=generator)
        partner = torch.empty_like(circle)
        partner[circle] = circle.roll(1)  # nobody is their own partner
        partner = partner.to(waveform.device)
        power = waveform.square().mean(dim=1, keepdim=True)
        level = (power / power[partner].clamp(min=1e-10)).sqrt()  # a silent partner stays silent
        return share**0.5 * waveform + (1 - share) ** 0.5 * level * waveform[partner], partner, share
