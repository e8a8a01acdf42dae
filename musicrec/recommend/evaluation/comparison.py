"""Compare rankings of a library by all measures, with intervals."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from musicrec.config.number_types import Count, Seed, Share
from musicrec.config.value_check import check_fields
from musicrec.errors import ConfigError
from musicrec.heads import Head
from musicrec.recommend.columns import Columns
from musicrec.recommend.evaluation import accuracy, playlists, variety
from musicrec.recommend.evaluation.estimates import MeasureEstimate, jackknife, means
from musicrec.recommend.evaluation.exact_search import ExactSearch
from musicrec.recommend.evaluation.labels import Labels
from musicrec.recommend.evaluation.measures import MEASURES, Measure
from musicrec.recommend.evaluation.playlists import Continuation, HoldOut
from musicrec.recommend.evaluation.rankers import Query, Ranker, ranked_lists
from musicrec.recommend.evaluation.stability import ChangedQueries
from musicrec.recommend.evaluation.tags_and_features import TagsAndFeatures

if TYPE_CHECKING:
    from musicrec.evaluation.bootstrap import Bootstrap


@dataclass(frozen=True, kw_only=True)
class EvaluationSettings:
    """What is measured.

    Attributes:
        k: Length of the lists.
        label_k: Length of the lists for "of the same label".
        queries: Number of queries, drawn at random; None for every track that can be recommended.
        least_playlist: Playlists of fewer tracks are not continued.
        hidden: Which share of a playlist is hidden.
        seed: Seed of all draws.

    Raises:
        ConfigError: A setting is out of range.
    """

    k: Count = 10
    label_k: Count = 5
    queries: Count | None = None
    least_playlist: Count = 4
    hidden: Share = 0.5
    seed: Seed = 0

    def __post_init__(self) -> None:
        check_fields("evaluate", self)


@dataclass(frozen=True, kw_only=True, eq=False)
class Subject:
    """What rankings are measured on.

    Attributes:
        search: The tracks and their values.
        heads: The heads of the library.
        columns: The facts of the tracks.
        labels: The labels that the rankings do not know.
        playlists: {name: rows of its tracks}.
        changed: Queries whose audio was changed; None measures no stability.
    """

    search: ExactSearch
    heads: Sequence[Head]
    columns: Columns
    labels: Labels
    playlists: Mapping[str, Sequence[int]]
    changed: ChangedQueries | None = None


@dataclass(frozen=True, kw_only=True)
class RankingScore:
    """A measure of a ranking.

    Attributes:
        ranking: Name of the ranking.
        measure: Name of the measure.
        estimate: Its value, with an interval.
        queries: Number of queries, or of playlists, that have a value.
    """

    ranking: str
    measure: str
    estimate: MeasureEstimate
    queries: int


@dataclass(frozen=True, kw_only=True)
class RankingDifference:
    """How much better or worse a ranking is than another one, query by query.

    Attributes:
        ranking: Name of the ranking.
        other: Name of the ranking that it is compared with.
        measure: Name of the measure.
        estimate: The mean of the differences, with an interval.
    """

    ranking: str
    other: str
    measure: str
    estimate: MeasureEstimate


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The measures of several rankings.

    Attributes:
        scores: One per ranking and measure, ranking by ranking.
        differences: Of the rankings that were named, to all others.
        measures: The measures, in order; {name: measure}.
        settings: What was measured.
        about: The library in plain JSON types: tracks, queries and so on.
    """

    scores: list[RankingScore]
    differences: list[RankingDifference]
    measures: dict[str, Measure]
    settings: EvaluationSettings
    about: dict[str, object]

    @property
    def rankings(self) -> list[str]:
        """The names of the rankings, in order."""
        return list(dict.fromkeys(score.ranking for score in self.scores))

    def of(self, ranking: str, measure: str) -> RankingScore | None:
        """Return a measure of a ranking; None if it was not measured."""
        found = (score for score in self.scores if (score.ranking, score.measure) == (ranking, measure))
        return next(found, None)


def candidates(search: ExactSearch) -> np.ndarray:
    """Return (tracks,) bool, which tracks can be recommended: reliable ones, of those with equal audio the first."""
    first = np.zeros(len(search.tracks), dtype=bool)
    first[np.unique([track.audio_hash for track in search.tracks], return_index=True)[1]] = True
    return first & ~np.array([track.unreliable for track in search.tracks], dtype=bool)


def stored_query(search: ExactSearch, row: int) -> Query:
    """Return the query by a track of the library."""
    return Query(row=row, values={name: values[row] for name, values in search.values.items()})


