"""A recommendation from beginning to end: conditions, the nearest tracks, and their last order.

1. Conditions leave the tracks that fit: musical filters, and tags (`filters`, `musical_filters`).
2. One product per track finds a shortlist of those that are most similar (`library_index`).
3. The shortlist is compared again by all that is stored about its tracks (`similarity`), and gets its last order:
   passages, several queries, the tracks around the query, what a user likes, hubs, diversity, a limit per artist
   (`reranking`).

A path between two tracks has its own order (`path_ranking`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from musicrec.config.number_types import Count
from musicrec.config.value_check import check_value
from musicrec.recommend.conditions import Condition
from musicrec.recommend.library import Library
from musicrec.recommend.library_index import LibraryIndex
from musicrec.recommend.path_ranking import path_tracks
from musicrec.recommend.read_request import ReadRequest
from musicrec.recommend.request import Recommendation, RecommendedTrack, Request
from musicrec.recommend.reranking.expansion import expanded_query
from musicrec.recommend.reranking.hubs import spread
from musicrec.recommend.reranking.passages import PassageMatch, match_passages
from musicrec.recommend.reranking.several import Queries, combined_similarity, recency_weights
from musicrec.recommend.reranking.weighting import compared_vectors, with_block
from musicrec.recommend.similarity import is_embedding
from musicrec.recommend.track_table import TrackTable, closeness

_SHORTLIST = 100  # tracks that are compared again by all that is stored
_PER_RESULT = 10  # but this many for each that is wanted
_LONGER = (1, 5, 50)  # times as many, if limits per artist and the like leave too few of them
_WITHOUT_COSINE = 2_000  # the shortlist is by cosine; other metrics and weights of single models need a longer one
_AROUND = 100  # tracks around a query, among which its neighbours are looked for
_PASSAGE_WEIGHT = 3.0  # as much as the sound of whole tracks
_WITH_PASSAGES = 300  # the shortlist is by whole tracks; passages that fit need a longer one


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
    asked = ReadRequest(library, index, request)
    eligible = asked.count(asked.condition)
    min_pool = request.min_pool or max(1, min(request.k, (eligible + 1) // 2))
    kept, steps = request.preset.tags.pool(
        asked.tags if request.towards is None and len(request.alike) == 1 else [],
        index.tags,
        lambda condition: asked.count(asked.condition & condition),
        min_pool=min_pool,
    )
    condition = asked.condition & kept & asked.without_versions
    return Recommendation(
        query=asked.facts,
        tags=asked.tags,
        steps=steps,
        filters=asked.filters,
        condition=asked.condition,
        dropped=asked.dropped,
        filtered=eligible,
        matches=_Ranking(asked).matches(condition) if request.towards is None else path_tracks(asked, condition),
        min_pool=min_pool,
        left_out=0 if request.include_unreliable else asked.count(asked.condition, unreliable=True) - eligible,
        remarks=[*asked.filters.remarks(asked.facts), *asked.filters.unknown_names(index.names)],
    )


@dataclass(frozen=True, kw_only=True)
class _Comparison:
    """Tracks that were compared with the query by all that is stored about them.

    Attributes:
        ids: (tracks,) their ids.
        similarity: (tracks,) over all blocks.
        by_block: {block: (tracks,)} to the first query; NaN where a track has no value.
        passages: {id: the passages that fit}, of the tracks for which they are known.
    """

    ids: np.ndarray
    similarity: np.ndarray
    by_block: dict[str, np.ndarray]
    passages: dict[int, PassageMatch]

    def of(self, ids: np.ndarray) -> "_Comparison":
        """Return some of the tracks, in the order of their ids."""
        order = np.argsort(self.ids)
        rows = order[np.searchsorted(self.ids, ids, sorter=order)]
        by_block = {name: of_block[rows] for name, of_block in self.by_block.items()}
        return _Comparison(ids=ids, similarity=self.similarity[rows], by_block=by_block, passages=self.passages)

    def with_more(self, other: "_Comparison") -> "_Comparison":
        """Return these tracks and those of another comparison."""
        here, there = (np.full(len(one.ids), np.nan) for one in (self, other))
        return _Comparison(
            ids=np.concatenate([self.ids, other.ids]),
            similarity=np.concatenate([self.similarity, other.similarity]),
            by_block={
                name: np.concatenate([self.by_block.get(name, here), other.by_block.get(name, there)])
                for name in self.by_block | other.by_block
            },
            passages=self.passages | other.passages,
        )


class _Ranking:
    """The tracks of a library in their last order."""

    def __init__(self, asked: ReadRequest) -> None:
        self._asked, self._request = asked, asked.request
        self._library, self._index, self._space = asked.library, asked.index, asked.index.space
        self._weights = [self._space.weighted(np.ones(self._space.size, np.float32), one) for one in asked.weights]

    def matches(self, condition: Condition) -> list[RecommendedTrack]:
        """Return the tracks that are recommended, best first. The shortlist gets longer until it has enough of them."""
        found: list[RecommendedTrack] = []
        compared: _Comparison | None = None
        for times in _LONGER:
            table, whole = self._shortlist(condition, times=times)
            if len(table):
                compared = self._compared(table, compared)
                found = self._ranked(table, compared)
            if len(found) >= self._request.k or whole:
                break
        return found

    def _compared(self, table: TrackTable, before: _Comparison | None) -> _Comparison:
        """Return the comparison of a shortlist; tracks that were in the one before are not compared again."""
        if before is None:
            return self._compare(table.ids)
        new = table.ids[~np.isin(table.ids, before.ids)]
        return (before.with_more(self._compare(new)) if len(new) else before).of(table.ids)

    def _ranked(self, table: TrackTable, compared: _Comparison) -> list[RecommendedTrack]:
        """Return the tracks of a shortlist that are recommended, best first."""
        request, similarity = self._request, compared.similarity
        scores: np.ndarray = similarity + self._by_neighbours(table)
        notes: Sequence[str] = [""] * len(table)
        if request.taste is not None:
            query = closeness(self._space, self._asked.vectors[:1])[0]
            scores, notes = request.taste(table, scores, query)
        chosen, scores = self._order(table, scores)
        return [
            self._asked.recommended(
                track,
                table,
                row,
                before=self._asked.facts,
                similarity=float(similarity[row]),
                by_block={name: float(of[row]) for name, of in compared.by_block.items() if not np.isnan(of[row])},
                score=float(scores[row]),
                passage=compared.passages.get(int(table.ids[row])),
                taste=notes[row],
            )
            for row, track in zip(chosen.tolist(), self._library.tracks(table.ids[chosen].tolist()), strict=True)
        ]

    def _by_neighbours(self, table: TrackTable) -> np.ndarray:
        """Return by how much the tracks around the query change the similarities of a shortlist, (tracks,)."""
        if self._change is None:
            return np.zeros(len(table))
        return np.asarray(self._compared_vectors(table) @ self._change, dtype=np.float64)

    @cached_property
    def _change(self) -> np.ndarray | None:
        """What the tracks around the query change in its vector, (size,); None for nothing.

        They are the nearest by all blocks, and change the sound alone: the tempo and the key of the query are its own.
        The conditions do not hold for them, as they need not be recommended. Several queries are expanded by each
        other; and metrics other than the cosine are no products of vectors.
        """
        request, asked = self._request, self._asked
        neighbours = request.preset.reranking.neighbours
        sound = self._space.weighted(
            np.ones(self._space.size, np.float32),
            {name: 1.0 for name, weight in asked.weights[0].items() if weight and is_embedding(name)},
        )
        if not neighbours or len(request.alike) > 1 or request.similarity.metric != "cosine" or not sound.any():
            return None
        around = self._index.shortlist(
            asked.vectors[0], asked.weights[0], asked.without_versions, n=_AROUND + len(asked.named)
        )
        around = around.take(np.flatnonzero(~np.isin(around.ids, asked.named)))
        own = compared_vectors(asked.vectors[:1], self._weights[0], np.array([sum(asked.weights[0].values())]))
        vectors = np.concatenate([own, self._compared_vectors(around)])
        return sound * (expanded_query(vectors, neighbours=neighbours) - own[0])

    def _compared_vectors(self, table: TrackTable) -> np.ndarray:
        """Return vectors whose products are similarities by the weights of the query; see `compared_vectors`."""
        of_blocks = np.array([self._asked.weights[0].get(name, 0.0) for name in self._space.blocks])
        known = table.known_blocks(table.rows) @ of_blocks
        return compared_vectors(table.vectors.astype(np.float32), self._weights[0], known)

    def _shortlist(self, condition: Condition, *, times: int) -> tuple[TrackTable, bool]:
        """Return the tracks that are most similar to any of the queries, without the queries themselves.

        Args:
            condition: What tracks must fulfil.
            times: How many times the usual number of tracks.

        Returns:
            The tracks, and whether they are all that fulfil the condition.
        """
        request, asked = self._request, self._asked
        n = times * max(_SHORTLIST, _PER_RESULT * request.k) + len(asked.excluded)
        if request.similarity.metric != "cosine" or not set(request.similarity.weights) <= set(self._space.blocks):
            n = max(n, _WITHOUT_COSINE)
        if request.preset.passage != "whole":
            n = max(n, _WITH_PASSAGES)
        tables = [
            self._index.shortlist(vector, weights, condition, n=n, unreliable=request.include_unreliable)
            for vector, weights in zip(asked.vectors[: len(request.alike)], asked.weights, strict=False)
        ]
        whole = all(len(table) < n for table in tables)
        if len(tables) == 1:
            (table,) = tables
            return table.take(np.flatnonzero(~np.isin(table.ids, asked.excluded))), whole
        return self._index.table(np.setdiff1d(np.concatenate([table.ids for table in tables]), asked.excluded)), whole

    def _compare(self, ids: np.ndarray) -> _Comparison:
        """Return how tracks compare with the query by all that is stored about them."""
        request, compare = self._request, self._request.similarity
        values = self._library.values(ids.tolist())
        of_tracks = {name: values[name] for name in compare.weights}
        statistics = self._asked.statistics
        totals, blocks = zip(*(compare.compare(one, of_tracks, statistics) for one in self._asked.values), strict=True)
        similarity = totals[0] if len(totals) == 1 else self._combined(totals)
        by_block = dict(blocks[0])
        passages = self._passages(ids) if request.preset.passage != "whole" else {}
        if passages:
            of_passages = np.array([passages[one].similarity if one in passages else np.nan for one in ids.tolist()])
            known = {name: ~np.isnan(of_block) for name, of_block in by_block.items()}
            weight = np.sum([compare.weights[name] * has for name, has in known.items()], axis=0, initial=0.0)
            similarity, _ = with_block(similarity, np.broadcast_to(weight, len(ids)), of_passages, _PASSAGE_WEIGHT)
            by_block["passage"] = of_passages
        return _Comparison(ids=ids, similarity=similarity, by_block=by_block, passages=passages)

    def _combined(self, totals: Sequence[np.ndarray]) -> np.ndarray:
        """Return one similarity to several queries; see `combined_similarity`."""
        request, space = self._request, self._space
        alike = len(request.alike)
        spreads = [
            spread(vector[None], of_dimensions, np.array([sum(weights.values())]), mean=space.mean, second=space.second)
            for vector, of_dimensions, weights in zip(
                self._asked.vectors, self._weights, self._asked.weights, strict=True
            )
        ]

        def queries(start: int, stop: int, weights: np.ndarray | None) -> Queries:
            joined = type(spreads[0])(
                mean=np.concatenate([one.mean for one in spreads[start:stop]]),
                deviation=np.concatenate([one.deviation for one in spreads[start:stop]]),
            )
            return Queries(similarity=np.stack(totals[start:stop], axis=1), spread=joined, weights=weights)

        recent = recency_weights(alike)[::-1] if request.playlist else None
        unlike = queries(alike, len(totals), None) if request.unlike else None
        return combined_similarity(queries(0, alike, recent), unlike)

    def _passages(self, ids: np.ndarray) -> dict[int, PassageMatch]:
        """Return {id: the passages that fit} of the tracks for which they are known."""
        statistics = self._space.passages
        if statistics is None:
            return {}
        found = match_passages(
            self._asked.passages,
            self._library.passages(ids.tolist()),
            mode=self._request.preset.passage,
            statistics=statistics,
        )
        return {number: match for number, match in zip(ids.tolist(), found, strict=True) if match is not None}

    def _order(self, table: TrackTable, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows of the tracks that are recommended, best first, and the scores of all."""
        request, space = self._request, self._space
        known = table.known_blocks(table.rows)
        of_blocks = np.array([self._asked.weights[0].get(name, 0.0) for name in space.blocks])
        rerank = request.preset.reranking

        def ordered(rows: np.ndarray, k: int, balance: float) -> tuple[np.ndarray, np.ndarray]:
            order, of_rows = replace(rerank, balance=balance).order(
                scores[rows],
                query=self._asked.vectors[0],
                query_weight=float(of_blocks.sum()),
                vectors=table.vectors[rows].astype(np.float32),
                weights=self._weights[0],
                known_weight=known[rows] @ of_blocks,
                mean=space.mean,
                second=space.second,
                k=k,
            )
            return rows[order], of_rows

        ranked, corrected = ordered(table.rows, len(table), 1.0)
        ranked = ranked[np.isfinite(corrected[ranked])]
        ranked = self._asked.filters.finally_keep(
            self._asked.facts, table.columns, table.columns.first_versions(ranked)
        )
        if rerank.balance < 1:
            ranked, _ = ordered(ranked, request.k, rerank.balance)
        return ranked[: request.k], corrected
