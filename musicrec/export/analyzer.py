"""Run exported models on whole tracks."""

import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from musicrec.audio.decode import Decoded, decode_track
from musicrec.audio.remark import Remark
from musicrec.descriptors.loudness_meter import LoudnessMeter
from musicrec.descriptors.measurement import measure
from musicrec.errors import AudioError, ExportError
from musicrec.export import catalogue
from musicrec.export.description import Model
from musicrec.export.folder import read_export
from musicrec.export.track_inputs import track_inputs
from musicrec.heads import Head
from musicrec.system.memory import keep_freed_memory

_SILENT_PEAK = 1e-3  # -60 dBFS
_LEAST_FILLED = 0.5  # of a chunk; many datasets have clips that are a few milliseconds shorter than one


@dataclass(frozen=True, kw_only=True)
class TrackAnalysis:
    """The answers of the models for one track.

    Attributes:
        duration_s: Length of the track in seconds.
        probabilities: {head: (classes,) float32}, the mean over the chunks of the track, calibrated.
        tags: {head: [{"tag", "probability", "present"}]} of the tag heads, most probable first.
        features: {head: decoded answer} of the feature heads, such as {"tempo": {"bpm": 120.1, "probability": 0.4}}.
        embedding: (size,) float32, the embeddings of the networks side by side.
        remarks: What to know about the audio, such as why the answers may be unreliable.
        descriptors: {descriptor: value} of what is computed without a model, such as {"loudness": -14.2}; see
            `musicrec.descriptors.DESCRIPTORS`.
    """

    duration_s: float
    probabilities: dict[str, np.ndarray]
    tags: dict[str, list[dict]]
    features: dict[str, dict]
    embedding: np.ndarray
    remarks: tuple[Remark, ...] = ()
    descriptors: dict[str, float] = field(default_factory=dict)

    @property
    def feature_vector(self) -> np.ndarray:
        """The probabilities of all heads side by side, in the order of `probabilities`."""
        return np.concatenate(list(self.probabilities.values()))


