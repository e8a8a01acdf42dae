"""One network that hears batches of excerpts, and what it says of whole tracks."""

import numpy as np
import torch
from torch import Tensor

from musicrec.audio.chunks import chunk_starts
from musicrec.export.description import Model
from musicrec.robustness.answers import Answers
from musicrec.robustness.excerpts import DeformedBatch
from musicrec.system.hardware import clock
from musicrec.training.pooling import TrackPooling


class Listener:
    """Collects what a model says of the chunks of tracks under one condition.

    chunks: of each excerpt, evenly spread; None takes as many as cover it.
    """

    def __init__(self, model: Model, *, tracks: int, chunks: int | None, device: torch.device) -> None:
        self.model, self.chunks, self.device = model, chunks, device
        self._heads = {head.name: TrackPooling(tracks, len(head.classes)).to(device) for head in model.heads}
        self._embedding = TrackPooling(tracks, model.network.embedding_size).to(device)
        self._shift, self._ratio = torch.zeros(tracks), torch.ones(tracks)
        self._seconds = {"deforming": 0.0, "mel": 0.0, "network": 0.0}
        self._audio_s = 0.0

    @torch.inference_mode()
    def hear(self, batch: DeformedBatch) -> None:
        begin = clock(self.device)
        chunks = self._cut(batch.waveform.to(self.device))
        mel = self.model.frontend(chunks)
        heard = clock(self.device)
        embedding, logits = self.model.network(mel)
        track = batch.track.to(self.device).repeat_interleave(len(chunks) // len(batch.track))
        self._embedding.update(embedding.float(), track)
        for head in self.model.heads:
            self._heads[head.name].update(head.probabilities(logits[head.name]), track)
        self._shift[batch.track], self._ratio[batch.track] = batch.shift_semitones.cpu(), batch.tempo_ratio.cpu()
        self._seconds["deforming"] += batch.deforming_s
        self._seconds["mel"] += heard - begin
        self._seconds["network"] += clock(self.device) - heard
        self._audio_s += batch.audio_s

    def answers(self) -> Answers:
        """Of all tracks, when every batch was heard."""
        return Answers(
            probabilities={name: pool.compute().cpu() for name, pool in self._heads.items()},
            embedding=self._embedding.compute().cpu(),
            shift_semitones=self._shift,
            tempo_ratio=self._ratio,
            seconds=self._seconds,
            audio_s=self._audio_s,
        )

    def _cut(self, waveform: Tensor) -> Tensor:
        """(batch × chunks, chunk samples) of (batch, samples), an excerpt's chunks one after another."""
        length, size = waveform.shape[1], self.model.network.chunk_samples
        starts, room = chunk_starts(length, size), length - size
        if self.chunks is not None and room > 0:
            starts = np.linspace(0, room, self.chunks) if self.chunks > 1 else np.array([room / 2])
        waveform = torch.nn.functional.pad(waveform, (0, max(0, size - length)))
        return waveform.unfold(1, size, 1)[:, torch.as_tensor(starts).round().long()].flatten(0, 1)
