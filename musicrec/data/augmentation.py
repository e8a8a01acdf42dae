"""Augment training batches on the device: deform waveforms and move their labels, mix chunks, mask spectrograms."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from musicrec.deformations.base import Deformation, seed_of
from musicrec.deformations.mixup import Mixup
from musicrec.deformations.spec_augment import SpecAugment
from musicrec.deformations.spectrogram_faults import SpectrogramFaults
from musicrec.heads import Head
from musicrec.models.frontends import Frontend


@dataclass(frozen=True, kw_only=True)
class BatchSeed:
    """What the random numbers of a training batch depend on, so that a resumed run draws the same ones.

    Attributes:
        seed: Seed of the run.
        step: Number of the batch, counted over all epochs.
        rank: Number of the process, of several that train together.
    """

    seed: int
    step: int
    rank: int

    def generator(self) -> torch.Generator:
        """Return a generator for what is drawn for the batch as a whole."""
        return torch.Generator().manual_seed((self.seed * 1_000_003 + self.step) * 1009 + self.rank)

    def of_tracks(self, tracks: Sequence[int], *, deformation: int) -> list[int]:
        """Return one seed per track for the deformation of that number."""
        return [seed_of(self.seed, self.step, self.rank, deformation, track) for track in tracks]


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """How training batches are changed; evaluation never is.

    Attributes:
        waveform: Deformations, applied one after the other.
        move_labels: Whether deformations move the labels, too. False keeps the labels of the original audio, to
            measure what moving them is worth.
        mixup: Lays training chunks over each other.
        spectrogram: Masks bands and frames of the spectrogram, or changes its levels.
    """

    waveform: Sequence[Deformation] = ()
    move_labels: bool = True
    mixup: Mixup | None = None
    spectrogram: SpecAugment | SpectrogramFaults | None = None

    @property
    def is_empty(self) -> bool:
        """Whether batches stay as they are."""
        return not (self.waveform or self.mixup or self.spectrogram)

    @property
    def input_ratio(self) -> float:
        """Samples that the deformations need per sample that they return."""
        return math.prod(deformation.input_ratio for deformation in self.waveform)

    def deform(
        self,
        waveform: Tensor,
        target: dict[str, Tensor],
        tracks: Sequence[int],
        *,
        samples: int,
        sample_rate: int,
        heads: Sequence[Head],
        seed: BatchSeed,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Apply all deformations to a batch and move its labels accordingly.

        Args:
            waveform: (batch, samples × `input_ratio`) float32 in [-1, 1].
            target: The labels of each head, {head: (batch, …)}.
            tracks: The number of the track of each chunk.
            samples: Length of the chunks to return, in samples.
            sample_rate: In hertz.
            heads: The heads, which know how a deformation moves their labels.
            seed: What the random numbers depend on.

        Returns:
            The waveform, (batch, samples) float32, and the moved labels.
        """
        target, remaining = dict(target), self.input_ratio
        for number, deformation in enumerate(self.waveform):
            remaining /= deformation.input_ratio
            deformed = deformation(
                waveform,
                samples=round(samples * remaining),
                sample_rate=sample_rate,
                seeds=seed.of_tracks(tracks, deformation=number),
            )
            waveform = deformed.waveform
            for head in heads if self.move_labels else ():
                target[head.name] = head.move(
                    target[head.name],
                    shift_semitones=deformed.shift_semitones,
                    tempo_ratio=deformed.tempo_ratio,
                )
        return waveform, target

    def spectrograms(
        self, batch: dict, *, frontend: Frontend, samples: int, heads: Sequence[Head], seed: BatchSeed
    ) -> dict:
        """Change a batch of waveforms, and compute their spectrograms.

        Args:
            batch: "waveform" (batch, longer samples) int16, "track" (batch,) and "target" {head: (batch, …)}.
            frontend: Computes the spectrograms.
            samples: Length of the chunks that the network takes.
            heads: The heads, which move their labels.
            seed: What the random numbers depend on.

        Returns:
            "mel" (batch, 1, n_mels, frames) float32 and "target"; after a mixup also "partner" and "share".
        """
        generator, changed = seed.generator(), {}
        waveform, changed["target"] = self.deform(
            batch["waveform"].float() / 32768,
            dict(batch["target"]),
            batch["track"].tolist(),
            samples=samples,
            sample_rate=frontend.sample_rate,
            heads=heads,
            seed=seed,
        )
        if self.mixup is not None:
            waveform, partner, changed["share"] = self.mixup(waveform, generator=generator)
            changed["partner"] = {name: values[partner] for name, values in changed["target"].items()}
        changed["mel"] = frontend(waveform)
        if self.spectrogram is not None:
            changed["mel"] = self.spectrogram(changed["mel"], generator=generator)
        return changed
