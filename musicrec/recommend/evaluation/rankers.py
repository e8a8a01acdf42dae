"""Ways to rank the tracks of a library for a query: the rankings that are compared, as plain callables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from musicrec.heads import Head
from musicrec.recommend.evaluation.exact_search import ExactSearch
from musicrec.recommend.filters import TagFilter, tag_values
from musicrec.recommend.similarity import Similarity


@dataclass(frozen=True, kw_only=True)
class Query:
    """What is asked with.

    Attributes:
        row: The row of its track in the library.
        values: {block: (size,)} what the models say of it: as stored, or of a changed copy of its audio.
    """

    row: int
    values: Mapping[str, np.ndarray]


class Ranker(Protocol):
    """A way to rank."""

    def __call__(self, query: Query, *, among: np.ndarray, k: int) -> np.ndarray:
        """Return the rows of at most k tracks, best first.

        Args:
            query: What is asked with.
            among: (tracks,) bool, the tracks to choose from. The query is not among them.
            k: Number of tracks.
        """


def random_ranker(seed: int = 0) -> Ranker:
    """Return a ranker that draws tracks at random. The same query always gets the same tracks."""

    def rank(query: Query, *, among: np.ndarray, k: int) -> np.ndarray:
        return np.random.default_rng((seed, query.row)).permutation(np.flatnonzero(among))[:k]

    return rank


def same_class_ranker(classes: Sequence[str], seed: int = 0) -> Ranker:
    """Return a ranker that draws tracks of the query's class, such as its genre, and then others.

    Args:
        classes: The class of every track, "" if unknown.
        seed: Seed of the draws.
    """
    names = np.asarray(classes, dtype=object)

    def rank(query: Query, *, among: np.ndarray, k: int) -> np.ndarray:
        drawn = np.random.default_rng((seed, query.row)).permutation(np.flatnonzero(among))
        same = (names[drawn] == names[query.row]) & (names[query.row] != "")
        return drawn[np.argsort(~same, kind="stable")][:k]

    return rank


def similarity_ranker(search: ExactSearch, similarity: Similarity) -> Ranker:
    """Return a ranker by similarity alone: the second step of a recommendation without the first.

    Args:
        search: The tracks.
        similarity: How to compare them; with a single weight, the ranker is that of one block.
    """

    def rank(query: Query, *, among: np.ndarray, k: int) -> np.ndarray:
        found = search.search(query.values, similarity=similarity, k=k, among=among)
        return np.array([match.row for match in found], dtype=np.int64)

    return rank


def two_step_ranker(
    search: ExactSearch, similarity: Similarity, *, heads: Sequence[Head], tag_filter: TagFilter | None = None
) -> Ranker:
    """Return a ranker in two plain steps: tracks that share the query's top tags, then similarity.

    Args:
        search: The tracks.
        similarity: The second step.
        heads: The heads of the library.
        tag_filter: The first step; None for the usual one.
    """
    chosen = tag_filter or TagFilter()
    tag_heads, stored = tag_values(heads, search.values)
    usual = {name: values.mean(axis=0) for name, values in stored.items()}
    has_tag = {head.name: chosen.has_tag(head, stored[head.name]) for head in tag_heads}
    by_similarity = similarity_ranker(search, similarity)

    def rank(query: Query, *, among: np.ndarray, k: int) -> np.ndarray:
        tags = chosen.tags_of(tag_values(heads, query.values)[1], tag_heads, usual)
        columns = [has_tag[tag.head][:, tag.index] for tag in tags]
        least = max(1, min(k, (int(among.sum()) + 1) // 2))
        return by_similarity(query, among=_pool(columns, among, chosen, least=least), k=k)

    return rank


def _pool(columns: Sequence[np.ndarray], among: np.ndarray, tag_filter: TagFilter, *, least: int) -> np.ndarray:
    """Return the tracks that have the query's tags, (tracks,) bool, asking for less until at least `least` are left.

    Args:
        columns: Per tag of the query, the most characteristic first, which tracks have it.
        among: (tracks,) bool, the tracks to choose from.
        tag_filter: How many tags, and whether any or all of them.
        least: Number of tracks.
    """
    if tag_filter.match == "any":
        sizes = range(min(tag_filter.top, len(columns)), len(columns) + 1)
    else:
        sizes = range(min(tag_filter.top, len(columns)), 0, -1)
    combine = np.logical_or.reduce if tag_filter.match == "any" else np.logical_and.reduce
    for size in sizes if columns else ():
        kept = among & combine(columns[:size])
        if kept.sum() >= least:
            return kept
    return among


def ranked_lists(
    ranker: Ranker, queries: Sequence[Query], *, among: np.ndarray, k: int, apart: np.ndarray | None = None
) -> np.ndarray:
    """Return the k tracks that a ranker gives for every query, (queries, k) rows; -1 where it gives fewer.

    Args:
        ranker: The ranker.
        queries: The queries. None is recommended to itself.
        among: (tracks,) bool, the tracks that can be recommended.
        k: Number of tracks per query.
        apart: (tracks,) text: tracks with the text of the query, such as its artist, are not recommended to it. ""
            stands for an unknown one.
    """
    lists = np.full((len(queries), k), -1, dtype=np.int64)
    for place, query in enumerate(queries):
        others = among.copy()
        others[query.row] = False
        if apart is not None and apart[query.row] != "":
            others &= apart != apart[query.row]
        found = ranker(query, among=others, k=k)[:k]
        lists[place, : len(found)] = found
    return lists
