"""Dynamic range compression."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torchaudio.functional import lfilter

from musicrec.config.value_check import check_choices
from musicrec.deformations.base import Deformed, choose, unmoved

BLOCK_S = 0.001  # the level is measured once per millisecond
QUIETEST_DB = -100.0


@dataclass(frozen=True, kw_only=True)
class CompressionPreset:
    """Settings of a compressor.

    Attributes:
        curve_db: The static curve as points (input level, output level) in dB relative to full scale, with straight
            lines between the points.
        attack_s: Time constant of a rising level, in seconds.
        decay_s: Time constant of a falling level, in seconds.
        gain_db: Added to the output.
        look_ahead_s: How long before the level the gain changes, in seconds.
    """

    curve_db: tuple[tuple[float, float], ...]
    attack_s: float = 0.1
    decay_s: float = 0.3
    gain_db: float = 0.0
    look_ahead_s: float = 0.1


# The presets of MUDA (McFee et al. 2015), as in the published robustness figures: profiles of Dolby encoders, and of a
# radio station. https://github.com/bmcfee/muda
PRESETS = {
    "film_light": CompressionPreset(curve_db=((-90, -90), (-70, -64), (-53, -47), (-41, -41), (-21, -21), (0, -20))),
    "film_standard": CompressionPreset(curve_db=((-90, -90), (-70, -64), (-43, -37), (-31, -31), (-21, -21), (0, -20))),
    "music_light": CompressionPreset(curve_db=((-90, -90), (-70, -58), (-65, -53), (-41, -41), (-21, -21), (0, -11))),
    "music_standard": CompressionPreset(
        curve_db=((-90, -90), (-70, -58), (-55, -43), (-31, -31), (-21, -21), (0, -20))
    ),
    "speech": CompressionPreset(curve_db=((-90, -90), (-70, -55), (-50, -35), (-31, -31), (-21, -21), (0, -20))),
    "radio": CompressionPreset(
        curve_db=((-90, -90), (-70, -70), (-60, -20), (0, 0)), attack_s=0.01, decay_s=1, gain_db=-5, look_ahead_s=0
    ),
}


class DynamicRangeCompression:
    """Compresses the dynamic range with a preset.

    The level comes from a smooth decoupled peak detector (Giannoulis, Massberg and Reiss 2012, "Digital dynamic range
    compressor design", JAES). Unlike sox's compand, for which the presets were written, it needs no loop over samples.
    It starts at the level of the first millisecond, so that a chunk from the middle of a track has no fade-in.

    Args:
        preset: A name in `PRESETS`, or a list of names from which one is drawn per example.

    Raises:
        ConfigError: An unknown preset.
    """

    input_ratio = 1.0

    def __init__(self, *, preset: str | Sequence[str] = "music_standard") -> None:
        self.presets = [preset] if isinstance(preset, str) else list(preset)
        check_choices("preset", self.presets, PRESETS)

    def __call__(self, waveform: Tensor, *, samples: int, sample_rate: int, seeds: Sequence[int]) -> Deformed:
        waveform = waveform[:, :samples]
        chosen = choose("preset", self.presets, seeds)
        result = torch.empty_like(waveform)
        for preset in set(chosen):
            rows = [row for row, name in enumerate(chosen) if name == preset]
            result[rows] = compressed(waveform[rows], PRESETS[preset], sample_rate)
        return unmoved(result)


def compressed(waveform: Tensor, preset: CompressionPreset, sample_rate: int) -> Tensor:
    """Compress (batch, samples) with a preset. The result is clipped at full scale, as a file would be."""
    samples, block = waveform.shape[1], max(1, round(BLOCK_S * sample_rate))
    blocks = torch.nn.functional.pad(waveform, (0, -samples % block)).unflatten(1, (-1, block))
    level = peak_level(blocks.abs().amax(dim=2), preset, block / sample_rate)
    level_db = 20 * level.clamp(min=10 ** (QUIETEST_DB / 20)).log10()
    gain_db = curve(level_db, preset) - level_db + preset.gain_db
    ahead = min(round(preset.look_ahead_s * sample_rate / block), gain_db.shape[1] - 1)
    gain_db = torch.cat([gain_db[:, ahead:], gain_db[:, -1:].expand(-1, ahead)], dim=1)
    gain_db = torch.nn.functional.interpolate(gain_db[:, None], scale_factor=block, mode="linear")[:, 0, :samples]
    return (waveform * 10 ** (gain_db / 20)).clamp(-1, 1)


def peak_level(peak: Tensor, preset: CompressionPreset, step_s: float) -> Tensor:
    """Return the level (batch, blocks) for the peaks of blocks: exponential decay, and a rise with the attack time."""
    # max over j ≤ k of peak[j] · exp(-(k - j) · slope): in the logarithm a running maximum.
    slope = torch.arange(peak.shape[1], device=peak.device, dtype=torch.float64) * (step_s / preset.decay_s)
    held = ((peak.double().clamp(min=1e-10).log() + slope).cummax(dim=1).values - slope).exp().float()
    share = 1 - float(np.exp(-step_s / preset.attack_s))
    first = held[:, :1]
    feedback, forward = torch.tensor([[1.0, share - 1], [share, 0.0]], device=peak.device)
    return lfilter(held - first, feedback, forward, clamp=False) + first


def curve(level_db: Tensor, preset: CompressionPreset) -> Tensor:
    """Apply the static curve. Below its first and above its last point the gain stays constant."""
    inputs, outputs = torch.tensor(preset.curve_db, dtype=level_db.dtype, device=level_db.device).T.contiguous()
    inside = level_db.clamp(inputs[0], inputs[-1])
    segment = torch.bucketize(inside, inputs[1:-1].contiguous())
    slope = outputs.diff() / inputs.diff()
    return outputs[segment] + slope[segment] * (inside - inputs[segment]) + (level_db - inside)
