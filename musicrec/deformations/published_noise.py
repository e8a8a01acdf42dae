"""The noise of the published robustness figures, which is not set by a signal-to-noise ratio."""

from collections.abc import Sequence

from torch import Tensor

from musicrec.deformations.base import Deformed, column, draw, limits, unmoved, white_noise


class PublishedNoise:
    """Returns (1 - ratio) × waveform + ratio × max(waveform) × noise, with normal white noise scaled to a peak of 1.

    The rule of Won et al. 2020, "Evaluation of CNN-based automatic music tagging models", who publish figures for the
    ratios 0.1 and 0.4. As there, the maximum is that of the positive samples. Here it is the maximum of the input,
    there of the whole track.
    """

    input_ratio = 1.0

    def __init__(self, *, ratio: float | Sequence[float] = 0.1) -> None:
        self.ratio = limits("ratio", ratio, least=0, most=1)

    def __call__(self, waveform: Tensor, *, samples: int, sample_rate: int, seeds: Sequence[int]) -> Deformed:
        waveform = waveform[:, :samples]
        ratio = column(draw("ratio", self.ratio, seeds), waveform)
        noise = white_noise(seeds, waveform.shape[1], device=waveform.device)
        noise = noise / noise.abs().amax(dim=1, keepdim=True)
        return unmoved((1 - ratio) * waveform + ratio * waveform.amax(dim=1, keepdim=True) * noise)
