"""Run exported models on whole tracks."""

import functools
import math
import os
import threading
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from musicrec.audio.decode import Decoded, decode_track
from musicrec.audio.file_header import read_header
from musicrec.audio.remark import Remark
from musicrec.config.number_types import PositiveShare
from musicrec.config.value_check import check_value
from musicrec.descriptors.loudness_meter import LoudnessMeter
from musicrec.descriptors.measurement import measure
from musicrec.errors import AudioError
from musicrec.export import catalogue
from musicrec.export.chunk_batches import heard_s
from musicrec.export.description import Model
from musicrec.export.folder import read_export
from musicrec.export.model_set import BATCH_S, ModelSet
from musicrec.export.phrases import find_phrases, levels_of_beats
from musicrec.export.track_analysis import TrackAnalysis
from musicrec.export.track_queue import Stopped, TrackQueue
from musicrec.heads.frames import is_frame_wise
from musicrec.system.memory import keep_freed_memory

_SILENT_PEAK = 1e-3  # -60 dBFS
_LEAST_FILLED = 0.5  # of a chunk; many datasets have clips that are a few milliseconds shorter than one
_MOST_TRACKS = 16  # that are analysed together
_MOST_THREADS = 16
MOST_LOADED_S = 4 * 3600.0
"""Most seconds of audio in memory at a time when many files are analysed: 0.9 GB at 16 kHz. A longer file is alone."""
_UNKNOWN_S = 600.0  # assumed length of a file that does not state one


