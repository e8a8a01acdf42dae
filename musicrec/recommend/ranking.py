"""A recommendation from beginning to end: conditions, the nearest tracks, and their last order.

1. Conditions leave the tracks that fit: musical filters, and tags (`filters`, `musical_filters`).
2. One product per track finds a shortlist of those that are most similar (`library_index`).
3. The shortlist is compared again by all that is stored about its tracks (`similarity`), and gets its last order:
   passages, several queries, what a user likes, hubs, diversity, a limit per artist (`reranking`).
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from musicrec.config.number_types import Count
from musicrec.config.value_check import check_value
from musicrec.heads import Head
from musicrec.recommend.conditions import Condition
from musicrec.recommend.filters import Step, Tag, tag_key, tag_values
from musicrec.recommend.library import Library, values_of
from musicrec.recommend.library_index import LibraryIndex
from musicrec.recommend.musical_filters import MusicalFilters, TrackFacts
from musicrec.recommend.presets import Preset
from musicrec.recommend.reasons import reason
from musicrec.recommend.reranking.hubs import spread
from musicrec.recommend.reranking.passages import passage_similarity
from musicrec.recommend.reranking.path import path_between, way_points
from musicrec.recommend.reranking.several import Queries, combined_similarity, recency_weights
from musicrec.recommend.reranking.weighting import compared_vectors, with_block
from musicrec.recommend.similarity import Similarity, Statistics
from musicrec.recommend.track import Track, split_embedding
from musicrec.recommend.track_table import TrackTable, closeness

_SHORTLIST = 100  # tracks that are compared again by all that is stored
_PER_RESULT = 10  # but this many for each that is wanted
_LONGER = (1, 5, 50)  # times as many, if limits per artist and the like leave too few of them
_WITHOUT_COSINE = 2_000  # the shortlist is by cosine; other metrics and weights of single models need a longer one
_LEAST_RESULTS = 3  # filters of a preset are dropped if they leave fewer
_DROPPED = (
    ("genre",), ("duration_s",), ("year", "year_within"), ("loudness", "loudness_within"), ("energy", "energy_within"),
    ("key",), ("bpm", "bpm_percent"),
)  # fmt: skip
"""The filters of a preset that are dropped if they leave too few tracks, the first one first."""
_MOST_WAY_POINTS, _NEAR_WAY_POINT = 10, 60  # of a path: where tracks are looked for, and how many there
_PASSAGE_WEIGHT = 3.0  # as much as the sound of whole tracks

ByTaste = Callable[[TrackTable, np.ndarray, np.ndarray], tuple[np.ndarray, Sequence[str]]]
"""Changes the similarities of a shortlist by what a user likes.

