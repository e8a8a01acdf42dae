"""The two steps of a recommendation: filter the tracks by tags, then rank the rest by similarity."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from musicrec.config.number_types import Count
from musicrec.config.value_check import check_value
from musicrec.errors import ConfigError
from musicrec.heads import Head
from musicrec.recommend.exact_search import ExactSearch, Match
from musicrec.recommend.filters import Step, Tag, TagFilter, tag_values
from musicrec.recommend.similarity import Similarity
from musicrec.recommend.track import Track


@dataclass(frozen=True, kw_only=True)
class Recommendation:
    """The tracks that go with a query, best first.

    Attributes:
        tags: The tags of the query, the most characteristic first.
        steps: What the filter tried; the last step is the one that was used.
        matches: The recommended tracks: where they are and how similar they are.
        tracks: The recommended tracks themselves.
        shared: Per recommended track the names of the tags that it shares with the query, in the order of `tags`.
        min_pool: Number of tracks that the filter had to leave.
        left_out: Number of tracks that were left out because the models' answers for them are unreliable.
    """

    tags: list[Tag]
    steps: list[Step]
    matches: list[Match]
    tracks: list[Track]
    shared: list[list[str]]
    min_pool: int
    left_out: int = 0


def recommend(
    search: ExactSearch,
    query: Mapping[str, np.ndarray],
    *,
    heads: Sequence[Head],
    k: int,
    tag_filter: TagFilter,
    similarity: Similarity,
    path: str | None = None,
    audio_hash: str | None = None,
    min_pool: int | None = None,
    include_unreliable: bool = False,
) -> Recommendation:
    """Return the k tracks that share tags with the query and are most similar to it.

    Args:
        search: The tracks to choose from.
        query: {head: (classes,) probabilities} and "embedding".
        heads: The heads of the tracks and of the query.
        k: Number of tracks to recommend.
        tag_filter: The first step.
        similarity: The second step.
        path: Path of the query, which is not recommended to itself.
        audio_hash: Audio hash of the query. Its copies are not recommended either, and of other tracks with equal
            audio only the first is.
        min_pool: Number of tracks that the filter must leave. By default k, but at most half of the tracks to choose
            from: in a library of hardly more than k tracks, the filter would never leave one out.
        include_unreliable: Recommend tracks even if they are silent or very short.

    Raises:
        ConfigError: K or min_pool is not a positive whole number, or there are no tracks.
    """
    check_value("k", k, Count)
    if min_pool is not None:
        check_value("min_pool", min_pool, Count)
    tracks = search.tracks
    if not tracks:
        raise ConfigError("the library holds no tracks; add some with `musicrec index FOLDER`")
    eligible = np.zeros(len(tracks), dtype=bool)
    eligible[np.unique([track.audio_hash for track in tracks], return_index=True)[1]] = True
    eligible &= np.array([track.path != path and track.audio_hash != audio_hash for track in tracks])
    unreliable = np.array([track.unreliable and not include_unreliable for track in tracks])
    left_out = int((eligible & unreliable).sum())
    eligible &= ~unreliable
    if min_pool is None:
        min_pool = max(1, min(k, (int(eligible.sum()) + 1) // 2))

    tag_heads, stored = tag_values(heads, search.values)
    usual = {name: values.mean(axis=0) for name, values in stored.items()}
    tags = tag_filter.tags_of(tag_values(heads, query)[1], tag_heads, usual)
    has_tag = {head.name: tag_filter.has_tag(head, stored[head.name]) for head in tag_heads}
    pool, steps = tag_filter.pool(tags, has_tag, eligible, min_pool=min_pool)
    matches = search.search(query, similarity=similarity, k=k, among=pool)
    return Recommendation(
        tags=tags,
        steps=steps,
        matches=matches,
        tracks=[tracks[match.row] for match in matches],
        shared=[[tag.name for tag in tags if has_tag[tag.head][match.row, tag.index]] for match in matches],
        min_pool=min_pool,
        left_out=left_out,
    )
