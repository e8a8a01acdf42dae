"""How much of a list of recommendations stays when its query is deformed."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import torch
from rich.progress import track as with_progress

from musicrec.config.number_types import Count
from musicrec.config.value_check import check_value
from musicrec.heads import Head
from musicrec.heads.frames import by_track
from musicrec.heads.metrics import Scores, weighted_mean
from musicrec.recommend.evaluation.comparison import candidates
from musicrec.recommend.evaluation.exact_search import ExactSearch
from musicrec.recommend.evaluation.rankers import Query, two_step_ranker
from musicrec.recommend.exports import check_same
from musicrec.recommend.filters import TagFilter
from musicrec.recommend.similarity import Similarity
from musicrec.recommend.sqlite_library import SqliteLibrary
from musicrec.recommend.track import Track
from musicrec.robustness.answer_cache import Answers
from musicrec.robustness.conditions import AudioCondition
from musicrec.robustness.measurement import MeasuredAnswers
from musicrec.robustness.models_under_test import ModelUnderTest
from musicrec.robustness.resampling import IntervalEstimate, ResampledScores
from musicrec.system.console import error_console

_NAMES = ("path", "audio_hash")


@dataclass(frozen=True, kw_only=True)
class ConditionOverlap:
    """How much of the lists stays under one condition.

    Attributes:
        condition: What was done to the audio of the queries.
        kept: The share of the clean query's list that is also in the deformed query's, the mean over the queries.
        first: The share of queries whose first track stays the first.
    """

    condition: AudioCondition
    kept: IntervalEstimate
    first: IntervalEstimate


@dataclass(frozen=True, kw_only=True)
class RecommendationOverlap:
    """How much of the lists stays under all conditions.

    Attributes:
        by_condition: One entry per condition, without the clean audio.
        k: Length of a list.
        queries: Number of queries.
        library: Where the recommended tracks come from, in words.
        candidates: Number of tracks that may be in the list of a query.
    """

    by_condition: list[ConditionOverlap]
    k: int
    queries: int
    library: str
    candidates: int

    @property
    def by_chance(self) -> float:
        """The share of a list that stays if the other list is drawn at random."""
        return min(1.0, self.k / self.candidates)


@dataclass(frozen=True, kw_only=True)
class _Library:
    """What the lists are made from.

    Attributes:
        search: Holds the tracks.
        heads: The heads that answered for the tracks.
        model_order: Indices of the models, in the order of the library's exports.
        audio_hashes: {path: checksum of the audio} of every file; copies of a track are one track of the search.
    """

    search: ExactSearch
    heads: list[Head]
    model_order: list[int]
    audio_hashes: dict[str, str]


class OverlapMeasurement:
    """Asks for recommendations with every track as the query, clean and deformed, and compares the lists.

    A query is never recommended to itself.

    Args:
        k: Length of a list.
        tag_filter: Selects tracks by their tags, as recommend.py does.
        similarity: Makes the similarity from the heads of the library.
        library: File of recommend.py that was made with the models under test; None takes the clean tracks of the
            split.

    Raises:
        ConfigError: `k` is below 1.
    """

    def __init__(
        self,
        *,
        k: int,
        tag_filter: TagFilter,
        similarity: Callable[[Sequence[Head]], Similarity],
        library: str | Path | None = None,
    ) -> None:
        check_value("recommender.k", k, Count)
        self.k, self.tag_filter, self.similarity = k, tag_filter, similarity
        self.library = None if library is None else Path(library).expanduser()

    def check(self, models: Sequence[ModelUnderTest]) -> None:
        """Check the library and the similarity before anything is measured.

        Args:
            models: To be tested.

        Raises:
            LibraryError: The file is not a library.
            ExportError: Other models made the library.
            ConfigError: The similarity does not suit the heads of the models.
        """
        if self.library is not None:
            with SqliteLibrary.open(self.library) as library:
                check_same(library.exports, [tested.name for tested in models], library=self.library)
        self.similarity(_all_heads(models))

    def run(
        self,
        models: Sequence[ModelUnderTest],
        measured: MeasuredAnswers,
        frame: pl.DataFrame,
        *,
        resampled: ResampledScores,
        progress: bool = True,
    ) -> RecommendationOverlap:
        """Compare the lists of the clean queries with those of the deformed ones.

        Args:
            models: Under test.
            measured: Their answers.
            frame: Rows of the manifest, one per track, in the order of the answers.
            resampled: Computes the shares and their intervals.
            progress: Whether to show a progress bar.
        """
        library, queries = self._open_library(models, measured, frame), frame["path"].to_list()
        similarity = self.similarity(library.heads)

        def lists(condition: int) -> list[list[int]]:
            ordered = [(models[index], measured.answers[index][condition]) for index in library.model_order]
            return self._lists(library, similarity, _track_values(ordered), queries)

        clean_lists, found = lists(0), []
        conditions = range(1, len(measured.conditions))
        for index in with_progress(
            conditions, "recommending", console=error_console(), transient=True, disable=not progress
        ):
            points = _overlaps(clean_lists, lists(index))
            values = resampled.values(_weighted_means(points), len(queries))
            shares = {name: resampled.estimate(of_tracks) for name, of_tracks in values.items()}
            found.append(ConditionOverlap(condition=measured.conditions[index], **shares))
        in_library = queries[0] in library.audio_hashes  # the first query stands for all: a library has a whole split
        return RecommendationOverlap(
            by_condition=found,
            k=self.k,
            queries=len(queries),
            library="this split" if self.library is None else str(self.library),
            candidates=max(1, sum(not track.unreliable for track in library.search.tracks) - in_library),
        )

    def _lists(
        self, library: _Library, similarity: Similarity, values: dict[str, np.ndarray], queries: Sequence[str]
    ) -> list[list[int]]:
        """Return the list of each query, as rows of the library.

        Args:
            library: To recommend from.
            similarity: Compares the answers of the heads of the library.
            values: The values of the queries, see `_track_values`.
            queries: Paths.
        """
        search = library.search
        rank = two_step_ranker(search, similarity, heads=library.heads, tag_filter=self.tag_filter)
        paths, hashes = (np.array([getattr(track, name) for track in search.tracks], dtype=object) for name in _NAMES)
        others = candidates(search)
        lists = []
        for number, path in enumerate(queries):
            own = (paths == path) | (hashes == library.audio_hashes.get(path))
            query = Query(row=-1, values={name: rows[number] for name, rows in values.items()})
            lists.append(rank(query, among=others & ~own, k=self.k).tolist())
        return lists

    def _open_library(
        self, models: Sequence[ModelUnderTest], measured: MeasuredAnswers, frame: pl.DataFrame
    ) -> _Library:
        """Read the library file, or make a library of the clean tracks."""
        if self.library is None:
            return _library_of_split(models, measured, frame)
        with SqliteLibrary.open(self.library) as library:
            refs = check_same(library.exports, [tested.name for tested in models], library=self.library)
            order = [[tested.fingerprint for tested in models].index(ref.sha256) for ref in refs]
            return _Library(
                search=ExactSearch(*library.read()),
                heads=list(library.heads.values()),
                model_order=order,
                audio_hashes={file.path: file.audio_hash for file in library.files()},
            )


def _library_of_split(models: Sequence[ModelUnderTest], measured: MeasuredAnswers, frame: pl.DataFrame) -> _Library:
    """Make a library in memory from the answers to the clean tracks."""
    heads = _all_heads(models)
    by_path = sorted(range(len(frame)), key=lambda row: frame["path"][row].encode())  # the order of a library file
    clean = [of_model[0] for of_model in measured.answers]
    values = {
        name: rows[by_path].astype(np.float32)
        for name, rows in _track_values(list(zip(models, clean, strict=True))).items()
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
    return _Library(
        search=ExactSearch(tracks, values),
        heads=heads,
        model_order=list(range(len(models))),
        audio_hashes={track.path: track.audio_hash for track in tracks},
    )


def _all_heads(models: Sequence[ModelUnderTest]) -> list[Head]:
    """Return the heads of all models that answer once per track; of two with one name the first.

    So does `TrackAnalyzer`: what a head answers for every frame is not compared.
    """
    heads: dict[str, Head] = {}
    for tested in models:
        for head in by_track(tested.model.heads):
            heads.setdefault(head.name, head)
    return list(heads.values())


def _track_values(answers: Sequence[tuple[ModelUnderTest, Answers]]) -> dict[str, np.ndarray]:
    """Return what a library holds of tracks, from the answers of each model.

    Returns:
        {head: (tracks, classes) calibrated probabilities}, and "embedding": (tracks, size), those of all models with a
        head that answers once per track.
    """
    values: dict[str, np.ndarray] = {}
    embeddings = []
    for tested, of_model in answers:
        heads = by_track(tested.model.heads)
        embeddings += [of_model.embedding] if heads else []
        for head in heads:
            if head.name not in values:
                values[head.name] = head.calibrated(of_model.probabilities[head.name]).numpy()
    return values | {"embedding": torch.cat(embeddings, dim=1).numpy()}


def _overlaps(clean: Sequence[Sequence[int]], deformed: Sequence[Sequence[int]]) -> dict[str, torch.Tensor]:
    """Return the (queries,) shares that stay: "kept" of a list, and "first". NaN for an empty clean list."""
    pairs = list(zip(clean, deformed, strict=True))
    return {
        "kept": torch.tensor([len({*one} & {*other}) / len(one) if one else math.nan for one, other in pairs]),
        "first": torch.tensor([float(one[:1] == other[:1]) if one else math.nan for one, other in pairs]),
    }


def _weighted_means(points: dict[str, torch.Tensor]) -> Callable[[torch.Tensor], Scores]:
    """Return a function from weights (resamples, tracks) to the weighted means of the points of the tracks."""
    return lambda weights: Scores(overall={name: weighted_mean(of, weights) for name, of in points.items()})
