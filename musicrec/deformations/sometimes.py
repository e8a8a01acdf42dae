"""Apply a deformation to a random part of the examples."""

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from musicrec.config.number_types import Share
from musicrec.config.value_check import check_value
from musicrec.deformations.base import Deformation, Deformed, seed_of, unmoved


class Sometimes:
    """Deforms each example with a given probability. The others, and their labels, stay unchanged."""

    def __init__(self, *, deformation: Deformation, probability: Share = 0.5) -> None:
        check_value("probability", probability, Share)
        self.deformation, self.probability = deformation, probability
        self.input_ratio = max(1.0, deformation.input_ratio)

    def __call__(self, waveform: Tensor, *, samples: int, sample_rate: int, seeds: Sequence[int]) -> Deformed:
        result = unmoved(waveform[:, :samples].clone())
        coins = [np.random.default_rng(seed_of(seed, "sometimes")).random() for seed in seeds]
        rows = [row for row, coin in enumerate(coins) if coin < self.probability]
        if rows:
            deformed = self.deformation(
                waveform[rows], samples=samples, sample_rate=sample_rate, seeds=[seeds[row] for row in rows]
            )
            result.waveform[rows] = deformed.waveform
            result.shift_semitones[rows] = deformed.shift_semitones
            result.tempo_ratio[rows] = deformed.tempo_ratio
        return result
