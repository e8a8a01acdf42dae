"""Shift of the start of the audio."""

from collections.abc import Sequence

import torch
from torch import Tensor

from musicrec.deformations.base import Deformed, draw, limits, unmoved


class Crop:
    """Starts the audio offset_s later, so that chunks are cut at other places.

    If the input is not longer than the output, the part that is cut off at the start is appended at the end: no music
    is lost and no silence is added. Labels with times would have to move in two ways.
    """

    input_ratio = 1.0
    keeps_time = False

    def __init__(self, *, offset_s: float | Sequence[float] = 1.0) -> None:
        self.offset_s = limits("offset_s", offset_s, least=0, most=3600)

    def __call__(self, waveform: Tensor, *, samples: int, sample_rate: int, seeds: Sequence[int]) -> Deformed:
        offset = [round(offset_s * sample_rate) for offset_s in draw("offset_s", self.offset_s, seeds)]
        first = torch.tensor(offset, device=waveform.device)[:, None]
        place = (first + torch.arange(samples, device=waveform.device)) % waveform.shape[1]
        return unmoved(waveform.gather(1, place))
