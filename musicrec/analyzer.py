"""From audio to an answer: what exported models say of a whole track."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from musicrec.audio import decode
from musicrec.chunks import chunk_starts
from musicrec.errors import ExportError
from musicrec.export import Model, read_export
from musicrec.heads import Head


@dataclass(frozen=True, kw_only=True)
class TrackAnalysis:
    """What the models say of one track.

    probabilities: {head: (classes,) float32}, the mean over the track's chunks. tags: {head: [{"tag", "probability"}]},
    most probable first. features: {head: decoded answer}, such as {"tempo": {"bpm": 120.1, "probability": 0.4}}.
    embedding: (size,) float32, the networks' embeddings one after another.
    """

    duration_s: float
    probabilities: dict[str, np.ndarray]
    tags: dict[str, list[dict]]
    features: dict[str, dict]
    embedding: np.ndarray

    @property
    def feature_vector(self) -> np.ndarray:
        """The probabilities of all heads in one vector, in the order of `probabilities`."""
        return np.concatenate(list(self.probabilities.values()))


class TrackAnalyzer:
    """Runs one exported model or several (say, one for tags and one for tempo and key) on waveforms and files."""

    def __init__(self, models: Sequence[Model], *, device: str | torch.device = "cpu", batch_size: int = 16) -> None:
        self.models, self.device, self.batch_size = list(models), torch.device(device), batch_size
        self.heads: dict[str, Head] = {}
        for model in self.models:
            for head in model.heads:
                if head.name in self.heads:
                    sources = ", ".join(str(m.source) for m in self.models)
                    raise ExportError(f"two of the models have a head '{head.name}' ({sources}); give others")
                self.heads[head.name] = head
            model.network.to(self.device).eval()
            model.frontend.to(self.device)
        rates = {model.sample_rate for model in self.models}
        if len(rates) != 1:
            raise ExportError(f"the models need different sample rates ({sorted(rates)} Hz); use models of one rate")
        self.sample_rate = rates.pop()

    def predict(self, waveform: np.ndarray) -> dict[str, np.ndarray]:
        """{head: probabilities (chunks, classes) float32} of waveforms at `sample_rate`.

        waveform: (samples,), one chunk, or (chunks, samples), float32 in [-1, 1].
        """
        chunks = torch.as_tensor(np.atleast_2d(np.asarray(waveform, dtype=np.float32)))
        return {name: values.numpy() for model in self.models for name, values in self._run(model, chunks)[1].items()}

    @torch.inference_mode()
    def _run(self, model: Model, chunks: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Embedding and probabilities of (chunks, samples) float32, on the CPU."""
        embeddings, outputs = [], []
        for batch in chunks.split(self.batch_size):
            embedding, logits = model.network(model.frontend(batch.to(self.device)))
            embeddings.append(embedding.float().cpu())
            outputs.append({head.name: head.probabilities(logits[head.name]).cpu() for head in model.heads})
        return torch.cat(embeddings), {h.name: torch.cat([out[h.name] for out in outputs]) for h in model.heads}

    def analyze(self, source: str | Path | np.ndarray) -> TrackAnalysis:
        """Analyse a whole track: a file, or a mono waveform (samples,) float32 at `sample_rate`.

        Raises AudioError for a file that cannot be decoded.
        """
        waveform = source if isinstance(source, np.ndarray) else decode(source, sample_rate=self.sample_rate)
        waveform = torch.as_tensor(np.asarray(waveform, dtype=np.float32))
        probabilities, embeddings = {}, []
        for model in self.models:
            size = model.network.chunk_samples
            padded = torch.nn.functional.pad(waveform, (0, max(0, size - len(waveform))))
            starts = torch.as_tensor(chunk_starts(len(waveform), size))
            embedding, outputs = self._run(model, padded.unfold(0, size, 1)[starts])
            embeddings.append(embedding.mean(dim=0))
            probabilities |= {name: values.mean(dim=0) for name, values in outputs.items()}
        decoded = {name: self.heads[name].decode(values) for name, values in probabilities.items()}
        return TrackAnalysis(
            duration_s=len(waveform) / self.sample_rate,
            probabilities={name: values.numpy() for name, values in probabilities.items()},
            tags={name: head.ranked(probabilities[name]) for name, head in self.heads.items() if head.role == "tag"},
            features={name: decoded[name] for name, head in self.heads.items() if head.role == "feature"},
            embedding=torch.cat(embeddings).numpy(),
        )


def load(folder: str | Path, *more: str | Path, device: str = "cpu") -> TrackAnalyzer:
    """The analyzer of an export folder, or of several whose heads differ."""
    return TrackAnalyzer([read_export(path) for path in (folder, *more)], device=device)