class TrackAnalyzer:
    """Runs one or several exported models, such as one for tags and one for tempo, on waveforms and files.

    If several models have the same head, the first of them answers.

    Args:
        models: The models, from `read_export`. All must have the same sample rate.
        device: Where to run them.
        batch_size: Number of chunks per forward pass.

    Attributes:
        heads: The heads that are answered, {name: head}.
        passed_over: One sentence for each head of a model that is not used because an earlier model has it, too.
        sample_rate: Sample rate of the waveforms in Hz.

    Raises:
        ExportError: The models need different sample rates.
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
                        f"{head.name}: {answering[head.name].source} is used, as it is named first; this head of "
                        f"{model.source} is not used"
                    )
            model.network.to(self.device).eval()
            model.frontend.to(self.device)
        rates = {model.sample_rate for model in self.models}
        if len(rates) != 1:
            raise ExportError(f"the models need different sample rates ({sorted(rates)} Hz); use models of one rate")
        self.sample_rate = rates.pop()

    def predict(self, waveform: np.ndarray) -> dict[str, np.ndarray]:
        """Return the probabilities of chunks, without calibration.

        The temperature of an export holds for whole tracks, so only `analyze` applies it.

        Args:
            waveform: (samples,) for one chunk, or (chunks, samples); float32 in [-1, 1] at `sample_rate`.

        Returns:
            {head: (chunks, classes) float32}.

        Raises:
            AudioError: The waveform is empty, or holds NaN or infinity.
            ValueError: The waveform has another shape, or integers.
        """
        chunks = torch.as_tensor(np.atleast_2d(_checked(waveform, shapes={1: "(samples,)", 2: "(chunks, samples)"})))
        probabilities = {}
        for model in self.models:
            inputs = (model.frontend(batch.to(self.device)) for batch in chunks.split(self.batch_size))
            probabilities |= {name: values.numpy() for name, values in self._run(model, inputs)[1].items()}
        return probabilities

    @torch.inference_mode()
    def _run(self, model: Model, inputs: Iterable[Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the embedding (chunks, size) and the probabilities {head: (chunks, classes)}, both on the CPU.

        inputs: Batches of spectrograms (chunks, 1, n_mels, frames), on the device.
        """
        heads = [head for head in model.heads if self.heads[head.name] is head]
        embeddings, outputs = [], []
        for spectrogram in inputs:
            embedding, logits = model.network(spectrogram)
            embeddings.append(embedding.float().cpu())
            outputs.append({head.name: head.probabilities(logits[head.name]).cpu() for head in heads})
        return torch.cat(embeddings), {head.name: torch.cat([out[head.name] for out in outputs]) for head in heads}

    def remarks(self, waveform: np.ndarray) -> tuple[Remark, ...]:
        """Return remarks on the audio: it is silent, or shorter than a chunk.

        A silent track is unreliable. So is a track that fills less than half a chunk: the models then see more padding
        than audio.

        Args:
            waveform: (samples,) float32 in [-1, 1] at `sample_rate`.
        """
        remarks = []
        peak = float(np.abs(waveform).max())
        if peak < _SILENT_PEAK:
            level = f"its peak is {20 * math.log10(peak):.0f} dBFS" if peak else "all samples are 0"
            remarks.append(
                Remark(f"the audio is silent ({level}), so the answers of the models mean nothing", unreliable=True)
            )
        chunk_s = max(model.network.chunk_samples for model in self.models) / self.sample_rate
        duration_s = len(waveform) / self.sample_rate
        if duration_s < chunk_s:
            remarks.append(
                Remark(
                    f"the audio lasts {duration_s:.2f} s, but the models need {chunk_s:.2f} s: it was padded with "
                    "silence, so their answers are less reliable",
                    unreliable=duration_s < chunk_s * _LEAST_FILLED,
                )
            )
        return tuple(remarks)

    def analyze(self, source: str | Path | np.ndarray | Decoded) -> TrackAnalysis:
        """Analyse a whole track.

        Args:
            source: An audio file; a mono waveform (samples,) float32 in [-1, 1] at `sample_rate`, whose loudness is
                then that of one channel; or a file that was decoded at `sample_rate` with `meter=LoudnessMeter`.

        Raises:
            AudioError: The file cannot be decoded, or the waveform is empty or holds NaN or infinity.
            ValueError: The waveform has another shape, or integers.
        """
        if isinstance(source, str | os.PathLike):
            decoded = decode_track(source, sample_rate=self.sample_rate, meter=LoudnessMeter)
        else:
            decoded = source if isinstance(source, Decoded) else Decoded(source)
        samples = _checked(decoded.waveform, shapes={1: "(samples,), mono"})
        waveform = torch.as_tensor(samples)
        probabilities: dict[str, np.ndarray] = {}
        embeddings = []
        for model in self.models:
            inputs = track_inputs(
                model.network, model.frontend, waveform, batch_size=self.batch_size, device=self.device
            )
            embedding, outputs = self._run(model, inputs)
            embeddings.append(embedding.mean(dim=0))
            probabilities |= {
                name: self.heads[name].calibrated(values.mean(0)).numpy() for name, values in outputs.items()
            }
        return TrackAnalysis(
            duration_s=len(waveform) / self.sample_rate,
            probabilities=probabilities,
            tags={name: head.ranked(probabilities[name]) for name, head in self.heads.items() if head.role == "tag"},
            features={
                name: head.decode(probabilities[name]) for name, head in self.heads.items() if head.role == "feature"
            },
            embedding=torch.cat(embeddings).numpy(),
            remarks=(*decoded.remarks, *self.remarks(samples)),
            descriptors=measure(Decoded(samples, meters=decoded.meters), sample_rate=self.sample_rate),
        )


def _checked(waveform: np.ndarray, *, shapes: dict[int, str]) -> np.ndarray:
    """Return the waveform as float32. shapes: {allowed number of dimensions: what they are}."""
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
    """Load one or several models.

    From then on, this process keeps the memory that it frees for the next track (`musicrec.system.memory`).

    Args:
        folder: An export folder, or the name of a model, such as "tempo" (`musicrec models` lists them).
        more: Further ones. If several have the same head, the first of them answers.
        device: Where to run the models: "cpu", "cuda", "cuda:1" …

    Returns:
        The analyzer, whose `analyze("track.flac")` returns the answers for a file.

    Raises:
        ExportError: A folder cannot be read, a model has not been fetched, or the models need different sample rates.
    """
    keep_freed_memory()
    return TrackAnalyzer([read_export(catalogue.resolve(path)) for path in (folder, *more)], device=device)
