"""One network over batches of excerpts, and the mean of its outputs per track, or their frames joined."""

import numpy as np
import torch
from torch import Tensor

from musicrec.audio.chunks import chunk_starts
from musicrec.export.description import Model
from musicrec.robustness.answer_cache import Answers
from musicrec.robustness.excerpts import DeformedBatch
from musicrec.system.hardware import clock
from musicrec.training.pooling import TrackPooling, pooling_of


class TrackInference:
    """Runs a model over the excerpts of tracks under one condition, batch by batch.

    Args:
        model: On `device`.
        tracks: Number of tracks.
        longest_s: Length of the longest deformed excerpt, in seconds.
        chunks: Per excerpt, evenly spread; None takes as many as cover the excerpt.
        device: The device of the model.
    """

    def __init__(
        self, model: Model, *, tracks: int, longest_s: float, chunks: int | None, device: torch.device
    ) -> None:
        self.model, self.chunks, self.device = model, chunks, device
        self._heads = {
            head.name: pooling_of(head, tracks, longest_s=longest_s, pooling="mean").to(device) for head in model.heads
        }
        self._embedding = TrackPooling(tracks, model.network.embedding_size).to(device)
        self._shift_semitones, self._tempo_ratio = torch.zeros(tracks), torch.ones(tracks)
        self._seconds = {"deforming": 0.0, "mel": 0.0, "network": 0.0}
        self._audio_s = 0.0

    @torch.inference_mode()
    def update(self, batch: DeformedBatch) -> None:
        """Run the model over a batch, and add its outputs to those of the tracks."""
        begin = clock(self.device)
        chunks, start_s = self._cut(batch.waveform.to(self.device))
        mel = self.model.frontend(chunks)
        mel_done = clock(self.device)
        embedding, logits = self.model.network(mel)
        track = batch.track.to(self.device).repeat_interleave(len(chunks) // len(batch.track))
        self._embedding.update(embedding.float(), track)
        for head in self.model.heads:
            self._heads[head.name].update(head.probabilities(logits[head.name]), track, start_s)
        self._shift_semitones[batch.track] = batch.shift_semitones.cpu()
        self._tempo_ratio[batch.track] = batch.tempo_ratio.cpu()
        self._seconds["deforming"] += batch.deforming_s
        self._seconds["mel"] += mel_done - begin
        self._seconds["network"] += clock(self.device) - mel_done
        self._audio_s += batch.audio_s

    def compute(self) -> Answers:
        """Return the answers to all tracks; to be called after the last batch."""
        return Answers(
            probabilities={name: pool.compute().cpu() for name, pool in self._heads.items()},
            embedding=self._embedding.compute().cpu(),
            shift_semitones=self._shift_semitones,
            tempo_ratio=self._tempo_ratio,
            seconds=self._seconds,
            audio_s=self._audio_s,
        )

    def _cut(self, waveform: Tensor) -> tuple[Tensor, Tensor]:
        """Cut excerpts (batch, samples) into chunks, excerpt by excerpt.

        Returns:
            The chunks (batch × chunks, chunk samples), and where each begins in its excerpt, in seconds.
        """
        length, size = waveform.shape[1], self.model.network.chunk_samples
        starts, last = chunk_starts(length, size), length - size
        if self.chunks is not None and last > 0:
            starts = np.linspace(0, last, self.chunks) if self.chunks > 1 else np.array([last / 2])
        waveform = torch.nn.functional.pad(waveform, (0, max(0, size - length)))
        first = torch.as_tensor(starts).round().long()
        start_s = (first / self.model.sample_rate).repeat(len(waveform))
        return waveform.unfold(1, size, 1)[:, first].flatten(0, 1), start_s
