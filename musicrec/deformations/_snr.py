"""Add noise at a signal-to-noise ratio."""

from collections.abc import Sequence

from torch import Tensor

from musicrec.deformations.base import column


def mixed(waveform: Tensor, noise: Tensor, snr_db: Sequence[float]) -> Tensor:
    """Add noise such that the power of each example is 10^(snr_db/10) times the power of its noise.

    Silent examples stay silent, because no noise has the ratio.

    Args:
        waveform: (batch, samples).
        noise: (batch, samples).
        snr_db: One value per example.
    """
    power, noise_power = (audio.square().mean(dim=1, keepdim=True) for audio in (waveform, noise))
    gain = (power / noise_power.clamp(min=1e-20)).sqrt() * 10 ** (-column(snr_db, waveform) / 20)
    return waveform + gain * noise