class TrackAnalyzer:
    """Runs one or several exported models, such as one for tags and one for tempo, on waveforms and files.

    If several models have the same head, the first of them answers. Models whose front ends and chunks are equal share
    one spectrogram.

    Args:
        models: The models, from `read_export`. All must have the same sample rate.
        device: Where to run them.
        batch_size: Number of chunks per forward pass; fewer on a CPU if chunks are long.
        coverage: Share of the chunks of a track that the models hear, above 0 and at most 1, spread evenly; at least
            two minutes of each track are heard. 1 is the whole track. It changes the answers: tracks that are compared
            should have the same coverage.
        precision: "float32"; or "auto" for bf16 where the device computes it fast, and for those models whose answers
            it leaves the same (`musicrec.export.precision`).
        engine: What runs the networks: "torch", "onnx" or "openvino"; "fastest" for the fastest one that is installed,
            for those models whose answers it leaves the same; or "auto" for what MUSICREC_ENGINE says, or "torch"
            (docs/engines.md).

    Attributes:
        models: The models, in their form for inference.
        heads: The heads that are answered once per track, {name: head}.
        frame_heads: The heads that are answered for every frame, {name: head}.
        embedding_sizes: What each model adds to the embedding of a track; 0 where it only has frame-wise heads.
        passed_over: One sentence for each head of a model that is not used because an earlier model has it, too.
        sample_rate: Sample rate of the waveforms in Hz.

    Raises:
        ExportError: The models need different sample rates; the engine is not installed, or cannot run them.
        ConfigError: The coverage is not above 0 and at most 1, the precision or the engine is unknown, or the engine
            does not run on the device.
    """

    def __init__(
        self,
        models: Sequence[Model],
        *,
        device: str | torch.device = "cpu",
        batch_size: int = 16,
        coverage: float = 1.0,
        precision: str = "auto",
        engine: str = "auto",
    ) -> None:
        check_value("coverage", coverage, PositiveShare)
        self.device, self.coverage = torch.device(device), float(coverage)
        self._set = ModelSet(models, device=self.device, batch_size=batch_size, precision=precision, engine=engine)
        self.models, self.heads, self.passed_over = self._set.models, self._set.heads, self._set.passed_over
        self.sample_rate, self.frame_heads = self._set.sample_rate, self._set.frame_heads
        self.embedding_sizes = self._set.embedding_sizes

    @property
    def engines(self) -> list[str]:
        """What runs each model, and in which precision, such as "openvino bf16"."""
        return [f"{engine.name} {engine.precision}" for engine in self._set.engines]

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
        return self._set.predict(chunks)

    def remarks(self, waveform: np.ndarray) -> tuple[Remark, ...]:
        """Return remarks on the audio: it is silent, or shorter than a chunk.

        A silent track is unreliable. So is a track that fills less than half a chunk: the models then see more padding
        than audio. Models that answer frame by frame do not count: padding adds frames, and changes none that is far
        from it.

        Args:
            waveform: (samples,) float32 in [-1, 1] at `sample_rate`.
        """
        remarks = []
        if is_silent(waveform):
            peak = float(np.abs(waveform).max())
            level = f"its peak is {20 * math.log10(peak):.0f} dBFS" if peak else "all samples are 0"
            remarks.append(
                Remark(f"the audio is silent ({level}), so the answers of the models mean nothing", unreliable=True)
            )
        of_tracks = [model for model in self.models if not all(map(is_frame_wise, model.heads))] or self.models
        chunk_s = max(model.network.chunk_samples for model in of_tracks) / self.sample_rate
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
        self,
        sources: Iterable[str | Path],
        *,
        threads: int | None = None,
        is_known: Callable[[Decoded], bool] | None = None,
    ) -> Generator[tuple[str | Path, tuple[Decoded, TrackAnalysis | None] | AudioError], None, None]:
        """Analyse many files, with the answers that `analyze` gives for each of them.

        Several threads decode and analyse different tracks at the same time, each with operations of one thread, which
        keeps all processors busy. Short tracks share forward passes. A few tracks are in memory at a time, with no more
        than `MOST_LOADED_S` of audio by the lengths that their files state, whatever the number of threads.

        Args:
            sources: Audio files.
            threads: Number of threads; None for as many as PyTorch would use, at most 16.
            is_known: Whether the analysis of a decoded file is not needed. Is called in one of the threads.

        Yields:
            Each file, in order, with its audio and its analysis, None if it is known; or with the error if it cannot be
            decoded.
        """
        before = torch.get_num_threads()
        threads = min(before, _MOST_THREADS) if threads is None else threads
        stopped = threading.Event()
        meter = functools.partial(_StoppableMeter, stopped)

        def load(path: str | Path) -> _Measured | Decoded | AudioError:
            try:
                decoded = decode_track(path, sample_rate=self.sample_rate, meter=meter)
                return decoded if is_known is not None and is_known(decoded) else self._measured(decoded)
            except AudioError as error:
                return error

        def work(
            group: Sequence[_Measured | Decoded | AudioError],
        ) -> list[tuple[Decoded, TrackAnalysis | None] | AudioError]:
            analyses = iter(self._analyses([track for track in group if isinstance(track, _Measured)], stopped))
            results: list[tuple[Decoded, TrackAnalysis | None] | AudioError] = []
            for track in group:
                if isinstance(track, _Measured):
                    results.append((track.decoded, next(analyses)))
                else:
                    results.append((track, None) if isinstance(track, Decoded) else track)
            return results

        def is_full(group: Sequence[_Measured | Decoded | AudioError]) -> bool:
            lengths = [len(track.samples) for track in group if isinstance(track, _Measured)]
            heard = sum(heard_s(length / self.sample_rate, self.coverage) for length in lengths)
            return heard >= BATCH_S or len(group) >= _MOST_TRACKS

        work_apart = self.device.type != "cpu"
        queue = TrackQueue(
            load,
            work,
            is_full=is_full,
            size=_stated_s,
            most=MOST_LOADED_S,
            threads=threads,
            work_apart=work_apart,
            stopped=stopped,
        )
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
        waveforms = [torch.as_tensor(track.samples) for track in tracks]
        answers = self._set.answer(waveforms, coverage=self.coverage, stopped=stopped) if tracks else []
        return [
            TrackAnalysis(
                duration_s=len(track.samples) / self.sample_rate,
                probabilities=answer.probabilities,
                tags={
                    name: head.ranked(answer.probabilities[name])
                    for name, head in self.heads.items()
                    if head.role == "tag"
                },
                features={
                    name: head.decode(answer.probabilities[name])
                    for name, head in self.heads.items()
                    if head.role == "feature"
                },
                embedding=answer.embedding,
                variation=answer.variation,
                passages=answer.passages,
                remarks=(*track.decoded.remarks, *self.remarks(track.samples)),
                descriptors=track.descriptors,
                over_time=answer.over_time,
                frames=answer.frames,
                **self._beats(track.samples, answer.frames),
            )
            for track, answer in zip(tracks, answers, strict=True)
        ]

    def _beats(self, samples: np.ndarray, frames: dict[str, np.ndarray]) -> dict[str, Any]:
        """Return the beat grid and the phrases of a track, as fields of its analysis; none of silence."""
        if is_silent(samples):
            return {}
        for name, of_track in frames.items():
            head, frontend = self.frame_heads[name], self._set.answering[name].frontend
            grid = head.grid(of_track)
            if grid is not None:
                levels = levels_of_beats(samples, grid, frontend, device=self.device)
                return {"beat_grid": grid, "phrases": find_phrases(levels, grid)}
        return {}


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


def _stated_s(path: str | Path) -> float:
    """Return the length that an audio file states, in seconds."""
    try:
        return read_header(path).length_s or _UNKNOWN_S
    except AudioError:
        return _UNKNOWN_S


def is_silent(waveform: np.ndarray) -> bool:
    """Return whether a waveform in [-1, 1] has no sample that is louder than -60 dBFS."""
    return float(np.abs(waveform).max()) < _SILENT_PEAK


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


def load(folder: str | Path, *more: str | Path, device: str = "cpu", engine: str = "auto") -> TrackAnalyzer:
    """Load one or several models.

    From then on, this process keeps the memory that it frees for the next track (`musicrec.system.memory`).

    Args:
        folder: An export folder, or the name of a model, such as "tempo" (`musicrec models` lists them).
        more: Further ones. If several have the same head, the first of them answers.
        device: Where to run the models: "cpu", "cuda", "cuda:1" …
        engine: What runs them, as for `TrackAnalyzer`.

    Returns:
        The analyzer, whose `analyze("track.flac")` returns the answers for a file.

    Raises:
        ExportError: A folder cannot be read, a model has not been fetched, the models need different sample rates, or
            the engine is not installed.
    """
    keep_freed_memory()
    return TrackAnalyzer(
        [read_export(catalogue.resolve(path)) for path in (folder, *more)], device=device, engine=engine
    )
