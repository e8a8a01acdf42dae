"""How much of a recommendation stays when its query is deformed."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import torch
from rich.progress import track as shown

from musicrec.config.number_types import Count
from musicrec.config.value_check import check_value
from musicrec.heads import Head
from musicrec.heads.metrics import Scores, weighted_mean
from musicrec.recommend.exact_search import ExactSearch
from musicrec.recommend.exports import check_same
from musicrec.recommend.filters import TagFilter
from musicrec.recommend.ranking import recommend
from musicrec.recommend.similarity import Similarity
from musicrec.recommend.sqlite_library import SqliteLibrary
from musicrec.recommend.track import Track
from musicrec.robustness.answers import Answers
from musicrec.robustness.conditions import Condition
from musicrec.robustness.effects import Drawing, Number
from musicrec.robustness.measurement import Measured
from musicrec.robustness.subjects import Subject
from musicrec.system.console import error_console


@dataclass(frozen=True, kw_only=True)
class Overlap:
    """kept: the share of the clean query's list that is in the deformed query's too, the mean over the queries.
    first: how often the track on top stays on top."""

    condition: Condition
    kept: Number
    first: Number


@dataclass(frozen=True, kw_only=True)
class Overlaps:
    """of: under every condition. k: length of the lists. queries: how many. library: where the lists come from, in
    words. tracks: how many a list may choose from. by_chance: what is kept when a list is dealt out at random."""

    of: list[Overlap]
    k: int
    queries: int
    library: str
    tracks: int

    @property
    def by_chance(self) -> float:
        return min(1.0, self.k / self.tracks)


class Recommending:
    """Asks recommend.py's question with every track as the query, clean and deformed.

    k: length of the lists. similarity: makes one, given the heads. library: a file of recommend.py that was made with
    the models under test; None makes one of what they say of the clean tracks. A query is not recommended to itself.
    """

    def __init__(
        self,
        *,
        k: int,
        tag_filter: TagFilter,
        similarity: Callable[[Sequence[Head]], Similarity],
        library: str | Path | None = None,
    ) -> None:
        check_value("k", k, Count)
        self.k, self.tag_filter, self.similarity = k, tag_filter, similarity
        self.library = None if library is None else Path(library).expanduser()

    def check(self, subjects: Sequence[Subject]) -> None:
        """Tell before anything is measured what cannot work.

        Raises LibraryError or ExportError for a library that is none, or that other models made, ConfigError for
        settings of the similarity.
        """
        if self.library is not None:
            with SqliteLibrary.open(self.library) as library:
                check_same(library.exports, [one.name for one in subjects], library=self.library)
        self.similarity(_heads(subjects))

    def run(
        self,
        subjects: Sequence[Subject],
        measured: Measured,
        frame: pl.DataFrame,
        *,
        drawing: Drawing,
        progress: bool = True,
    ) -> Overlaps:
        """frame: the rows of the manifest of the tracks, in the order of the answers."""
        search, heads, order = self._search(subjects, measured, frame)
        similarity = self.similarity(heads)
        own_hash = {track.path: track.audio_hash for track in search.tracks}

        def lists(condition: int) -> list[list[int]]:
            values = _values([subjects[number] for number in order], [measured.answers[n][condition] for n in order])
            return [
                [
                    match.row
                    for match in recommend(
                        search,
                        {name: rows[number] for name, rows in values.items()},
                        heads=heads,
                        k=self.k,
                        tag_filter=self.tag_filter,
                        similarity=similarity,
                        path=path,
                        audio_hash=own_hash.get(path),
                    ).matches
                ]
                for number, path in enumerate(frame["path"])
            ]

        clean, found = lists(0), []
        rest = range(1, len(measured.conditions))
        bar = shown(rest, "recommending", console=error_console(), transient=True, disable=not progress)
        for number in bar:
            pairs = list(zip(clean, lists(number), strict=True))
            kept = torch.tensor([len({*one} & {*other}) / len(one) if one else math.nan for one, other in pairs])
            first = torch.tensor([float(one[:1] == other[:1]) if one else math.nan for one, other in pairs])
            values = drawing.values(_means({"kept": kept, "first": first}), len(pairs))
            numbers = {name: drawing.number(of) for name, of in values.items()}
            found.append(Overlap(condition=measured.conditions[number], **numbers))
        others = len(search.tracks) - sum(path in own_hash for path in frame["path"][:1])
        where = "the same tracks" if self.library is None else str(self.library)
        return Overlaps(of=found, k=self.k, queries=len(frame), library=where, tracks=max(1, others))

    def _search(
        self, subjects: Sequence[Subject], measured: Measured, frame: pl.DataFrame
    ) -> tuple[ExactSearch, list[Head], list[int]]:
        """Return the tracks that the lists come from, their heads, and the numbers of the subjects in the order of the
        library's exports."""
        if self.library is not None:
            with SqliteLibrary.open(self.library) as library:
                refs = check_same(library.exports, [one.name for one in subjects], library=self.library)
                order = [[one.fingerprint for one in subjects].index(ref.sha256) for ref in refs]
                return ExactSearch(*library.read()), list(library.heads.values()), order
        heads = _heads(subjects)
        by_path = sorted(range(len(frame)), key=lambda number: frame["path"][number].encode())  # as in a library
        values = {
            name: rows[by_path].astype(np.float32)
            for name, rows in _values(subjects, [of[0] for of in measured.answers]).items()
        }
        tracks = [
            Track(
                path=path,
                track_id=track_id,
                source="",
                size=0,
                mtime_ns=0,
                audio_hash=path,
                duration_s=0.0,
                probabilities={head.name: values[head.name][row] for head in heads},
                embedding=values["embedding"][row],
            )
            for row, (path, track_id) in enumerate(frame.select("path", "track_id")[by_path].rows())
        ]
        return ExactSearch(tracks, values), heads, list(range(len(subjects)))


def _heads(subjects: Sequence[Subject]) -> list[Head]:
    """As TrackAnalyzer has them: what two models tell is taken from the first."""
    found: dict[str, Head] = {}
    for one in subjects:
        for head in one.model.heads:
            found.setdefault(head.name, head)
    return list(found.values())


def _values(subjects: Sequence[Subject], answers: Sequence[Answers]) -> dict[str, np.ndarray]:
    """{head: (tracks, classes)} calibrated probabilities, and the "embedding" of all models."""
    found: dict[str, np.ndarray] = {}
    for one, of_one in zip(subjects, answers, strict=True):
        for head in one.model.heads:
            if head.name not in found:
                found[head.name] = head.calibrated(of_one.probabilities[head.name]).numpy()
    return found | {"embedding": torch.cat([of_one.embedding for of_one in answers], dim=1).numpy()}


def _means(points: dict[str, torch.Tensor]) -> Callable[[torch.Tensor], Scores]:
    """The weighted means over tracks."""
    return lambda weights: Scores(overall={name: weighted_mean(of, weights) for name, of in points.items()})
