"""Gaps, as in a stream that loses packets."""

from collections.abc import Sequence
from typing import Annotated

import numpy as np
import torch
from annotated_types import Ge, Le
from torch import Tensor

from musicrec.config.value_check import check_value
from musicrec.deformations.base import Deformed, draw, limits, seed_of, unmoved


class DroppedSamples:
    """Silences random packets. The position of the first packet is random, too.

    Args:
        dropped_share: Probability that a packet is lost.
        gap_ms: Length of a packet. 20 ms is usual for speech on the internet; 0 drops single samples.

    Raises:
        ConfigError: A value out of range.
    """

    input_ratio = 1.0

    def __init__(self, *, dropped_share: float | Sequence[float] = 0.05, gap_ms: float = 20.0) -> None:
        check_value("gap_ms", gap_ms, Annotated[float, Ge(0), Le(60_000)])
        self.dropped_share = limits("dropped_share", dropped_share, least=0, most=1)
        self.gap_ms = gap_ms

    def __call__(self, waveform: Tensor, *, samples: int, sample_rate: int, seeds: Sequence[int]) -> Deformed:
        waveform = waveform[:, :samples]
        gap = max(1, round(self.gap_ms / 1000 * sample_rate))
        packets = waveform.shape[1] // gap + 2
        phase, kept = [], []
        for seed, share in zip(seeds, draw("dropped_share", self.dropped_share, seeds), strict=True):
            rng = np.random.default_rng(seed_of(seed, "packets"))
            phase.append(int(rng.integers(gap)))
            kept.append(rng.random(packets) >= share)
        kept = torch.from_numpy(np.stack(kept)).to(waveform.device)
        first = torch.tensor(phase, device=waveform.device)[:, None]
        packet = (first + torch.arange(waveform.shape[1], device=waveform.device)) // gap
        return unmoved(waveform * kept.gather(1, packet))
