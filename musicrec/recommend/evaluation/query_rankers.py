"""Queries as rankings, whole and with a part switched off: what `Recommender.query` does, but for its answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from musicrec.recommend.evaluation.mfcc import BLOCK
from musicrec.recommend.evaluation.playlists import Continuation
from musicrec.recommend.evaluation.rankers import Query, Ranker
from musicrec.recommend.library import Library
from musicrec.recommend.library_index import LibraryIndex
from musicrec.recommend.musical_filters import MusicalFilters, set_filters
from musicrec.recommend.presets import preset_names
from musicrec.recommend.query_settings import QuerySettings, index_with_tags, query_settings
from musicrec.recommend.ranking import recommend
from musicrec.recommend.request import Request
from musicrec.recommend.similarity import is_embedding
from musicrec.recommend.track import Track


@dataclass(kw_only=True)
class QueryRankers:
    """Rankings, and how they continue playlists.

    Attributes:
        rankers: {name: ranker}.
        continuations: {name: continuation} of those that can continue a playlist.
        variants: Names of the rankings in which a part is switched off.
    """

    rankers: dict[str, Ranker] = field(default_factory=dict)
    continuations: dict[str, Continuation] = field(default_factory=dict)
    variants: set[str] = field(default_factory=set)

    def add(self, other: "QueryRankers") -> None:
        """Add other rankings."""
        self.rankers |= other.rankers
        self.continuations |= other.continuations
        self.variants |= other.variants

    def whole(self) -> "QueryRankers":
        """Return the rankings in which no part is switched off."""
        return QueryRankers(
            rankers={name: ranker for name, ranker in self.rankers.items() if name not in self.variants},
            continuations={name: way for name, way in self.continuations.items() if name not in self.variants},
        )


class QueryMaker:
    """Makes rankings of queries with different settings.

    Args:
        library: The library, which must stay open as long as the rankings are used.
        index: What queries search in.
        tracks: The tracks of the library, in the order of the rows.
        include_unreliable: As for `Recommender.query`.
        min_pool: As for `Recommender.query`.
    """

    def __init__(
        self,
        library: Library,
        index: LibraryIndex,
        tracks: Sequence[Track],
        *,
        include_unreliable: bool = False,
        min_pool: int | None = None,
    ) -> None:
        self._library, self._index, self._tracks = library, index, tracks
        self._include_unreliable, self._min_pool = include_unreliable, min_pool
        self._rows = {track.audio_hash: row for row, track in reversed(list(enumerate(tracks)))}
        ids = library.ids_of([track.audio_hash for track in tracks])
        self._ids = np.array([ids[track.audio_hash] for track in tracks], dtype=np.int64)

    def ranker(self, settings: QuerySettings, *, tags_first: bool = True) -> Ranker:
        """Return the ranking of a query.

        Args:
            settings: Its settings.
            tags_first: False leaves out the filter by tags.
        """
        index = index_with_tags(self._library, self._index, settings.preset.tags)

        def rank(query: Query, *, among: np.ndarray, k: int) -> np.ndarray:
            return self._rank([query], settings, index, among=among, k=k, tags_first=tags_first)

        return rank

    def continuation(self, settings: QuerySettings, *, tags_first: bool = True) -> Continuation:
        """Return how a query continues a playlist.

        Args:
            settings: Its settings.
            tags_first: False leaves out the filter by tags.
        """
        index = index_with_tags(self._library, self._index, settings.preset.tags)

        def continued(seeds: Sequence[Query], *, among: np.ndarray, k: int) -> np.ndarray:
            return self._rank(seeds, settings, index, among=among, k=k, tags_first=tags_first)

        return continued

    def _rank(
        self,
        queries: Sequence[Query],
        settings: QuerySettings,
        index: LibraryIndex,
        *,
        among: np.ndarray,
        k: int,
        tags_first: bool,
    ) -> np.ndarray:
        """Return rows, best first. Several queries are a playlist, whose last track leads, as a command does it."""
        request = Request(
            alike=[asked_track(self._tracks[query.row], query, self._library) for query in reversed(queries)],
            playlist=len(queries) > 1,
            k=k,
            preset=settings.preset,
            soft=settings.soft,
            similarity=settings.similarity,
            min_pool=self._min_pool
            if tags_first
            else len(among) + 1,  # nothing leaves so many: the filter asks for none
            include_unreliable=self._include_unreliable,
            banned=np.unique(self._ids[~among]).tolist(),
        )
        found = [self._rows[match.track.audio_hash] for match in recommend(self._library, index, request).matches]
        return np.array([row for row in found if among[row]], dtype=np.int64)

    def with_parts(self, name: str, settings: QuerySettings, *, short: str | None = None) -> QueryRankers:
        """Return a query and the same without each of its parts.

        The parts are the filter by tags ("tags first"), the musical filters ("filters"), the tracks around the query
        ("neighbours"), the correction of hubs ("hubs") and the diverse order ("diversity"), as far as the settings have
        them.

        Args:
            name: Name of the query.
            settings: Its settings.
            short: What the names without a part begin with; None for `name`.
        """
        preset, made, start = settings.preset, QueryRankers(), short or name
        variants: dict[str, tuple[QuerySettings, bool]] = {name: (settings, True)}
        if not preset.tags.required:
            variants[f"{start} without tags first"] = settings, False
        if set_filters(preset.filters):
            bare = replace(preset, filters=MusicalFilters())
            variants[f"{start} without filters"] = replace(settings, preset=bare, soft=frozenset()), True
        if preset.reranking.neighbours:
            bare = replace(preset, reranking=replace(preset.reranking, neighbours=0))
            variants[f"{start} without neighbours"] = replace(settings, preset=bare), True
        if preset.reranking.hubs:
            bare = replace(preset, reranking=replace(preset.reranking, hubs=0.0))
            variants[f"{start} without hubs"] = replace(settings, preset=bare), True
        if preset.reranking.balance < 1:
            bare = replace(preset, reranking=replace(preset.reranking, balance=1.0))
            variants[f"{start} without diversity"] = replace(settings, preset=bare), True
        for variant, (of_variant, tags_first) in variants.items():
            made.rankers[variant] = self.ranker(of_variant, tags_first=tags_first)
            made.continuations[variant] = self.continuation(of_variant, tags_first=tags_first)
        made.variants = set(variants) - {name}
        return made

    def presets(self) -> QueryRankers:
        """Return the presets that ship, as "preset NAME", and each without its parts, as "NAME without PART"."""
        made = QueryRankers()
        for name in preset_names():
            settings = query_settings(self._library, preset=name)
            made.add(self.with_parts(f"preset {name}", settings, short=name))
        return made


def asked_track(track: Track, query: Query, library: Library) -> Track:
    """Return a track of a library with the values of a query, which may be those of changed audio.

    Args:
        track: The track.
        query: The query with it.
        library: The library, whose models the values are of.
    """
    values: Mapping[str, np.ndarray] = query.values
    return replace(
        track,
        probabilities={name: values[name] for name in library.heads},
        embedding=values["embedding"],
        variation=values.get("variation", np.zeros(0, np.float32)),
        descriptors={
            name: float(of[0])
            for name, of in values.items()
            if not (name in library.heads or name == BLOCK or is_embedding(name) or np.isnan(of[0]))
        },
    )
