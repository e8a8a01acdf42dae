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
from musicrec.robustness.answers import Answers, AnswerStore
from musicrec.robustness.conditions import CLEAN, Condition, deformed_ahead, try_out
from musicrec.robustness.excerpts import DeformedBatch, DeformedExcerpts, ReadBatch, cut
from musicrec.robustness.inference import Listener
from musicrec.robustness.subjects import Subject
from musicrec.system.console import error_console
from musicrec.system.hardware import find_device

_SHORTEST_S = 15.0
_ROOM = 1.25  # so much faster an excerpt may be played, and still be as long as what a network hears at once
_MOST_WORKERS = 8


@dataclass(frozen=True, kw_only=True)
class Measured:
    """conditions: the clean audio first. answers: of each subject, one for each condition. fresh: the numbers of the
    conditions that this run measured; the others were kept by an earlier one. excerpt_s: length of the excerpts.
    waiting_s: how long the networks waited for deformed audio, of the wall_s that all took."""

    conditions: list[Condition]
    answers: list[list[Answers]]
    fresh: list[int]
    excerpt_s: float
    waiting_s: float
    wall_s: float


_Seconds = Annotated[float, Ge(0.1), Le(36_000)]


class Measurement:
    """What of the tracks is heard, and how.

    folder: in which the answers to each condition are kept. excerpt_s: how much of each track is heard; None for 15 s,
    or for 1.25 times what a network hears at once where that is more. excerpts: of each track, evenly spread over it.
    chunks: of each excerpt, for each network; None takes as many as cover it. batch_size: excerpts together. workers:
    processes that read, and deform what the CPU deforms, ahead of the networks; None takes one a core, eight at most.
    device: of the networks, and of the deformations that work on it; "auto" is the GPU where there is one.

    Raises ConfigError for values that cannot work.
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

    def check(self, subjects: Sequence[Subject], conditions: Sequence[Condition]) -> None:
        """Tell before anything is decoded what cannot work. Raises ConfigError."""
        self._excerpt_s(subjects)
        for condition in conditions:
            try_out(condition, sample_rate=subjects[0].model.sample_rate)

    def run(
        self,
        subjects: Sequence[Subject],
        conditions: Sequence[Condition],
        store: WaveformStore,
        track_ids: Sequence[str],
        *,
        title: str,
        progress: bool = True,
    ) -> Measured:
        """What every subject says of the tracks, clean and under every condition. title: of the progress bar.

        What an earlier run has kept is not measured again, and what is finished is kept at once.
        """
        begin, conditions = time.perf_counter(), [CLEAN, *conditions]
        excerpt_s = self._excerpt_s(subjects)
        kept = self._kept(store, track_ids, excerpt_s)
        kept.tidy()
        answers = [[kept.read(one.fingerprint, condition.described) for condition in conditions] for one in subjects]
        fresh = [number for number in range(len(conditions)) if any(of[number] is None for of in answers)]
        excerpts = cut(store, track_ids, samples=round(excerpt_s * store.sample_rate), count=self.excerpts)
        dataset = DeformedExcerpts(
            store,
            excerpts,
            conditions,
            batch_size=self.batch_size,
            seed=self.seed,
            ahead=deformed_ahead(conditions, self.device) if self.workers else (),
        )
        for one in subjects:
            one.model.network.to(self.device, memory_format=torch.channels_last).eval()
            one.model.frontend.to(self.device)

        waiting_s, listeners = 0.0, {}
        for waited_s, batch in self._deformed(dataset, fresh, title=title, shown=progress):
            waiting_s += waited_s
            for number, one in enumerate(subjects):
                if answers[number][batch.condition] is not None:
                    continue
                if number not in listeners:
                    listeners[number] = Listener(
                        one.model, tracks=len(track_ids), chunks=self.chunks, device=self.device
                    )
                listeners[number].hear(batch)
                if batch.number == len(dataset.batches) - 1:
                    found = answers[number][batch.condition] = listeners.pop(number).answers()
                    kept.write(one.fingerprint, conditions[batch.condition].described, found)
        return Measured(
            conditions=conditions,
            answers=answers,
            fresh=fresh,
            excerpt_s=excerpt_s,
            waiting_s=waiting_s,
            wall_s=time.perf_counter() - begin,
        )

    def _excerpt_s(self, subjects: Sequence[Subject]) -> float:
        """Raises ConfigError where it is shorter than what a network hears at once."""
        longest = max(subjects, key=lambda one: one.model.network.chunk_samples)
        heard_s = longest.model.network.chunk_samples / longest.model.sample_rate
        if self.excerpt_s is None:
            return max(_SHORTEST_S, _ROOM * heard_s)
        if self.excerpt_s < heard_s:
            raise ConfigError(
                f"measurement.excerpt_s={self.excerpt_s}: {longest.name} hears {heard_s:.1f} s at once; give at least "
                "that, or null"
            )
        return self.excerpt_s

    def _kept(self, store: WaveformStore, track_ids: Sequence[str], excerpt_s: float) -> AnswerStore:
        """What is kept, by all that determines an answer beside the model and the condition."""
        return AnswerStore(self.folder, {
            "tracks": [[track_id, store.checksum(track_id)] for track_id in track_ids],
            "excerpts": [excerpt_s, self.excerpts, self.chunks],
            "seed": self.seed,
            "device": self.device.type,
        })  # fmt: skip

    def _deformed(
        self, dataset: DeformedExcerpts, fresh: Sequence[int], *, title: str, shown: bool
    ) -> Iterator[tuple[float, DeformedBatch]]:
        """Every batch under every condition of `fresh`, in order, and how long it was waited for."""
        batches = len(dataset.batches)
        loader = DataLoader(
            dataset,
            sampler=[(condition, number) for condition in fresh for number in range(batches)],
            batch_size=None,
            num_workers=self.workers if fresh else 0,
        )
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[doing]}"))
        times = (TimeElapsedColumn(), TimeRemainingColumn())
        with Progress(*columns, *times, console=error_console(), disable=not shown or not fresh) as bar:
            task, source = bar.add_task(title, total=len(loader), doing=""), iter(loader)
            while True:
                begin = time.perf_counter()
                batch = next(source, None)
                if batch is None:
                    return
                condition = dataset.conditions[batch.condition]
                place = f"{fresh.index(batch.condition) + 1}/{len(fresh)}"
                bar.update(task, doing=f"{place} {condition.title} {condition.label}".rstrip())
                waited_s = time.perf_counter() - begin
                yield waited_s, dataset.deform(batch, self.device) if isinstance(batch, ReadBatch) else batch
                bar.advance(task)
