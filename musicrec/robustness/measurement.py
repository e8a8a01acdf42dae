"""Runs several networks over the same deformed audio: each excerpt is read and deformed once for all of them."""

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
from annotated_types import Ge, Le
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch.utils.data import DataLoader

from musicrec.config.number_types import Count, Natural
from musicrec.config.value_check import check_value
from musicrec.data.store import WaveformStore
from musicrec.errors import ConfigError
from musicrec.robustness.answer_cache import AnswerCache, Answers
from musicrec.robustness.conditions import CLEAN, AudioCondition, check_condition, conditions_for_workers
from musicrec.robustness.excerpts import DeformedBatch, DeformedExcerpts, Excerpts, ReadBatch, cut_excerpts
from musicrec.robustness.inference import TrackInference
from musicrec.robustness.models_under_test import ModelUnderTest
from musicrec.system.console import error_console
from musicrec.system.hardware import find_device

_DEFAULT_EXCERPT_S = 15.0
_CHUNKS_PER_EXCERPT = 1.25  # an excerpt played 1.25 times as fast is then still as long as a chunk
_MOST_WORKERS = 8


@dataclass(frozen=True, kw_only=True)
class MeasuredAnswers:
    """Answers of all models under all conditions.

    Attributes:
        conditions: The clean audio first.
        answers: The answers of each model, one per condition.
        newly_measured: Indices of the conditions that this run measured; the others were in the cache.
        excerpt_s: Length of an excerpt, in seconds.
        excerpts: What was heard of the tracks.
        waiting_s: How long the networks waited for deformed audio, in seconds.
        wall_s: How long everything took, in seconds.
    """

    conditions: list[AudioCondition]
    answers: list[list[Answers]]
    newly_measured: list[int]
    excerpt_s: float
    excerpts: Excerpts
    waiting_s: float
    wall_s: float


_Seconds = Annotated[float, Ge(0.1), Le(36_000)]


