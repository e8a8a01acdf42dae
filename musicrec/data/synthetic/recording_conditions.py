"""Make a clean synthesis more like a recording: a room, noise, and a level that does not depend on the music."""

from collections.abc import Sequence

import numpy as np
import torch

from musicrec.deformations.base import draw, limits, seed_of
from musicrec.deformations.noise import Noise
from musicrec.deformations.reverberation import Reverberation

_DIRECT_TO_REVERBERANT_DB = (0.0, 12.0)  # from the back of a hall to close microphones
_HIGHEST_PEAK = 0.97  # of full scale


class RecordingConditions:
    """Adds reverberation and noise to a track and sets its level.

    Every setting is a number, a range from which each track draws a value, or None to leave it out.

    Args:
        reverberation_s: Reverberation time (decay by 60 dB) in seconds.
        noise_snr_db: Ratio of the music to pink noise in dB.
        level_db: RMS level of the track relative to full scale in dB. If None, the level follows the track's energy.
    """

    def __init__(
        self,
        *,
        reverberation_s: float | Sequence[float] | None = None,
        noise_snr_db: float | Sequence[float] | None = None,
        level_db: float | Sequence[float] | None = None,
    ) -> None:
        self.stages = []
        if reverberation_s is not None:
            decay_s = limits("reverberation_s", reverberation_s, least=0.05, most=10)
            self.stages.append(Reverberation(decay_s=decay_s, direct_to_reverberant_db=_DIRECT_TO_REVERBERANT_DB))
        if noise_snr_db is not None:
            self.stages.append(Noise(colour="pink", snr_db=limits("noise_snr_db", noise_snr_db, least=-10, most=90)))
        self.level_db = None if level_db is None else limits("level_db", level_db, least=-60, most=-6)

    def __call__(self, sound: np.ndarray, *, sample_rate: int, seed: Sequence[int]) -> np.ndarray:
        """Apply the conditions to a track.

        Args:
            sound: (samples,) int16.
            sample_rate: In Hz.
            seed: Decides all values that are drawn.

        Returns:
            (samples,) int16, of the same length.
        """
        if not self.stages and self.level_db is None:
            return sound
        waveform = torch.from_numpy(sound)[None].float() / 32768
        for stage in self.stages:
            seeds = [seed_of(*seed, type(stage).__name__)]
            waveform = stage(waveform, samples=len(sound), sample_rate=sample_rate, seeds=seeds).waveform
        if self.level_db is not None:
            (level_db,) = draw("level_db", self.level_db, [seed_of(*seed)])
            waveform = waveform * 10 ** (level_db / 20) / waveform.square().mean().sqrt().clamp(min=1e-6)
        limited = _HIGHEST_PEAK * torch.tanh(waveform[0] / _HIGHEST_PEAK)  # soft limit, so nothing clips
        return (limited * 32767).round().to(torch.int16).numpy()