def compare(
    subject: Subject,
    rankers: Mapping[str, Ranker],
    *,
    bootstrap: "Bootstrap",
    settings: EvaluationSettings | None = None,
    continuations: Mapping[str, Continuation] | None = None,
    references: Sequence[str] = (),
    advance: Callable[[], object] = lambda: None,
) -> Comparison:
    """Measure rankings on the same queries.

    Args:
        subject: The library, its labels and what else is needed.
        rankers: {name: ranker}.
        bootstrap: Draws the queries.
        settings: What is measured; None for the usual.
        continuations: {name: how this ranking continues playlists}; the others ask with each track in turn.
        references: Names of rankings whose differences to all others are reported.
        advance: Is called when a ranking has been measured.

    Raises:
        ConfigError: A reference is not among the rankers, or the library is too small.
    """
    settings = settings or EvaluationSettings()
    if unknown := [name for name in references if name not in rankers]:
        raise ConfigError(f"{unknown[0]} is not among the rankings: {', '.join(rankers)}")
    among = candidates(subject.search)
    rows = np.flatnonzero(among)
    longest = max(settings.k, settings.label_k)
    if len(rows) <= longest:
        raise ConfigError(f"k={longest} tracks of {len(rows)}: give a library of more tracks, or a smaller k")
    if settings.queries is not None and settings.queries < len(rows):
        rows = np.sort(np.random.default_rng(settings.seed).choice(rows, settings.queries, replace=False))
    task = _Task(subject, rows, among, settings)
    clusters = _clusters(bootstrap, subject.labels.artist[rows])

    values: dict[str, dict[str, np.ndarray]] = {}
    scores: list[RankingScore] = []
    for name, ranker in rankers.items():
        measured, counts = task.measure(ranker, (continuations or {}).get(name) or playlists.fused(ranker))
        values[name] = measured
        estimates = _estimates(measured, bootstrap, clusters)
        estimates |= {
            name: jackknife(statistic, counts, confidence=bootstrap.confidence, limits=limits)
            for name, (statistic, limits) in _OF_LIBRARY.items()
        }
        for measure, estimate in estimates.items():
            count = int((~np.isnan(measured[measure])).sum()) if measure in measured else len(rows)
            scores.append(RankingScore(ranking=name, measure=measure, estimate=estimate, queries=count))
        advance()
    differences = [
        RankingDifference(ranking=name, other=other, measure=measure, estimate=estimate)
        for name in references
        for other in rankers
        if other != name
        for measure, estimate in _estimates(
            {one: of - values[other][one] for one, of in values[name].items() if one in values[other]},
            bootstrap,
            clusters,
        ).items()
    ]
    found = {score.measure for score in scores}
    return Comparison(
        scores=scores,
        differences=differences,
        measures={measure.name: measure for measure in task.measures() if measure.name in found},
        settings=settings,
        about=task.about(),
    )


_OF_LIBRARY = {  # what is no mean over queries
    "hub_skewness": (variety.hub_skewness, (-np.inf, np.inf)),
    "coverage": (variety.coverage, (0.0, 1.0)),
    "gini": (variety.gini, (0.0, 1.0)),
}


