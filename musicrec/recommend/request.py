"""What is asked of a library, and what is recommended: plain data."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from musicrec.recommend.conditions import Condition
from musicrec.recommend.filters import Tag, TagStep
from musicrec.recommend.musical_filters import MusicalFilters
from musicrec.recommend.presets import Preset
from musicrec.recommend.reranking.passages import PassageMatch
from musicrec.recommend.similarity import Similarity
from musicrec.recommend.track import Track
from musicrec.recommend.track_facts import TrackFacts
from musicrec.recommend.track_table import TrackTable

ByTaste = Callable[[TrackTable, np.ndarray, np.ndarray], tuple[np.ndarray, Sequence[str]]]
"""Changes the similarities of a shortlist by what a user likes.

It receives the shortlist, the similarities (tracks,), and how the query sounds, (dimensions,) of unit length. It
returns the new similarities, -infinity for a track that must not come, and for each track what changed; "" for
nothing."""


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
        at_s: Where in its file the first track begins, in seconds, if it is a part of it.
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
    at_s: float | None = None


@dataclass(frozen=True, kw_only=True)
class RecommendedTrack:
    """A track that was found.

    Attributes:
        track: The track.
        facts: What is known of it.
        similarity: Its similarity to the query, over all blocks.
        by_block: {block: similarity}, of the blocks that both have. "passage" is how well their passages fit.
        score: What it is ranked by: the similarity, after hubs, taste and the like.
        shared_tags: The tags that it shares with the query, the most telling first.
        tempo_change: How much faster it is than the query in percent, and the multiple of its tempo for that; None if a
            tempo is unknown.
        why: One sentence.
        passage: The passages that fit, if passages were compared and both have some.
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
    passage: PassageMatch | None = None
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
    steps: list[TagStep]
    filters: MusicalFilters
    condition: Condition = field(default_factory=Condition)
    dropped: tuple[str, ...] = ()
    filtered: int = 0
    matches: list[RecommendedTrack] = field(default_factory=list)
    min_pool: int = 1
    left_out: int = 0
    remarks: Sequence[str] = ()
