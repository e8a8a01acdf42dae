"""Compare engines and precisions on a trial: a fast one is used only if the answers stay the same."""

import math

import torch
from torch import Tensor

from musicrec.export.description import Model
from musicrec.export.engines import Engine, Outputs
from musicrec.heads.frames import is_frame_wise
from musicrec.system.hardware import cpu_has_fast_bf16

TOLERANCE = 0.005
"""The most that bf16 may change a probability, and the length of the embedding relative to it."""
EXACT = 1e-4
"""As `TOLERANCE`, for other engines in float32."""

_CHUNKS = 8
_CHORDS = ((220.0, 261.63, 329.63), (174.61, 220.0, 261.63), (261.63, 329.63, 392.0), (196.0, 246.94, 293.66))  # Hz
_CHORD_S, _BEAT_S = 2.0, 0.5


def has_fast_bf16(device: torch.device) -> bool:
    """Return whether a device computes faster in bf16 than in float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and cpu_has_fast_bf16()


class EngineTrial:
    """Compares the answers of engines on the same piece of music with those of PyTorch in float32.

    The piece is computed, always the same, and eight chunks long, so that an export gets the same engine and precision
    whenever it is loaded on a machine. The answers of a track are compared: the mean of the probabilities and of the
    embedding over the chunks; of frame-wise heads the probabilities of each frame.

    Args:
        model: The model, in eval mode, with its network and front end on the device.
        device: The device.

    Attributes:
        spectrogram: The spectrograms of the piece, (8, 1, n_mels, frames) float32, on the device.
    """

    @torch.inference_mode()
    def __init__(self, model: Model, device: torch.device) -> None:
        size = model.network.chunk_samples
        chunks = trial_music(_CHUNKS * size, model.sample_rate).reshape(_CHUNKS, size).to(device)
        self.spectrogram = model.frontend(chunks)[..., : getattr(model.network, "chunk_frames", None)]
        self._model, self._expected = model, _answer(model, model.network(self.spectrogram))

    @torch.inference_mode()
    def keeps_answers(self, engine: Engine) -> bool:
        """Return whether an engine gives the same answers.

        Returns:
            True if no probability changes by more than the tolerance of the engine's precision, and the embedding by no
            more than this share of it.
        """
        tolerance = TOLERANCE if engine.precision == "bf16" else EXACT
        embedding, probabilities = self._expected
        other_embedding, other_probabilities = _answer(self._model, engine(self.spectrogram))
        moved = (other_embedding - embedding).norm() / embedding.norm().clamp(min=1e-12)
        changes = [(other_probabilities[name] - probabilities[name]).abs().max() for name in probabilities]
        return all(bool(change <= tolerance) for change in (moved, *changes))  # False for NaN


def _answer(model: Model, outputs: Outputs) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the mean over the chunks of the embedding and of the probabilities of each head, in float32.

    The probabilities of frame-wise heads stay (chunks, size, frames), as no track has their mean.
    """
    embedding, logits = outputs
    probabilities = {head.name: head.probabilities(logits[head.name].float()) for head in model.heads}
    of_track = {
        head.name: probabilities[head.name] if is_frame_wise(head) else probabilities[head.name].mean(dim=0)
        for head in model.heads
    }
    return embedding.float().mean(dim=0), of_track


def trial_music(samples: int, sample_rate: int) -> Tensor:
    """Compute a piece of music: four chords of decaying strings in turn, and a drum on each beat of 120 BPM.

    Args:
        samples: Length in samples.
        sample_rate: In Hz.

    Returns:
        (samples,) float32 in [-1, 1].
    """
    time_s = torch.arange(samples, dtype=torch.float64) / sample_rate
    chord = (time_s / _CHORD_S).long() % len(_CHORDS)
    fundamentals = torch.tensor(_CHORDS, dtype=torch.float64)[chord]
    strings = torch.zeros(samples, dtype=torch.float64)
    for harmonic in range(1, 7):
        strings += torch.sin(2 * math.pi * harmonic * fundamentals * time_s[:, None]).sum(dim=1) / harmonic
    noise = torch.rand(samples, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 2 - 1
    drum = noise * torch.exp(-(time_s % _BEAT_S) / 0.05)
    return (0.08 * strings * torch.exp(-(time_s % _CHORD_S) / 1.5) + 0.3 * drum).clamp(-1, 1).float()
