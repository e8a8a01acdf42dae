"""Another place at which the audio begins."""

from collections.abc import Sequence

import torch
from torch import Tensor

from musicrec.deformations.base import Deformed, draw, limits, unmoved


class Crop:
    """Lets the audio begin offset_s later: chunks are cut elsewhere.

    Where the input is no longer than the output, what is cut off at the beginning follows at the end, so that nothing
    of the music is lost and no silence is added.
    """

    input_ratio = 1.0

    def __init__(self, *, offset_s: float | Sequence[float] = 1.0) -> None:
        self.offset_s = limits("offset_s", offset_s, least=0, most=3600)

    def __call__(self, waveform: Tensor, *, samples: int, sample_rate: int, seeds: Sequence[int]) -> Deformed:
        offset = [round(offset_s * sample_rate) for offset_s in draw("offset_s", self.offset_s, seeds)]
        first = torch.tensor(offset, device=waveform.device)[:, None]
        place = (first + torch.arange(samples, device=waveform.device)) % waveform.shape[1]
        return unmoved(waveform.gather(1, place))
