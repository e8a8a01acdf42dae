"""SpecAugment: masks over time and frequency (Park et al. 2019, "SpecAugment", Interspeech)."""

import torch
from torch import Tensor

from musicrec.config.number_types import Natural
from musicrec.config.value_check import check_value


class SpecAugment:
    """Masks bands of mel channels and of frames with the mean level of the example. Labels stay.

    Args:
        frequency_masks: Number of masks over mel channels.
        max_channels: Largest width of such a mask.
        time_masks: Number of masks over frames.
        max_frames: Largest width of such a mask.

    Raises:
        ConfigError: A value that is not a whole number, 0 or more.
    """

    def __init__(
        self,
        *,
        frequency_masks: Natural = 1,
        max_channels: Natural = 12,
        time_masks: Natural = 1,
        max_frames: Natural = 24,
    ) -> None:
        settings = {"frequency_masks": frequency_masks, "max_channels": max_channels,
                    "time_masks": time_masks, "max_frames": max_frames}  # fmt: skip
        for name, value in settings.items():
            check_value(name, value, Natural)
        self.frequency_masks, self.max_channels = frequency_masks, max_channels
        self.time_masks, self.max_frames = time_masks, max_frames

    def __call__(self, decibels: Tensor, *, generator: torch.Generator) -> Tensor:
        """Mask decibels (batch, 1, mel channels, frames). generator: a CPU generator."""
        batch, _, channels, frames = decibels.shape
        hidden = self._bands(batch, channels, self.frequency_masks, self.max_channels, generator)[:, None, :, None]
        hidden = hidden | self._bands(batch, frames, self.time_masks, self.max_frames, generator)[:, None, None, :]
        return torch.where(hidden.to(decibels.device), decibels.mean(dim=(1, 2, 3), keepdim=True), decibels)

    @staticmethod
    def _bands(batch: int, size: int, count: int, widest: int, generator: torch.Generator) -> Tensor:
        """Return (batch, size) bool, true inside any of `count` bands."""
        width = torch.randint(0, min(widest, size) + 1, (batch, count, 1), generator=generator)
        start = (torch.rand(batch, count, 1, generator=generator) * (size - width + 1)).long()
        position = torch.arange(size)
        return ((position >= start) & (position < start + width)).any(dim=1)
