"""Change of tempo at constant pitch."""

from collections.abc import Sequence

import torch
from torch import Tensor

from musicrec.deformations._speed import stretched
from musicrec.deformations.base import Deformed, draw_log, limits


class TimeStretch:
    """Multiplies the tempo and keeps the pitch, by Signalsmith Stretch on the CPU.

    Args:
        rate: Factor of the tempo: 1.25 is a quarter faster and lasts four fifths as long.
    """

    on_cpu = True

    def __init__(self, *, rate: float | Sequence[float] = 1.1) -> None:
        self.rate = limits("rate", rate, least=0.25, most=4)
        self.input_ratio = self.rate[1]

    def __call__(self, waveform: Tensor, *, samples: int, sample_rate: int, seeds: Sequence[int]) -> Deformed:
        rates = draw_log("rate", self.rate, seeds)
        return Deformed(
            waveform=stretched(waveform, rates, samples=samples, sample_rate=sample_rate),
            shift_semitones=torch.zeros(len(waveform), device=waveform.device),
            tempo_ratio=torch.tensor(rates, dtype=torch.float32, device=waveform.device),
        )
