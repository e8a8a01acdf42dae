"""A request, with what a library knows of the tracks that it names."""

from collections.abc import Collection
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from musicrec.export.passages import Passages
from musicrec.heads import Head
from musicrec.recommend.conditions import Condition
from musicrec.recommend.filters import Tag, tag_key, tag_values
from musicrec.recommend.library import Library, values_of
from musicrec.recommend.library_index import LibraryIndex
from musicrec.recommend.musical_filters import MusicalFilters
from musicrec.recommend.reasons import reason
from musicrec.recommend.request import RecommendedTrack, Request
from musicrec.recommend.reranking.passages import PassageMatch
from musicrec.recommend.similarity import Statistics
from musicrec.recommend.stored_passages import projected
from musicrec.recommend.track import Track, split_embedding
from musicrec.recommend.track_facts import TrackFacts
from musicrec.recommend.track_table import TrackTable

_LEAST_RESULTS = 3  # filters of a preset are dropped if they leave fewer
_DROPPED = (
    ("genre",), ("duration_s",), ("year", "year_within"), ("loudness", "loudness_within"), ("energy", "energy_within"),
    ("key",), ("bpm", "bpm_percent"),
)  # fmt: skip
"""The filters of a preset that are dropped if they leave too few tracks, the first one first."""


class ReadRequest:
    """A request, with what a library knows of the tracks that it names.

    The tracks are those to be like, then those to be unlike, then the end of a path.

    Args:
        library: Where all that is stored about a track is read.
        index: What is searched in.
        request: What is asked for.

    Attributes:
        library: The library.
        index: What is searched in.
        request: What is asked for.
        values: For each track {block: (size,)}, what the models and descriptors say.
        vectors: (tracks, size) float32, how the tracks sound in the space of the index, without weights.
        known: (tracks, blocks) bool, which blocks of the space they have.
        weights: For each track {block of the space: weight}, of the blocks that it has.
        named: (recordings,) int64, ids of the tracks, as far as they are in the library.
        excluded: (recordings,) int64, these and what is banned.
        facts: What is known of the first track.
        filters: The musical filters that are in force.
        condition: What they ask for.
        dropped: Names of filters of the preset that are not in force, as they left too few tracks.
        without_versions: The condition that leaves out the versions of what is excluded.
        tags: The tags of the first track, the most telling first.
    """

    def __init__(self, library: Library, index: LibraryIndex, request: Request) -> None:
        self.library, self.index, self.request = library, index, request
        towards = () if request.towards is None else (request.towards,)
        named = (*request.alike, *request.unlike, *towards)
        self.values = [values_of(library, track) for track in named]
        encoded = [index.space.vectors({name: of_one[None] for name, of_one in one.items()}) for one in self.values]
        self.vectors = np.concatenate([vectors for vectors, _ in encoded]).astype(np.float32)
        self.known = np.concatenate([known for _, known in encoded])
        self.weights = [self._weights_of(known) for known in self.known]
        asked = [track.version_of or track.audio_hash for track in named]
        ids = library.ids_of(asked)
        self.named = np.array(sorted({*ids.values()}), dtype=np.int64)
        excluded = {*ids.values(), *request.banned}
        self.excluded = np.array(sorted(excluded), dtype=np.int64)
        self._excluded_tracks = index.table(self.excluded)
        self.without_versions = self._no_versions(request.banned if request.preset.filters.same_recording else excluded)
        own = index.table(np.array([ids[asked[0]]])) if asked[0] in ids else None
        self.facts = self._facts(own)
        self.filters, self.condition, self.dropped = self._filters_in_force()
        heads: list[Head] = list(library.heads.values())
        heads, of_query = tag_values(heads, self.values[0])
        self.tags: list[Tag] = request.preset.tags.tags_of(of_query, heads, index.space.usual)

    def _weights_of(self, known: np.ndarray) -> dict[str, float]:
        """Return the weights of the blocks that a track has; those of single models count for all embeddings."""
        has = dict(zip(self.index.space.blocks, known, strict=True))
        weights: dict[str, float] = {}
        for name, weight in self.request.similarity.weights.items():
            block = name if name in has else name.partition(".")[0]
            if has.get(block):
                weights[block] = weights.get(block, 0.0) + weight
        return weights

    def _no_versions(self, ids: Collection[int]) -> Condition:
        """Return the condition that leaves out the versions of some recordings."""
        here = self.index.table(np.array(sorted(ids), dtype=np.int64))
        # A recording without a file is not in the index. Its versions have its number if it was there first.
        gone = set(ids) - set(here.ids.tolist())
        return Condition(not_among={"recording": ({*here.columns.recording.tolist()} | gone) - {-1}})

    def _facts(self, own: TrackTable | None) -> TrackFacts:
        """Return the facts of the first track, from the library if it is in there."""
        first = self.request.alike[0]
        recording = frozenset(own.columns.recording.tolist()) - {-1} if own is not None and len(own) else frozenset()
        layout = self.index.layout
        row = layout.rows(
            {name: of_one[None] for name, of_one in self.values[0].items()},
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

    def _filters_in_force(self) -> tuple[MusicalFilters, Condition, tuple[str, ...]]:
        """Return the musical filters without those that had to be dropped, what they ask for, and what was dropped."""
        filters = self.request.preset.filters
        dropped: list[str] = []
        genres, names = self.index.genres, self.index.names
        condition = filters.condition(self.facts, genres=genres, names=names)
        needed = min(_LEAST_RESULTS, self.request.k)
        for group in _DROPPED:
            soft = [name for name in group if name in self.request.soft and getattr(filters, name)]
            if not soft or self.count(condition) >= needed:
                continue
            unset: dict[str, Any] = {name: getattr(MusicalFilters(), name) for name in soft}
            filters = replace(filters, **unset)
            dropped += soft
            condition = filters.condition(self.facts, genres=genres, names=names)
        return filters, condition, tuple(dropped)

    def count(self, condition: Condition, *, unreliable: bool = False) -> int:
        """Return the number of tracks that a condition leaves, without what is excluded.

        Args:
            condition: The condition.
            unreliable: Whether silent and very short tracks count even if they are not asked for.
        """
        condition &= self.without_versions
        unreliable = unreliable or self.request.include_unreliable
        among = self._excluded_tracks
        excluded = condition.mask(among.columns, among.tags) & (unreliable | ~among.unreliable)
        return self.index.count(condition, unreliable=unreliable) - int(excluded.sum())

    @cached_property
    def statistics(self) -> dict[str, Statistics]:
        """The statistics of the library's blocks, also those of the embeddings of single models."""
        found: dict[str, Statistics] = {}
        for name, of_block in self.index.space.statistics.items():
            found[name] = of_block
            if name == "embedding":
                parts = [split_embedding(one, self.library.exports) for one in of_block]
                found |= {part: (parts[0][part], parts[1][part]) for part in parts[0]}
        return found

    @cached_property
    def passages(self) -> Passages:
        """The passages of the first track, as `stored_passages` compares them; none if they are unknown."""
        first = self.request.alike[0]
        if first.passages is not None:
            return projected(first.passages)
        ids = self.library.ids_of([first.audio_hash])
        return self.library.passages([ids[first.audio_hash]])[0] if ids else Passages.none()

    def recommended(
        self,
        track: Track,
        table: TrackTable,
        row: int,
        *,
        before: TrackFacts,
        similarity: float,
        by_block: dict[str, float],
        score: float,
        passage: PassageMatch | None = None,
        taste: str = "",
    ) -> RecommendedTrack:
        """Return a track as it is recommended, described beside another one.

        Args:
            track: The track.
            table: The shortlist that it is from.
            row: Its row in there.
            before: The track that it is described beside.
            similarity: As in `RecommendedTrack`; so are the others.
            by_block: {block: similarity}.
            score: What it is ranked by.
            passage: The passages that fit.
            taste: What the user's taste changed.
        """
        facts = TrackFacts.of_row(table.columns, row)
        has = set(table.tags.of_track(row))
        shared = [tag.name for tag in self.tags if tag_key(tag.head, tag.name) in has]
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
                weights=self.request.similarity.weights,
                shared_tags=shared,
                tempo_change=tempo,
                shift_semitones=shift,
                vinyl=not self.filters.key_lock,
                passage=passage,
            ),
            passage=passage,
            taste=taste,
        )
