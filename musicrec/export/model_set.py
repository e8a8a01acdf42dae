"""Several models that answer about the same audio: which one answers which head, in what precision, on what inputs."""

import threading
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from musicrec.config.value_check import check_choice
from musicrec.errors import ExportError
from musicrec.export.chunk_batches import chunk_batches, heard_starts
from musicrec.export.description import Model, no_audio
from musicrec.export.engine_choice import check_engine, choose_engine
from musicrec.export.passages import HeardChunks, Passages, passages_of
from musicrec.export.track_queue import Stopped
from musicrec.heads import Head
from musicrec.heads.frames import FrameWise, by_track, is_frame_wise, join_chunks
from musicrec.models import Network

BATCH_S = 96.0
"""Most seconds of audio in a forward pass on a CPU; more only takes memory."""


class TrackAnswer(NamedTuple):
    """What the models answer about a track.

    Attributes:
        embedding: (size,) float32, the mean over the chunks of the embeddings of the models, side by side; without
            those of models that only have frame-wise heads.
        variation: (size of the models with tags,) float32, their standard deviation over the chunks; NaN for one chunk.
        passages: The passages of the track, by the models with tags.
        probabilities: {head: (classes,) float32}, calibrated.
        frames: {frame-wise head: (classes, frames) float32} of the whole track; NaN where nothing was heard.
        over_time: {head: (middles of the chunks in seconds (chunks,), probabilities (chunks, classes) float32)}, not
            calibrated.
    """

    embedding: np.ndarray
    variation: np.ndarray
    passages: Passages
    probabilities: dict[str, np.ndarray]
    frames: dict[str, np.ndarray]
    over_time: dict[str, tuple[np.ndarray, np.ndarray]]