class _Task:
    """Everything that the rankings of one comparison have in common."""

    def __init__(self, subject: Subject, rows: np.ndarray, among: np.ndarray, settings: EvaluationSettings) -> None:
        self.subject, self.rows, self.among, self.settings = subject, rows, among, settings
        self.processes = [stored_query(subject.search, int(row)) for row in rows]
        self.objective = TagsAndFeatures(subject.search, subject.heads, among=among)
        self.held_out: list[HoldOut] = playlists.hold_out(
            subject.playlists, least=settings.least_playlist, share=settings.hidden, seed=settings.seed
        )
        self.apart = subject.labels.artist
        self.filtered = len(np.unique(self.apart[among])) > 1  # of one artist, nothing would be left

    def measure(self, ranker: Ranker, continued: Continuation) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Return the values of each query, {measure: (queries,)}, and the occurrences of the tracks.

        The measures of playlists have a value per playlist, those of changed audio one per changed query.
        """
        labels, rows, k = self.subject.labels, self.rows, self.settings.k
        longest = max(k, self.settings.label_k)
        lists = ranked_lists(ranker, self.processes, among=self.among, k=longest)
        ranked = lists[:, :k]
        found: dict[str, np.ndarray] = {}
        if self.filtered:
            apart = ranked_lists(ranker, self.processes, among=self.among, k=k, apart=self.apart)
            found["genre_precision"] = accuracy.label_precision(apart, rows, labels.genre)
            if labels.tags.shape[1]:
                found["tag_ndcg"] = accuracy.tag_ndcg(apart, rows, labels.tags, among=self.among, apart=self.apart)
        found["same_label"] = accuracy.label_precision(lists[:, : self.settings.label_k], rows, labels.label)
        found["tempo"] = accuracy.tempo_compatible(ranked, rows, labels.bpm)
        found["key"] = accuracy.key_compatible(ranked, rows, labels.key)
        found["tempo_and_key"] = accuracy.mixable(ranked, rows, labels.bpm, labels.key)
        found["energy_error"] = accuracy.energy_error(ranked, rows, labels.energy)
        found |= self.objective.shares(ranked, rows)
        found["length"] = (ranked >= 0).sum(axis=1).astype(np.float64)
        found["diversity"] = variety.intra_list_distance(ranked, self.subject.columns.vectors)
        found["other_artist"] = variety.other_artist(ranked, rows, labels.artist)
        if (changed := self.subject.changed) is not None:
            clean = ranked_lists(ranker, changed.clean, among=self.among, k=k)
            for change, queries in changed.by_change.items():
                after = ranked_lists(ranker, queries, among=self.among, k=k)
                found[f"kept_{change}"] = accuracy.overlap(clean, after)
        if self.held_out:
            by_row = {row: stored_query(self.subject.search, int(row)) for one in self.held_out for row in one.seeds}
            scores = playlists.continuation_scores(continued, self.held_out, by_row, among=self.among, k=k)
            found |= dict(zip(("playlist_recall", "playlist_r_precision", "playlist_ndcg"), scores.T, strict=True))
        kept = {name: values for name, values in found.items() if not np.isnan(values).all()}
        return kept, variety.occurrences(ranked, self.among)

    def measures(self) -> Iterable[Measure]:
        changed = self.subject.changed
        for measure in MEASURES:
            if measure.name == "kept":
                yield from (measure.of_change(change) for change in (changed.by_change if changed else ()))
            else:
                yield measure.at(self.settings.k, label_k=self.settings.label_k, label=self.subject.labels.label_name)

    def about(self) -> dict[str, object]:
        labels = self.subject.labels
        return {
            "tracks": len(self.among),
            "candidates": int(self.among.sum()),
            "queries": len(self.rows),
            "artists": len(set(labels.artist[self.rows]) - {""}),
            "genres": len(set(labels.genre[self.rows]) - {""}),
            "label": labels.label_name,
            "labels": len(set(labels.label[self.rows]) - {""}),
            "tags": labels.tags.shape[1],
            "playlists": len(self.held_out),
            "sources": dict(labels.sources),
            "chance": _chances(self),
        }


def _chances(task: _Task) -> dict[str, float]:
    """Return what lists drawn at random would score, where that follows from the labels."""
    labels = task.subject.labels
    found = {"same_label": accuracy.chance_precision(task.rows, labels.label, among=task.among)}
    if task.filtered:
        found["genre_precision"] = accuracy.chance_precision(
            task.rows, labels.genre, among=task.among, apart=task.apart
        )
    return {name: float(np.nanmean(of)) for name, of in found.items() if not np.isnan(of).all()}


def _clusters(bootstrap: "Bootstrap", artists: np.ndarray) -> np.ndarray | None:
    """Return what is drawn: artists with their queries if the bootstrap draws artists, else single queries."""
    if "track" in bootstrap.units:
        return None
    return bootstrap.clusters([str(artist) or None for artist in artists]).get("artist")


def _estimates(
    values: Mapping[str, np.ndarray], bootstrap: "Bootstrap", clusters: np.ndarray | None
) -> dict[str, MeasureEstimate]:
    """Return the mean of each measure. Those with the same queries are drawn together, playlists one by one."""
    groups: dict[tuple[bool, int], list[str]] = {}
    for name, of in values.items():
        groups.setdefault((name.startswith(_NOT_OF_QUERIES), len(of)), []).append(name)
    found: dict[str, MeasureEstimate] = {}
    for (others, _), names in groups.items():
        together = np.stack([values[name] for name in names], axis=1)
        found |= dict(zip(names, means(together, bootstrap, None if others else clusters), strict=True))
    return {name: found[name] for name in values}


_NOT_OF_QUERIES = ("playlist_", "kept_")  # what has a value for each playlist, or for some of the queries
