"""Run exported models on whole tracks."""

import functools
import math
import os
import threading
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from musicrec.audio.decode import Decoded, decode_track
from musicrec.audio.remark import Remark
from musicrec.config.number_types import PositiveShare
from musicrec.config.value_check import check_choice, check_value
from musicrec.descriptors.loudness_meter import LoudnessMeter
from musicrec.descriptors.measurement import measure
from musicrec.errors import AudioError, ExportError
from musicrec.export import catalogue
from musicrec.export.chunk_batches import LEAST_HEARD_S, chunk_batches
from musicrec.export.description import Model
from musicrec.export.folder import read_export
from musicrec.export.precision import bf16_keeps_answers, has_fast_bf16
from musicrec.export.track_queue import Stopped, TrackQueue
from musicrec.heads import Head
from musicrec.models import Network
from musicrec.system.memory import keep_freed_memory

_SILENT_PEAK = 1e-3  # -60 dBFS
_LEAST_FILLED = 0.5  # of a chunk; many datasets have clips that are a few milliseconds shorter than one
_BATCH_S = 96.0  # of audio in a forward pass on a CPU; more only takes memory
_MOST_TRACKS = 16  # that are analysed together
_MOST_THREADS = 16


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

    If several models have the same head, the first of them answers. Models whose front ends and chunks are equal share
    one spectrogram.

    Args:
        models: The models, from `read_export`. All must have the same sample rate.
        device: Where to run them.
        batch_size: Number of chunks per forward pass; fewer if chunks are long.
        coverage: Share of the chunks of a track that the models hear, above 0 and at most 1, spread evenly; at least
            two minutes of each track are heard. 1 is the whole track. It changes the answers: tracks that are compared
            should have the same coverage.
        precision: "float32"; or "auto" for bf16 where the device computes it fast, and for those models whose answers
            it leaves the same (`musicrec.export.precision`).

    Attributes:
        heads: The heads that are answered, {name: head}.
        passed_over: One sentence for each head of a model that is not used because an earlier model has it, too.
        sample_rate: Sample rate of the waveforms in Hz.

    Raises:
        ExportError: The models need different sample rates.
        ConfigError: The coverage is not above 0 and at most 1, or the precision is unknown.
    """

    def __init__(
        self,
        models: Sequence[Model],
        *,
        device: str | torch.device = "cpu",
        batch_size: int = 16,
        coverage: float = 1.0,
        precision: str = "auto",
    ) -> None:
        check_value("coverage", coverage, PositiveShare)
        check_choice("precision", precision, ("auto", "float32"))
        self.models = [model.for_inference() for model in models]
        self.device, self.batch_size = torch.device(device), batch_size
        self.coverage = float(coverage)
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
            _prepare(model.network.eval(), self.device)
            model.frontend.to(self.device)
        rates = {model.sample_rate for model in self.models}
        if len(rates) != 1:
            raise ExportError(f"the models need different sample rates ({sorted(rates)} Hz); use models of one rate")
        self.sample_rate = rates.pop()
        fast = precision == "auto" and has_fast_bf16(self.device)
        self._bf16 = [fast and bf16_keeps_answers(model, self.device) for model in self.models]
        self._sharing = _with_equal_inputs(self.models)

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that change the answers, in plain types, for a library to remember."""
        return {"coverage": self.coverage}

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
        probabilities: dict[str, np.ndarray] = {}
        for number, model in enumerate(self.models):
            batches = chunks.split(self._chunks_per_batch(model))
            answers = [self._run(number, model.frontend(batch.to(self.device)))[1] for batch in batches]
            for name in answers[0]:
                probabilities[name] = torch.cat([answer[name] for answer in answers]).numpy()
        return probabilities

    @torch.inference_mode()
    def _run(self, number: int, spectrogram: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Run a model.

        Args:
            number: Its position in `models`.
            spectrogram: (chunks, 1, n_mels, frames), on the device.

        Returns:
            The embedding (chunks, size) and the probabilities {head: (chunks, classes)}, both float32 on the CPU.
        """
        model = self.models[number]
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self._bf16[number]):
            embedding, logits = model.network(spectrogram)
        heads = [head for head in model.heads if self.heads[head.name] is head]
        return embedding.float().cpu(), {
            head.name: head.probabilities(logits[head.name].float()).cpu() for head in heads
        }

    def _chunks_per_batch(self, model: Model) -> int:
        if self.device.type != "cpu":
            return self.batch_size
        return min(self.batch_size, max(1, round(_BATCH_S * model.sample_rate / model.network.chunk_samples)))

    @torch.inference_mode()
    def _answers(
        self, waveforms: Sequence[Tensor], stopped: threading.Event | None = None
    ) -> list[tuple[np.ndarray, dict[str, np.ndarray]]]:
        """Run all models on whole tracks, with chunks of several tracks in one forward pass.

        Args:
            waveforms: One (samples,) float32 in [-1, 1] per track.
            stopped: Stop between two batches when this is set.

        Returns:
            The embedding (size,) and the calibrated probabilities {head: (classes,)} of each track.

        Raises:
            Stopped: `stopped` was set.
        """
        embeddings: list[list[Tensor]] = [[] for _ in self.models]  # of each model, then of each track
        probabilities: list[dict[str, np.ndarray]] = [{} for _ in waveforms]
        for numbers in self._sharing:
            first = self.models[numbers[0]]
            owners: list[int] = []
            outputs: dict[int, list[tuple[Tensor, dict[str, Tensor]]]] = {number: [] for number in numbers}
            for tracks, spectrogram in chunk_batches(
                first.network,
                first.frontend,
                waveforms,
                batch_size=self._chunks_per_batch(first),
                device=self.device,
                coverage=self.coverage,
            ):
                owners += tracks
                for number in numbers:
                    if stopped is not None and stopped.is_set():
                        raise Stopped
                    outputs[number].append(self._run(number, spectrogram))
            counts = [owners.count(track) for track in range(len(waveforms))]
            for number, answers in outputs.items():
                of_tracks = torch.cat([embedding for embedding, _ in answers]).split(counts)
                embeddings[number] = [embedding.mean(dim=0) for embedding in of_tracks]
                for name in answers[0][1]:
                    for track, values in enumerate(torch.cat([answer[name] for _, answer in answers]).split(counts)):
                        probabilities[track][name] = self.heads[name].calibrated(values.mean(0)).numpy()
        ordered = [{name: answer[name] for name in self.heads} for answer in probabilities]
        return [(torch.cat(parts).numpy(), answer) for *parts, answer in zip(*embeddings, ordered, strict=True)]

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
        return self._analyses([self._measured(decoded)])[0]

    def analyze_many(
        self, sources: Iterable[str | Path], *, threads: int | None = None
    ) -> Generator[tuple[str | Path, tuple[Decoded, TrackAnalysis] | AudioError], None, None]:
        """Analyse many files, with the answers that `analyze` gives for each of them.

        Several threads decode and analyse different tracks at the same time, each with operations of one thread, which
        keeps all processors busy. A few tracks are in memory at a time.

        Args:
            sources: Audio files.
            threads: Number of threads; None for as many as PyTorch would use, at most 16.

        Yields:
            Each file, in order, with its audio and its analysis, or with the error if it cannot be decoded.
        """
        before = torch.get_num_threads()
        threads = min(before, _MOST_THREADS) if threads is None else threads

        def load(path: str | Path) -> _Measured | AudioError:
            try:
                return self._measured(decode_track(path, sample_rate=self.sample_rate, meter=meter))
            except AudioError as error:
                return error

        def work(group: Sequence[_Measured | AudioError]) -> list[tuple[Decoded, TrackAnalysis] | AudioError]:
            tracks = [track for track in group if not isinstance(track, AudioError)]
            analyses = iter(self._analyses(tracks, queue.stopped))
            return [track if isinstance(track, AudioError) else (track.decoded, next(analyses)) for track in group]

        def is_full(group: Sequence[_Measured | AudioError]) -> bool:
            lengths = [len(track.samples) for track in group if not isinstance(track, AudioError)]
            heard_s = sum(max(length * self.coverage / self.sample_rate, LEAST_HEARD_S) for length in lengths)
            return heard_s >= _BATCH_S or len(group) >= _MOST_TRACKS

        queue = TrackQueue(load, work, is_full=is_full, threads=threads, work_apart=self.device.type != "cpu")
        meter = functools.partial(_StoppableMeter, queue.stopped)
        torch.set_num_threads(max(1, before // threads))  # holds for all threads of the process
        try:
            yield from queue.results(sources)
        finally:
            torch.set_num_threads(before)

    def _measured(self, decoded: Decoded) -> "_Measured":
        samples = _checked(decoded.waveform, shapes={1: "(samples,), mono"})
        descriptors = measure(Decoded(samples, meters=decoded.meters), sample_rate=self.sample_rate)
        return _Measured(decoded, samples, descriptors)

    def _analyses(self, tracks: "Sequence[_Measured]", stopped: threading.Event | None = None) -> list[TrackAnalysis]:
        """Analyse some tracks together. Raises Stopped when `stopped` is set."""
        answers = self._answers([torch.as_tensor(track.samples) for track in tracks], stopped) if tracks else []
        return [
            TrackAnalysis(
                duration_s=len(track.samples) / self.sample_rate,
                probabilities=answer,
                tags={name: head.ranked(answer[name]) for name, head in self.heads.items() if head.role == "tag"},
                features={
                    name: head.decode(answer[name]) for name, head in self.heads.items() if head.role == "feature"
                },
                embedding=embedding,
                remarks=(*track.decoded.remarks, *self.remarks(track.samples)),
                descriptors=track.descriptors,
            )
            for track, (embedding, answer) in zip(tracks, answers, strict=True)
        ]


def _prepare(network: Network, device: torch.device) -> None:
    """Move a network to a device, in the memory layout in which its convolutions are fast."""
    network.to(device)
    if isinstance(network, nn.Module) and getattr(network, "channels_last", True):
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # its stubs lack it


@dataclass(frozen=True)
class _Measured:
    """A decoded track: its checked waveform (samples,) float32, and its descriptors."""

    decoded: Decoded
    samples: np.ndarray
    descriptors: dict[str, float]


class _StoppableMeter(LoudnessMeter):
    """Measures the loudness, and raises Stopped in the middle of a file when its audio is no longer wanted."""

    def __init__(self, stopped: threading.Event, sample_rate: int, speakers: Sequence[str] | None) -> None:
        super().__init__(sample_rate, speakers)
        self._stopped = stopped

    def __call__(self, block: np.ndarray) -> None:
        if self._stopped.is_set():
            raise Stopped
        super().__call__(block)


def _with_equal_inputs(models: Sequence[Model]) -> list[list[int]]:
    """Group models that hear the same spectrograms: positions of models whose front ends and chunks are equal."""
    groups: dict[str, list[int]] = {}
    for number, model in enumerate(models):
        chunk = (model.network.chunk_samples, getattr(model.network, "chunk_frames", None))
        groups.setdefault(repr((type(model.frontend), sorted(model.frontend.settings.items()), chunk)), []).append(
            number
        )
    return list(groups.values())


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