class Measurement:
    """Measures the answers of models under conditions, or reads them from a cache.

    Args:
        folder: Cache of the answers.
        excerpt_s: Length of an excerpt in seconds; None for 15 s, or 1.25 times the longest chunk if that is more.
        excerpts: Per track, evenly spread over it.
        chunks: Per excerpt, for each network; None takes as many as cover it.
        batch_size: Excerpts per batch.
        workers: Processes that read and deform audio in advance; None takes one per core, at most eight.
        device: The device of the networks, and of the deformations that can run on it; "auto" is a GPU if there is one.
        seed: The seed of the random parts of deformations.

    Raises:
        ConfigError: A setting is out of range.
    """

    def __init__(
        self,
        *,
        folder: str | Path,
        excerpt_s: _Seconds | None = None,
        excerpts: Count = 1,
        chunks: Count | None = None,
        batch_size: Count = 16,
        workers: Natural | None = None,
        device: str = "auto",
        seed: int = 0,
    ) -> None:
        check_value("measurement.excerpt_s", excerpt_s, _Seconds | None, expected="seconds, 0.1 or more, or null")
        check_value("measurement.excerpts", excerpts, Count)
        check_value("measurement.chunks", chunks, Count | None)
        check_value("measurement.batch_size", batch_size, Count)
        check_value("measurement.workers", workers, Natural | None)
        self.folder, self.excerpt_s, self.excerpts, self.chunks = Path(folder), excerpt_s, excerpts, chunks
        self.batch_size, self.seed = batch_size, seed
        self.workers = min(_MOST_WORKERS, len(os.sched_getaffinity(0))) if workers is None else workers
        self.device = find_device(device, key="measurement.device")

    def check(self, models: Sequence[ModelUnderTest], conditions: Sequence[AudioCondition]) -> None:
        """Check models and conditions before any audio is decoded.

        Args:
            models: To be tested.
            conditions: Without the clean audio.

        Raises:
            ConfigError: The excerpts are shorter than a chunk of a model.
            MusicrecError: A deformation does not work.
        """
        self._excerpt_s(models)
        for condition in conditions:
            check_condition(condition, sample_rate=models[0].model.sample_rate)

    def run(
        self,
        models: Sequence[ModelUnderTest],
        conditions: Sequence[AudioCondition],
        store: WaveformStore,
        track_ids: Sequence[str],
        *,
        title: str,
        progress: bool = True,
    ) -> MeasuredAnswers:
        """Return the answers of all models to the clean audio and under every condition.

        Answers in the cache are not measured again. New answers are written there as soon as a condition is finished.

        Args:
            models: To be tested.
            conditions: Without the clean audio.
            store: Holds the tracks.
            track_ids: The IDs of the tracks.
            title: The title of the progress bar.
            progress: Whether to show a progress bar.

        Raises:
            ConfigError: The excerpts are shorter than a chunk of a model.
            MusicrecError: The cache cannot be written.
        """
        begin, conditions = time.perf_counter(), [CLEAN, *conditions]
        excerpt_s = self._excerpt_s(models)
        cache = self._open_cache(store, track_ids, excerpt_s)
        answers = [
            [
                cache.read(tested.fingerprint, condition.description, heads=[head.name for head in tested.model.heads])
                for condition in conditions
            ]
            for tested in models
        ]
        missing = [index for index in range(len(conditions)) if any(of_model[index] is None for of_model in answers)]
        excerpts = cut_excerpts(store, track_ids, samples=round(excerpt_s * store.sample_rate), count=self.excerpts)
        dataset = DeformedExcerpts(
            store,
            excerpts,
            conditions,
            batch_size=self.batch_size,
            seed=self.seed,
            in_workers=conditions_for_workers(conditions, self.device) if self.workers else (),
        )
        for tested in models:
            tested.model.network.to(self.device, memory_format=torch.channels_last).eval()
            tested.model.frontend.to(self.device)

        waiting_s = 0.0
        inferences: dict[int, TrackInference] = {}  # by model, for the condition at work
        for waited_s, batch in self._deformed_batches(dataset, missing, title=title, progress=progress):
            waiting_s += waited_s
            for index, tested in enumerate(models):
                if answers[index][batch.condition] is not None:
                    continue
                if index not in inferences:
                    inferences[index] = TrackInference(
                        tested.model,
                        tracks=len(track_ids),
                        longest_s=dataset.longest_s(batch.condition),
                        chunks=self.chunks,
                        device=self.device,
                    )
                inferences[index].update(batch)
                if batch.number == len(dataset.batches) - 1:
                    finished = answers[index][batch.condition] = inferences.pop(index).compute()
                    cache.write(tested.fingerprint, conditions[batch.condition].description, finished)
        return MeasuredAnswers(
            conditions=conditions,
            answers=answers,
            newly_measured=missing,
            excerpt_s=excerpt_s,
            excerpts=excerpts,
            waiting_s=waiting_s,
            wall_s=time.perf_counter() - begin,
        )

    def _excerpt_s(self, models: Sequence[ModelUnderTest]) -> float:
        """Return the length of an excerpt in seconds.

        Raises:
            ConfigError: The setting is shorter than a chunk of a model.
        """
        longest = max(models, key=lambda tested: tested.model.network.chunk_samples)
        chunk_s = longest.model.network.chunk_samples / longest.model.sample_rate
        if self.excerpt_s is None:
            return max(_DEFAULT_EXCERPT_S, _CHUNKS_PER_EXCERPT * chunk_s)
        if self.excerpt_s < chunk_s:
            raise ConfigError(
                f"measurement.excerpt_s={self.excerpt_s}: chunks of {longest.name} are {chunk_s:.1f} s long; give at "
                "least that, or null"
            )
        return self.excerpt_s

    def _open_cache(self, store: WaveformStore, track_ids: Sequence[str], excerpt_s: float) -> AnswerCache:
        cache = AnswerCache(
            self.folder,
            {
                "tracks": [[track_id, store.checksum(track_id)] for track_id in track_ids],
                "excerpts": [excerpt_s, self.excerpts, self.chunks],
                "seed": self.seed,
                "device": self.device.type,
            },
        )
        cache.remove_leftovers()
        return cache

    def _deformed_batches(
        self, dataset: DeformedExcerpts, missing: Sequence[int], *, title: str, progress: bool
    ) -> Iterator[tuple[float, DeformedBatch]]:
        """Yield every batch under every missing condition, in order, and how many seconds the caller waited for it."""
        loader = DataLoader(
            dataset,
            sampler=[(condition, number) for condition in missing for number in range(len(dataset.batches))],
            batch_size=None,
            num_workers=self.workers if missing else 0,
        )
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[condition]}"))
        times = (TimeElapsedColumn(), TimeRemainingColumn())
        with Progress(*columns, *times, console=error_console(), disable=not progress or not missing) as bar:
            task, batches = bar.add_task(title, total=len(loader), condition=""), iter(loader)
            while True:
                begin = time.perf_counter()
                batch = next(batches, None)
                if batch is None:
                    return
                condition = dataset.conditions[batch.condition]
                place = f"{missing.index(batch.condition) + 1}/{len(missing)}"
                bar.update(task, condition=f"{place} {condition.title} {condition.label}".rstrip())
                waited_s = time.perf_counter() - begin
                yield waited_s, dataset.deform(batch, self.device) if isinstance(batch, ReadBatch) else batch
                bar.advance(task)