class ModelSet:
    """Runs one or several models on chunks and on whole tracks.

    If several models have the same head, the first of them answers. Models whose front ends and chunks are equal share
    one spectrogram.

    Args:
        models: The models. All must have the same sample rate.
        device: Where to run them.
        batch_size: Number of chunks per forward pass; fewer on a CPU if chunks are long.
        precision: "float32"; or "auto" for bf16 where the device computes it fast, and for those models whose answers
            it leaves the same (`musicrec.export.precision`).
        engine: "torch", "onnx" or "openvino"; "fastest" for the fastest one that is installed, for those models whose
            answers it leaves the same; or "auto" for what MUSICREC_ENGINE says, or "torch" (`export.engine_choice`).

    Attributes:
        models: The models in their form for inference, on the device.
        heads: The heads that are answered once per track, {name: head}.
        frame_heads: The heads that are answered for every frame, {name: head}.
        answering: The model that answers each head, {name: model}.
        embedding_sizes: What each model adds to the embedding of a track; 0 where it only has frame-wise heads.
        passed_over: One sentence for each head of a model that is not used because an earlier model has it, too.
        sample_rate: Sample rate of the waveforms in Hz.
        engines: What runs each of the models.

    Raises:
        ExportError: The models need different sample rates; the engine is not installed, or cannot run them.
        ConfigError: The precision or the engine is unknown, or the engine does not run on the device.
    """

    def __init__(
        self,
        models: Sequence[Model],
        *,
        device: torch.device,
        batch_size: int = 16,
        precision: str = "auto",
        engine: str = "auto",
    ) -> None:
        check_choice("precision", precision, ("auto", "float32"))
        engine = check_engine(engine, device)
        for model in models:
            if not model.hears_audio:
                raise ExportError(no_audio(model.source))
        rates = {model.sample_rate for model in models}
        if len(rates) != 1:
            raise ExportError(f"the models need different sample rates ({sorted(rates)} Hz); use models of one rate")
        self.sample_rate = rates.pop()
        self.models = [model.for_inference() for model in models]
        self._device, self._batch_size = device, batch_size
        self.heads: dict[str, Head] = {}
        self.frame_heads: dict[str, FrameWise] = {}
        self.passed_over: list[str] = []
        self.answering: dict[str, Model] = {}
        for model in self.models:
            for head in model.heads:
                if is_frame_wise(head):
                    self.frame_heads.setdefault(head.name, head)
                else:
                    self.heads.setdefault(head.name, head)
                if self.answering.setdefault(head.name, model) is not model:
                    self.passed_over.append(
                        f"{head.name}: {self.answering[head.name].source} is used, as it is named first; this head of "
                        f"{model.source} is not used"
                    )
            _prepare(model.network.eval(), device)
            model.frontend.to(device)
        self.engines = [choose_engine(model, device, engine=engine, precision=precision) for model in self.models]
        self._sharing = _with_equal_inputs(self.models)
        self._embeds = [bool(by_track(model.heads)) for model in self.models]
        self.embedding_sizes = [
            model.network.embedding_size if embeds else 0
            for model, embeds in zip(self.models, self._embeds, strict=True)
        ]

    def predict(self, chunks: Tensor) -> dict[str, np.ndarray]:
        """Return the probabilities {head: (chunks, classes) float32} of (chunks, samples), without calibration."""
        probabilities: dict[str, np.ndarray] = {}
        for number, model in enumerate(self.models):
            batches = chunks.split(self._chunks_per_batch(model))
            answers = [self._run(number, model.frontend(batch.to(self._device)))[1] for batch in batches]
            for name in answers[0]:
                probabilities[name] = torch.cat([answer[name] for answer in answers]).numpy()
        return probabilities

    @torch.inference_mode()
    def answer(
        self, waveforms: Sequence[Tensor], *, coverage: float = 1.0, stopped: threading.Event | None = None
    ) -> list[TrackAnswer]:
        """Run all models on whole tracks, with chunks of several tracks in one forward pass.

        Args:
            waveforms: One (samples,) float32 in [-1, 1] per track.
            coverage: Share of the chunks to hear, see `musicrec.export.chunk_batches`.
            stopped: Stop between two batches when this is set.

        Returns:
            One answer per track.

        Raises:
            Stopped: `stopped` was set.
        """
        embeddings: list[list[Tensor]] = [[] for _ in self.models]  # of each model, then of each track
        variations: list[list[Tensor]] = [[] for _ in self.models]
        heard: list[list[HeardChunks]] = [[] for _ in self.models]
        probabilities: list[dict[str, np.ndarray]] = [{} for _ in waveforms]
        frames: list[dict[str, np.ndarray]] = [{} for _ in waveforms]
        over_time: list[dict[str, tuple[np.ndarray, np.ndarray]]] = [{} for _ in waveforms]
        for numbers in self._sharing:
            first = self.models[numbers[0]]
            owners: list[int] = []  # the track of each chunk
            outputs: dict[int, list[tuple[Tensor, dict[str, Tensor]]]] = {number: [] for number in numbers}
            for tracks, spectrogram in chunk_batches(
                first.network,
                first.frontend,
                waveforms,
                batch_size=self._chunks_per_batch(first),
                device=self._device,
                coverage=coverage,
            ):
                owners += tracks
                for number in numbers:
                    if stopped is not None and stopped.is_set():
                        raise Stopped
                    outputs[number].append(self._run(number, spectrogram))
            counts = [owners.count(track) for track in range(len(waveforms))]
            places = [self._places(first, len(waveform), coverage) for waveform in waveforms]
            for number, batches in outputs.items():
                of_tracks = torch.cat([embedding for embedding, _ in batches]).split(counts)
                embeddings[number] = [embedding.mean(dim=0) for embedding in of_tracks]
                variations[number] = [_variation(embedding) for embedding in of_tracks]
                heard[number] = [HeardChunks(one.numpy(), *place) for one, place in zip(of_tracks, places, strict=True)]
                for name in batches[0][1]:
                    values = torch.cat([answer[name] for _, answer in batches]).split(counts)
                    for track, of_chunks in enumerate(values):
                        if name in self.frame_heads:
                            frames[track][name] = join_chunks(
                                of_chunks.numpy(),
                                places[track][0],
                                frame_rate=self.frame_heads[name].frame_rate,
                                duration_s=len(waveforms[track]) / self.sample_rate,
                            )
                            continue
                        probabilities[track][name] = self.heads[name].calibrated(of_chunks.mean(dim=0)).numpy()
                        start_s, length_s = places[track]
                        over_time[track][name] = start_s + length_s / 2, of_chunks.numpy()
        embedding = [of_model for of_model, answers in zip(embeddings, self._embeds, strict=True) if answers]
        taggers = [i for i, model in enumerate(self.models) if any(head.role == "tag" for head in model.heads)]
        return [
            TrackAnswer(
                embedding=torch.cat([torch.zeros(0), *(of_model[track] for of_model in embedding)]).numpy(),
                variation=torch.cat([torch.zeros(0), *(variations[number][track] for number in taggers)]).numpy(),
                passages=passages_of(
                    [heard[number][track] for number in taggers], len(waveforms[track]) / self.sample_rate
                ),
                probabilities={name: answer[name] for name in self.heads},
                frames=frames[track],
                over_time={name: over_time[track][name] for name in self.heads},
            )
            for track, answer in enumerate(probabilities)
        ]

    @torch.inference_mode()
    def _run(self, number: int, spectrogram: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Run a model.

        Args:
            number: Its position in `models`.
            spectrogram: (chunks, 1, n_mels, frames), on the device.

        Returns:
            The embedding (chunks, size) and the probabilities {head: (chunks, classes)} of the heads that this model
            answers, both float32 on the CPU.
        """
        model = self.models[number]
        embedding, logits = self.engines[number](spectrogram)
        answering = {**self.heads, **self.frame_heads}
        heads = [head for head in model.heads if answering[head.name] is head]
        return embedding.float().cpu(), {
            head.name: head.probabilities(logits[head.name].float()).cpu() for head in heads
        }

    def _places(self, model: Model, samples: int, coverage: float) -> tuple[np.ndarray, float]:
        """Return where the chunks of a track begin that a model hears, and how long they are, in seconds."""
        starts = heard_starts(model.network, model.frontend, samples, coverage=coverage)
        patches = hasattr(model.network, "chunk_frames")
        first = starts * model.frontend.hop_length if patches else starts
        return first / self.sample_rate, model.network.chunk_samples / self.sample_rate

    def _chunks_per_batch(self, model: Model) -> int:
        if self._device.type != "cpu":
            return self._batch_size
        return min(self._batch_size, max(1, round(BATCH_S * model.sample_rate / model.network.chunk_samples)))


def _prepare(network: Network, device: torch.device) -> None:
    """Move a network to a device, in the memory layout in which its convolutions are fast."""
    network.to(device)
    if isinstance(network, nn.Module) and getattr(network, "channels_last", True):
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # its stubs lack it


def _variation(embedding: Tensor) -> Tensor:
    """Return the standard deviation over the chunks, (chunks, size) -> (size,); NaN for one chunk, which shows none."""
    return embedding.std(dim=0, correction=0) if len(embedding) > 1 else torch.full_like(embedding[0], torch.nan)


def _with_equal_inputs(models: Sequence[Model]) -> list[list[int]]:
    """Group models that hear the same spectrograms: positions of models whose front ends and chunks are equal."""
    groups: dict[str, list[int]] = {}
    for number, model in enumerate(models):
        chunk = (model.network.chunk_samples, getattr(model.network, "chunk_frames", None))
        inputs = repr((type(model.frontend), sorted(model.frontend.settings.items()), chunk))
        groups.setdefault(inputs, []).append(number)
    return list(groups.values())