It receives the shortlist, the similarities (tracks,), and how the query sounds, (dimensions,) of unit length. It
returns the new similarities, -infinity for a track that must not come, and for each track what changed; "" for
nothing."""


@dataclass(frozen=True, kw_only=True)
class RecommendedTrack:
    """A track that was found.

    Attributes:
        track: The track.
        facts: What is known of it.
        similarity: Its similarity to the query, over all blocks.
        by_block: {block: similarity}, of the blocks that both have. "passage" is how well it follows.
        score: What it is ranked by: the similarity, after hubs, taste and the like.
        shared_tags: The tags that it shares with the query, the most telling first.
        tempo_change: How much faster it is than the query in percent, and the multiple of its tempo for that; None if a
            tempo is unknown.
        why: One sentence.
        taste: What the user's taste changed, in one sentence; "" if nothing.
    """

    track: Track
    facts: TrackFacts
    similarity: float
    by_block: dict[str, float]
    score: float
    shared_tags: list[str]
    tempo_change: tuple[float, float] | None
    why: str
    taste: str = ""


@dataclass(frozen=True, kw_only=True)
class Recommendation:
    """The tracks that go with a query, best first.

    Attributes:
        query: What is known of the query.
        tags: The tags of the query, the most telling first.
        steps: What the tag filter tried; the last step is the one that was used.
        filters: The musical filters that were used.
        condition: What they ask for.
        dropped: Names of filters of the preset that were dropped, as they left too few tracks.
        filtered: Number of tracks that the musical filters left.
        matches: The recommended tracks.
        min_pool: Number of tracks that the tag filter had to leave.
        left_out: Number of tracks that were left out because the models' answers for them are unreliable.
        remarks: What to know about the filters.
    """

    query: TrackFacts
    tags: list[Tag]
    steps: list[Step]
    filters: MusicalFilters
    condition: Condition = field(default_factory=Condition)
    dropped: tuple[str, ...] = ()
    filtered: int = 0
    matches: list[RecommendedTrack] = field(default_factory=list)
    min_pool: int = 1
    left_out: int = 0
    remarks: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is asked for.

    Attributes:
        alike: The tracks to be like, which need not be in the library. Of several, the first gives tempo and key, and
            the tags of none filter: what they differ in would be left out.
        unlike: Tracks to be unlike.
        playlist: Whether `alike` is a playlist that is to be continued, the last track first.
        k: Number of tracks.
        preset: Weights, filters and order. The weights and the metric are in `similarity`.
        soft: Filters of the preset that may be dropped; those that a user gave may not.
        similarity: How tracks are compared.
        min_pool: Number of tracks that the tag filter must leave. None for k, but at most half of the tracks to choose
            from: in a library of hardly more than k tracks, the filter would never leave one out.
        include_unreliable: Whether silent and very short tracks may be recommended.
        taste: What the user's taste changes; None for nothing.
        banned: Ids of recordings that must not come, nor versions of them.
        towards: A track to which a path leads from the first of `alike`: k tracks between the two, in small steps. The
            tags of the query do not filter then.
    """

    alike: Sequence[Track]
    unlike: Sequence[Track] = ()
    playlist: bool = False
    k: int
    preset: Preset
    soft: frozenset[str] = frozenset()
    similarity: Similarity
    min_pool: int | None = None
    include_unreliable: bool = False
    taste: ByTaste | None = None
    banned: Sequence[int] = ()
    towards: Track | None = None


