"""The recommendation: the two steps together."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from musicrec.errors import ConfigError
from musicrec.recommend.filters import Step, Tag, TagFilter
from musicrec.recommend.library import Library, Match, Track
from musicrec.recommend.similarity import Similarity


@dataclass(frozen=True, kw_only=True)
class Recommendation:
    """tags: of the query, the most telling first. steps: how the filter went. shared: for each match, the names of its
    tags that the query has too, in the order of `tags`."""

    tags: list[Tag]
    steps: list[Step]
    matches: list[Match]
    tracks: list[Track]
    shared: list[list[str]]


def check_counts(**counts: int) -> None:
    """Raises ConfigError that names the first of them that is no whole number above 0."""
    for name, value in counts.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ConfigError(f"{name}={value}: give a whole number, 1 or more")


def recommend(
    library: Library,
    query: Mapping[str, np.ndarray],
    *,
    k: int,
    tag_filter: TagFilter,
    similarity: Similarity,
    path: str | None = None,
    audio_hash: str | None = None,
    least: int | None = None,
) -> Recommendation:
    """The k tracks of the library that share tags with the query and are most similar to it.

    query: {head: (classes,)} probabilities and "embedding". path and audio_hash: the query's own, which is left out of
    the answers, as is every copy of a track but the first. least: the pool that the filter must leave, by default k.
    Raises ConfigError if k is not a positive whole number or the library holds no tracks.
    """
    check_counts(k=k, min_pool=k if least is None else least)
    tracks = library.tracks
    if not tracks:
        raise ConfigError(f"{library.path}: the library holds no tracks; add some with action=index")
    hashes = [track.audio_hash for track in tracks]
    eligible = np.zeros(len(tracks), dtype=bool)
    eligible[np.unique(hashes, return_index=True)[1]] = True
    eligible &= np.array([t.path != path and t.audio_hash != audio_hash for t in tracks])

    heads = [head for head in library.heads.values() if head.role == "tag"]
    usual = {head.name: library.values(head.name).mean(axis=0) for head in heads}
    tags = tag_filter.tags_of(query, heads, usual)
    owned = {head.name: tag_filter.own(head, library.values(head.name)) for head in heads}
    pool, steps = tag_filter.pool(tags, owned, eligible, least=k if least is None else least)
    matches = library.search(query, similarity=similarity, k=k, among=pool)
    return Recommendation(
        tags=tags,
        steps=steps,
        matches=matches,
        tracks=[tracks[match.row] for match in matches],
        shared=[[t.name for t in tags if owned[t.head][match.row, t.index]] for match in matches],
    )
