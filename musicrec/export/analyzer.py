"""From audio to an answer: what exported models say of a whole track."""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from musicrec.audio.chunks import chunk_starts
from musicrec.audio.decode import decode
from musicrec.errors import AudioError, ExportError
from musicrec.export.description import Model
from musicrec.export.folder import read_export
from musicrec.heads import Head

_SILENT_PEAK = 1e-3  # -60 dBFS


@dataclass(frozen=True, kw_only=True)
class TrackAnalysis:
    """What the models say of one track.

    probabilities: {head: (classes,) float32}, the mean over the track's chunks, calibrated. tags: {head: [{"tag",
    "probability", "present"}]}, most probable first. features: {head: decoded answer}, such as {"tempo": {"bpm": 120.1,
    "probability": 0.4}}. embedding: (size,) float32, the networks' embeddings one after another. remarks: why the
    answers may mean little.
    """

    duration_s: float
    probabilities: dict[str, np.ndarray]
    tags: dict[str, list[dict]]
    features: dict[str, dict]
    embedding: np.ndarray
    remarks: tuple[str, ...] = ()

    @property
    def feature_vector(self) -> np.ndarray:
        """The probabilities of all heads in one vector, in the order of `probabilities`."""
        return np.concatenate(list(self.probabilities.values()))


class TrackAnalyzer:
    """Runs one exported model or several (say, one for tags, one for tempo and one for key) on waveforms and files.

    A head that several of the models have is answered by the first of them; `passed_over` tells, in a
    sentence each, which are not asked.
    """

    def __init__(self, models: Sequence[Model], *, device: str | torch.device = "cpu", batch_size: int = 16) -> None:
        self.models, self.device, self.batch_size = list(models), torch.device(device), batch_size
        self.heads: dict[str, Head] = {}
        answering: dict[str, Model] = {}
        self.passed_over: list[str] = []
        for model in self.models:
            for head in model.heads:
                self.heads.setdefault(head.name, head)
                if answering.setdefault(head.name, model) is not model:
                    self.passed_over.append(
                        f"{head.name}: {answering[head.name].source} answers, as it is named first; {model.source}, "
                        "which has this head too, is not asked"
                    )
            model.network.to(self.device).eval()
            model.frontend.to(self.device)
        rates = {model.sample_rate for model in self.models}
        if len(rates) != 1:
            raise ExportError(f"the models need different sample rates ({sorted(rates)} Hz); use models of one rate")
        self.sample_rate = rates.pop()

    def predict(self, waveform: np.ndarray) -> dict[str, np.ndarray]:
        """{head: probabilities (chunks, classes) float32} of waveforms at `sample_rate`, as the network gives them:
        an export's temperature is that of whole tracks, and `analyze` applies it.

        waveform: (samples,), one chunk, or (chunks, samples), float32 in [-1, 1].

        Raises AudioError for no samples and for NaN or infinity, ValueError for another shape or integers.
        """
        chunks = torch.as_tensor(np.atleast_2d(_checked(waveform, shapes={1: "(samples,)", 2: "(chunks, samples)"})))
        return {name: values.numpy() for model in self.models for name, values in self._run(model, chunks)[1].items()}

    @torch.inference_mode()
    def _run(self, model: Model, chunks: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Embedding and probabilities of (chunks, samples) float32, on the CPU."""
        heads = [head for head in model.heads if self.heads[head.name] is head]
        embeddings, outputs = [], []
        for batch in chunks.split(self.batch_size):
            embedding, logits = model.network(model.frontend(batch.to(self.device)))
            embeddings.append(embedding.float().cpu())
            outputs.append({head.name: head.probabilities(logits[head.name]).cpu() for head in heads})
        return torch.cat(embeddings), {head.name: torch.cat([out[head.name] for out in outputs]) for head in heads}

    def remarks(self, waveform: np.ndarray) -> tuple[str, ...]:
        """Why the answers to (samples,) may mean little: it is silent, or shorter than what a network hears at once."""
        remarks = []
        peak = float(np.abs(waveform).max())
        if peak < _SILENT_PEAK:
            level = f"its peak is {20 * math.log10(peak):.0f} dBFS" if peak else "all samples are 0"
            remarks.append(f"the audio is silent ({level}), so that what the models say of it means nothing")
        chunk_s = max(model.network.chunk_samples for model in self.models) / self.sample_rate
        duration_s = len(waveform) / self.sample_rate
        if duration_s < chunk_s:
            remarks.append(
                f"the audio lasts {duration_s:.2f} s, the models hear {chunk_s:.2f} s at once: "
                "it was filled up with silence, which makes their answers unsure"
            )
        return tuple(remarks)

    def analyze(self, source: str | Path | np.ndarray) -> TrackAnalysis:
        """Analyse a whole track: a file, or a mono waveform (samples,) float32 at `sample_rate`.

        Raises AudioError for a file that cannot be decoded and a waveform that is empty or holds NaN or infinity,
        ValueError for a waveform of another shape or of integers.
        """
        if isinstance(source, str | os.PathLike):
            source = decode(source, sample_rate=self.sample_rate)
        samples = _checked(source, shapes={1: "(samples,), mono"})
        waveform = torch.as_tensor(samples)
        probabilities, embeddings = {}, []
        for model in self.models:
            size = model.network.chunk_samples
            padded = torch.nn.functional.pad(waveform, (0, max(0, size - len(waveform))))
            starts = torch.as_tensor(chunk_starts(len(waveform), size))
            embedding, outputs = self._run(model, padded.unfold(0, size, 1)[starts])
            embeddings.append(embedding.mean(dim=0))
            probabilities |= {name: self.heads[name].calibrated(values.mean(0)) for name, values in outputs.items()}
        decoded = {name: self.heads[name].decode(values) for name, values in probabilities.items()}
        return TrackAnalysis(
            duration_s=len(waveform) / self.sample_rate,
            probabilities={name: values.numpy() for name, values in probabilities.items()},
            tags={name: head.ranked(probabilities[name]) for name, head in self.heads.items() if head.role == "tag"},
            features={name: decoded[name] for name, head in self.heads.items() if head.role == "feature"},
            embedding=torch.cat(embeddings).numpy(),
            remarks=self.remarks(samples),
        )


def _checked(waveform: np.ndarray, *, shapes: dict[int, str]) -> np.ndarray:
    """The waveform as float32. shapes: {how many dimensions it may have: what they are}."""
    waveform = np.asarray(waveform)
    if waveform.ndim not in shapes:
        raise ValueError(f"waveform of shape {waveform.shape}; give {' or '.join(shapes.values())}")
    if waveform.dtype.kind != "f":
        raise ValueError(f"waveform of {waveform.dtype}; give float32 in [-1, 1], such as int16 samples / 32768")
    if not waveform.size:
        raise AudioError(f"waveform of shape {waveform.shape}: no audio in it, 0 samples")
    waveform = waveform.astype(np.float32, copy=False)
    if not np.isfinite(waveform).all():
        raise AudioError("waveform: holds samples that are NaN or infinite")
    return waveform


def load(folder: str | Path, *more: str | Path, device: str = "cpu") -> TrackAnalyzer:
    """The analyzer of an export folder, or of several; what two of them tell is taken from the first."""
    return TrackAnalyzer([read_export(path) for path in (folder, *more)], device=device)