def recommend(library: Library, index: LibraryIndex, request: Request) -> Recommendation:
    """Return the tracks that go with a query.

    Args:
        library: Where all that is stored about a track is read.
        index: Finds the shortlist.
        request: What is asked for.

    Raises:
        ConfigError: A setting is out of range, or names a tag or a genre that the library does not have.
    """
    check_value("k", request.k, Count)
    check_value("min_pool", request.min_pool, Count | None)
    run = _Run(library, index, request)
    musical, dropped = run.musical()
    eligible = run.count(musical)
    min_pool = request.min_pool or max(1, min(request.k, (eligible + 1) // 2))
    tags = run.tags()
    kept, steps = request.preset.tags.pool(
        tags if request.towards is None and len(request.alike) == 1 else [],
        index.tags,
        lambda condition: run.count(musical & condition),
        min_pool=min_pool,
    )
    return Recommendation(
        query=run.facts,
        tags=tags,
        steps=steps,
        filters=run.filters,
        condition=musical,
        dropped=dropped,
        filtered=eligible,
        matches=run.matches(musical & kept, tags) if request.towards is None else run.path(musical & kept, tags),
        min_pool=min_pool,
        left_out=0 if request.include_unreliable else run.count(musical, unreliable=True) - eligible,
        remarks=[*run.filters.remarks(run.facts), *run.filters.unknown_names(index.names)],
    )


class _Run:
    """One recommendation.

    Attributes:
        facts: What is known of the query.
        filters: The musical filters that are in force.
    """

    def __init__(self, library: Library, index: LibraryIndex, request: Request) -> None:
        self._library, self._index, self._request = library, index, request
        self._heads: list[Head] = list(library.heads.values())
        towards = () if request.towards is None else (request.towards,)
        named = (*request.alike, *request.unlike, *towards)
        self._values = [values_of(library, track) for track in named]
        encoded = [index.space.vectors({name: of_one[None] for name, of_one in one.items()}) for one in self._values]
        self._vectors = np.concatenate([vectors for vectors, _ in encoded]).astype(np.float32)
        self._known = np.concatenate([known for _, known in encoded])
        asked = [track.version_of or track.audio_hash for track in named]
        ids = library.ids_of(asked)
        self._asked = {*ids.values(), *request.banned}
        self._asked_tracks = index.table(np.array(sorted(self._asked), dtype=np.int64))
        self._without_versions = self._no_versions(
            request.banned if request.preset.filters.same_recording else self._asked
        )
        own = index.table(np.array([ids[asked[0]]])) if asked[0] in ids else None
        self.facts = self._facts(own)
        self.filters = request.preset.filters

    def _no_versions(self, ids: Collection[int]) -> Condition:
        """Return the condition that leaves out the versions of some recordings."""
        here = self._index.table(np.array(sorted(ids), dtype=np.int64))
        # A recording without a file is not in the index. Its versions have its number if it was there first.
        gone = set(ids) - set(here.ids.tolist())
        return Condition(not_among={"recording": ({*here.columns.recording.tolist()} | gone) - {-1}})

    def _facts(self, own: TrackTable | None) -> TrackFacts:
        """Return the facts of the first track, from the library if it is in there."""
        first = self._request.alike[0]
        recording = frozenset(own.columns.recording.tolist()) - {-1} if own is not None and len(own) else frozenset()
        layout = self._index.layout
        row = layout.rows(
            {name: of_one[None] for name, of_one in self._values[0].items()},
            np.array([first.duration_s], np.float32),
            np.array([False]),
        )[0]
        numbers = {name: float(row[name]) if np.isfinite(row[name]) else None for name in ("bpm", "energy", "loudness")}
        return TrackFacts(
            **numbers,
            key=None if row["key"] < 0 else int(row["key"]),
            year=first.year,
            duration_s=first.duration_s,
            artist=first.artist or "",
            album=first.album or "",
            genre=(*layout.genres, "")[row["genre"]],
            recordings=recording,
        )

    def count(self, condition: Condition, *, unreliable: bool = False) -> int:
        """Return the number of tracks that a condition leaves, without the query."""
        condition &= self._without_versions
        unreliable = unreliable or self._request.include_unreliable
        among = self._asked_tracks
        asked = condition.mask(among.columns, among.tags) & (unreliable | ~among.unreliable)
        return self._index.count(condition, unreliable=unreliable) - int(asked.sum())

    def musical(self) -> tuple[Condition, tuple[str, ...]]:
        """Return the condition of the musical filters, and which of them had to be dropped."""
        condition, dropped = self.filters.condition(self.facts, genres=self._index.genres, names=self._index.names), []
        needed = min(_LEAST_RESULTS, self._request.k)
        for names in _DROPPED:
            soft = [name for name in names if name in self._request.soft and getattr(self.filters, name)]
            if not soft or self.count(condition) >= needed:
                continue
            unset: dict[str, Any] = {name: getattr(MusicalFilters(), name) for name in soft}
            self.filters = replace(self.filters, **unset)
            dropped += soft
            condition = self.filters.condition(self.facts, genres=self._index.genres, names=self._index.names)
        return condition, tuple(dropped)

    def tags(self) -> list[Tag]:
        """Return the tags of the query."""
        heads, of_query = tag_values(self._heads, self._values[0])
        return self._request.preset.tags.tags_of(of_query, heads, self._index.space.usual)

    def matches(self, condition: Condition, tags: Sequence[Tag]) -> list[RecommendedTrack]:
        """Return the tracks in their last order."""
        condition &= self._without_versions
        for times in _LONGER:
            table, whole = self._shortlist(condition, times=times)
            found = self._ranked(table, tags) if len(table) else []
            if len(found) >= self._request.k or whole:
                break
        return found

    def _ranked(self, table: TrackTable, tags: Sequence[Tag]) -> list[RecommendedTrack]:
        """Return the tracks of a shortlist that are recommended, best first."""
        request = self._request
        similarity, by_block, weight = self._compare(table, self._library.values(table.ids.tolist()))
        scores: np.ndarray = similarity
        notes: Sequence[str] = [""] * len(table)
        if request.taste is not None:
            query = closeness(self._index.space, self._vectors[:1])[0]
            scores, notes = request.taste(table, similarity, query)
        chosen, scores = self._order(table, scores, weight)
        return [
            self._found(
                table,
                row,
                track,
                before=self.facts,
                similarity=float(similarity[row]),
                by_block={name: float(of[row]) for name, of in by_block.items() if not np.isnan(of[row])},
                score=float(scores[row]),
                tags=tags,
                taste=notes[row],
            )
            for row, track in zip(chosen.tolist(), self._library.tracks(table.ids[chosen].tolist()), strict=True)
        ]

    def path(self, condition: Condition, tags: Sequence[Tag]) -> list[RecommendedTrack]:
        """Return tracks that lead from the first track to another; each is described beside the one before it."""
        condition &= self._without_versions
        request, space = self._request, self._index.space
        start, end = self._vectors[0], self._vectors[-1]
        weights = self._weights_of(0)
        points = way_points(start, end, count=min(request.k + 2, _MOST_WAY_POINTS))
        ids = [
            self._index.shortlist(
                point, weights, condition, n=_NEAR_WAY_POINT, unreliable=request.include_unreliable
            ).ids
            for point in points
        ]
        together = np.unique(np.concatenate(ids))
        table = self._index.table(together[~np.isin(together, np.array(sorted(self._asked), dtype=np.int64))])
        to_ends = table.vectors.astype(np.float32) @ space.weighted(start + end, weights)
        order = _first_versions(table, np.argsort(-to_ends, kind="stable"))
        table = table.take(self.filters.finally_keep(self.facts, table.columns, order))
        of_dimensions = space.weighted(np.ones(space.size, np.float32), weights)
        of_blocks = np.array([weights.get(name, 0.0) for name in space.blocks])
        known = np.concatenate([self._known[[0, -1]], table.known_blocks(table.rows)])
        vectors = np.concatenate([start[None], end[None], table.vectors.astype(np.float32)])
        compared = compared_vectors(vectors, of_dimensions, known @ of_blocks)
        chosen = path_between(compared[2:], compared[0], compared[1], between=request.k)
        found, before, previous = [], self.facts, 0
        for row, track in zip(chosen.tolist(), self._library.tracks(table.ids[chosen].tolist()), strict=True):
            has = known[row + 2] & known[previous]
            blocks = space.similarities(vectors[previous], vectors[row + 2][None])[0]
            by_block = {
                name: float(blocks[place]) for place, name in enumerate(space.blocks) if of_blocks[place] and has[place]
            }
            similarity = float(compared[previous] @ compared[row + 2])
            found.append(
                self._found(
                    table,
                    row,
                    track,
                    before=before,
                    similarity=similarity,
                    by_block=by_block,
                    score=similarity,
                    tags=tags,
                )
            )
            before, previous = found[-1].facts, row + 2
        return found

    def _found(
        self,
        table: TrackTable,
        row: int,
        track: Track,
        *,
        before: TrackFacts,
        similarity: float,
        by_block: dict[str, float],
        score: float,
        tags: Sequence[Tag],
        taste: str = "",
    ) -> RecommendedTrack:
        """Return a track of a shortlist as it is recommended, described beside another one."""
        facts = TrackFacts.of_row(table.columns, row)
        has = set(table.tags.of_track(row))
        shared = [tag.name for tag in tags if tag_key(tag.head, tag.name) in has]
        bpm, key = table.columns.bpm[row : row + 1], table.columns.key[row : row + 1]
        change = self.filters.tempo_change(before, bpm)
        percent, multiple = float(change.percent[0]), float(change.multiple[0])
        tempo = None if np.isnan(percent) else (percent, multiple)
        shift = 0
        if not self.filters.key_lock and tempo is not None and facts.key is not None:
            moved = int(self.filters.sounding_keys(before, bpm, key)[0])
            shift = (moved - facts.key + 6) % 12 - 6
        return RecommendedTrack(
            track=track,
            facts=facts,
            similarity=similarity,
            by_block=by_block,
            score=score,
            shared_tags=shared,
            tempo_change=tempo,
            why=reason(
                before,
                facts,
                scores=by_block,
                weights=self._request.similarity.weights,
                shared_tags=shared,
                tempo_change=tempo,
                shift_semitones=shift,
                vinyl=not self.filters.key_lock,
            ),
            taste=taste,
        )

    def _shortlist(self, condition: Condition, *, times: int) -> tuple[TrackTable, bool]:
        """Return the tracks that are most similar to any of the queries, without the queries themselves.

        Args:
            condition: What tracks must fulfil.
            times: How many times the usual number of tracks.

        Returns:
            The tracks, and whether they are all that fulfil the condition.
        """
        request = self._request
        n = times * max(_SHORTLIST, _PER_RESULT * request.k) + len(self._asked)
        if request.similarity.metric != "cosine" or not set(request.similarity.weights) <= set(
            self._index.space.blocks
        ):
            n = max(n, _WITHOUT_COSINE)
        found: list[np.ndarray] = []
        whole = True
        for number in range(len(request.alike)):
            table = self._index.shortlist(
                self._vectors[number],
                self._weights_of(number),
                condition,
                n=n,
                unreliable=request.include_unreliable,
            )
            found.append(table.ids)
            whole &= len(table) < n
        together = found[0] if len(found) == 1 else np.unique(np.concatenate(found))
        wanted = together[~np.isin(together, np.array(sorted(self._asked), dtype=np.int64))]
        if len(found) == 1:
            return table.take(np.flatnonzero(np.isin(table.ids, wanted))), whole
        return self._index.table(wanted), whole

    def _weights_of(self, number: int) -> dict[str, float]:
        """Return the weights of the blocks of the space that a query has; of its embeddings if it has no other."""
        known = dict(zip(self._index.space.blocks, self._known[number], strict=True))
        weights: dict[str, float] = {}
        for name, weight in self._request.similarity.weights.items():
            block = name if name in known else name.partition(".")[0]
            if known.get(block):
                weights[block] = weights.get(block, 0.0) + weight
        return weights

    def _compare(
        self, table: TrackTable, values: Mapping[str, np.ndarray]
    ) -> tuple[np.ndarray, dict[str, np.ndarray], np.ndarray]:
        """Return the similarity of a shortlist, (tracks,), that per block to the first query, and the known weight."""
        request, compare = self._request, self._request.similarity
        of_tracks = {name: values[name] for name in compare.weights}
        statistics = self._statistics()
        totals, blocks = zip(*(compare.compare(one, of_tracks, statistics) for one in self._values), strict=True)
        known = {name: ~np.isnan(of_block) for name, of_block in blocks[0].items()}
        weight = np.sum([compare.weights[name] * has for name, has in known.items()], axis=0, initial=0.0)
        similarity, by_block = totals[0], dict(blocks[0])
        if len(totals) > 1:
            similarity = self._combined(totals)
        if request.preset.passage != "whole" and (passage := self._passages(table)) is not None:
            similarity, weight = with_block(similarity, weight, passage, _PASSAGE_WEIGHT)
            by_block["passage"] = passage
        return similarity, by_block, np.broadcast_to(weight, similarity.shape)

    def _combined(self, totals: Sequence[np.ndarray]) -> np.ndarray:
        """Return one similarity to several queries; see `combined_similarity`."""
        request, space = self._request, self._index.space
        alike = len(request.alike)
        spreads = []
        for number in range(len(totals)):
            weights = self._weights_of(number)
            of_dimensions = space.weighted(np.ones(space.size, np.float32), weights)
            whole = np.array([sum(weights.values())])
            vector = self._vectors[number : number + 1]
            spreads.append(spread(vector, of_dimensions, whole, mean=space.mean, second=space.second))

        def queries(start: int, stop: int, weights: np.ndarray | None) -> Queries:
            joined = type(spreads[0])(
                mean=np.concatenate([one.mean for one in spreads[start:stop]]),
                deviation=np.concatenate([one.deviation for one in spreads[start:stop]]),
            )
            return Queries(similarity=np.stack(totals[start:stop], axis=1), spread=joined, weights=weights)

        recent = recency_weights(alike)[::-1] if request.playlist else None
        unlike = queries(alike, len(totals), None) if request.unlike else None
        return combined_similarity(queries(0, alike, recent), unlike)

    def _statistics(self) -> dict[str, Statistics]:
        """Return the statistics of the library, also those of the embeddings of single models."""
        found: dict[str, Statistics] = {}
        for name, of_block in self._index.space.statistics.items():
            found[name] = of_block
            if name == "embedding":
                parts = [split_embedding(one, self._library.exports) for one in of_block]
                found |= {part: (parts[0][part], parts[1][part]) for part in parts[0]}
        return found

    def _passages(self, table: TrackTable) -> np.ndarray | None:
        """Return how well the tracks follow the query, (tracks,), NaN where it is unknown; None if it is for all."""
        of_query, statistics = self._request.alike[0].passages, self._index.space.passages
        of_tracks = self._library.passages(table.ids.tolist())
        if statistics is None or not of_query.shape[1] == of_tracks.shape[2] == len(statistics[0]):
            return None
        return passage_similarity(of_query, of_tracks, mean=statistics[0], deviation=statistics[1])

    def _order(self, table: TrackTable, scores: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows of the tracks that are recommended, best first, and the scores of all."""
        request, space = self._request, self._index.space
        weights = space.weighted(np.ones(space.size, np.float32), self._weights_of(0))
        known = table.known_blocks(table.rows)
        of_blocks = np.array([self._weights_of(0).get(name, 0.0) for name in space.blocks])
        rerank = request.preset.reranking

        def ordered(rows: np.ndarray, k: int, balance: float) -> tuple[np.ndarray, np.ndarray]:
            order, of_rows = replace(rerank, balance=balance).order(
                scores[rows],
                query=self._vectors[0],
                query_weight=float(of_blocks.sum()),
                vectors=table.vectors[rows].astype(np.float32),
                weights=weights,
                known_weight=known[rows] @ of_blocks,
                mean=space.mean,
                second=space.second,
                k=k,
            )
            return rows[order], of_rows

        everything = table.rows
        ranked, corrected = ordered(everything, len(table), 1.0)
        ranked = ranked[np.isfinite(corrected[ranked])]
        ranked = self.filters.finally_keep(self.facts, table.columns, _first_versions(table, ranked))
        if rerank.balance < 1:
            ranked, _ = ordered(ranked, request.k, rerank.balance)
        return ranked[: request.k], corrected


def _first_versions(table: TrackTable, order: np.ndarray) -> np.ndarray:
    """Return ranked rows without the further versions of a recording."""
    versions = table.columns.recording[order]
    seen: set[int] = set()
    kept = np.ones(len(order), dtype=bool)
    for place, version in enumerate(versions.tolist()):
        kept[place] = version < 0 or version not in seen
        seen.add(version)
    return order[kept]
