"""Reverberation of a synthetic room."""

import math
from collections.abc import Sequence

import torch
from scipy.fft import next_fast_len
from torch import Tensor

from musicrec.deformations.base import Deformed, column, draw, draw_log, limits, unmoved, white_noise


class Reverberation:
    """Adds the reverberation of a synthetic room, another one per example. The power of an example stays the same.

    The impulse response is white noise that decays exponentially (Polack 1988; Moorer 1979, "About this reverberation
    business").

    Args:
        decay_s: Time in which the sound falls by 60 dB, in seconds.
        direct_to_reverberant_db: Power of the direct sound relative to the power of the reverberation.
    """

    input_ratio = 1.0

    def __init__(
        self, *, decay_s: float | Sequence[float] = 1.0, direct_to_reverberant_db: float | Sequence[float] = 0.0
    ) -> None:
        self.decay_s = limits("decay_s", decay_s, least=0.01, most=20)
        self.direct_to_reverberant_db = limits("direct_to_reverberant_db", direct_to_reverberant_db, least=-60, most=60)

    def __call__(self, waveform: Tensor, *, samples: int, sample_rate: int, seeds: Sequence[int]) -> Deformed:
        waveform = waveform[:, :samples]
        samples = waveform.shape[1]
        room = self._room(seeds, samples, sample_rate, waveform)
        size = next_fast_len(samples + room.shape[1] - 1, real=True)
        wet = torch.fft.irfft(torch.fft.rfft(waveform, n=size) * torch.fft.rfft(room, n=size), n=size)[:, :samples]
        power, wet_power = (audio.square().mean(dim=1, keepdim=True) for audio in (waveform, wet))
        return unmoved(wet * (power / wet_power.clamp(min=1e-20)).sqrt())

    def _room(self, seeds: Sequence[int], samples: int, sample_rate: int, like: Tensor) -> Tensor:
        """Return the impulse responses (batch, length): the direct sound, then the noise."""
        decay_s = column(draw_log("decay_s", self.decay_s, seeds), like)
        ratio_db = column(draw("direct_to_reverberant_db", self.direct_to_reverberant_db, seeds), like)
        # The length is that of the longest decay allowed: the noise of an example must not depend on the others.
        length = min(samples, math.ceil(self.decay_s[1] * sample_rate))
        time_s = torch.arange(1, length + 1, device=like.device) / sample_rate
        tail = white_noise(seeds, length, device=like.device) * 10 ** (-3 * time_s / decay_s)
        tail = tail * 10 ** (-ratio_db / 20) / tail.square().sum(dim=1, keepdim=True).sqrt()
        return torch.cat([torch.ones_like(tail[:, :1]), tail], dim=1)
