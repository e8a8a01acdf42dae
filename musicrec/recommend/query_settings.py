"""What a query is asked with: a preset, the changes of its settings, and how tracks are compared."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from musicrec.recommend.filters import TagFilter
from musicrec.recommend.library import Library
from musicrec.recommend.library_index import LibraryIndex
from musicrec.recommend.musical_filters import MusicalFilters, set_filters
from musicrec.recommend.presets import Preset, read_preset
from musicrec.recommend.reranking.rerank import Reranking
from musicrec.recommend.similarity import Similarity, Weights, default_weights
from musicrec.recommend.summaries import tags_by


@dataclass(frozen=True, kw_only=True)
class QuerySettings:
    """Settings that fit a library; see `musicrec.recommend.request.Request`, which has the same attributes.

    Attributes:
        preset: Weights, filters and order, after all changes.
        soft: Filters of the preset that may be dropped.
        similarity: How tracks are compared.
    """

    preset: Preset
    soft: frozenset[str]
    similarity: Similarity


def query_settings(
    library: Library,
    *,
    preset: Preset | str | None = None,
    filters: MusicalFilters | None = None,
    tags: TagFilter | Mapping[str, Any] | None = None,
    weights: Weights | None = None,
    metric: str = "cosine",
    passage: str | None = None,
    neighbours: int | None = None,
    hubs: float | None = None,
    balance: float | None = None,
) -> QuerySettings:
    """Return the settings of a query, for the blocks that a library has.

    Args:
        library: The library.
        preset: As for `Recommender.query`; so are all others.
        filters: Musical filters in place of those of the preset.
        tags: The first step, or changes of it.
        weights: Weights in place of those of the preset.
        metric: How a block is compared.
        passage: Which parts of the tracks are compared, see `Preset`.
        neighbours: How many tracks around the query count with it.
        hubs: How far hubs are put back.
        balance: How much similarity counts against diversity.

    Raises:
        ConfigError: A setting is out of range, or there is no such preset or block.
    """
    chosen = read_preset(preset) if isinstance(preset, str) else preset
    heads, blocks = list(library.heads.values()), library.blocks()
    others = [name for name in blocks if name not in library.heads]
    if chosen is None:
        chosen = Preset(name="default", weights=default_weights(heads, others), reranking=Reranking(neighbours=5))
    else:
        chosen = replace(chosen, weights=chosen.weights_for(blocks))
    soft = set_filters(chosen.filters)
    if filters is not None:  # what was not changed in the filters of the preset may still be dropped
        soft = frozenset(name for name in soft if getattr(filters, name) == getattr(chosen.filters, name))
    chosen = replace(
        chosen,
        filters=filters or chosen.filters,
        tags=tags if isinstance(tags, TagFilter) else replace(chosen.tags, **_given(tags or {})),
        reranking=replace(chosen.reranking, **_given({"neighbours": neighbours, "hubs": hubs, "balance": balance})),
        passage=passage or chosen.passage,
    )
    own = {name: weight for name, weight in (weights or {}).items() if weight is not None}
    unchanged = {name: weight for name, weight in chosen.weights.items() if name not in own}
    compare = Similarity(heads, blocks=others, weights={**unchanged, **own}, metric=metric)
    return QuerySettings(preset=chosen, soft=soft, similarity=compare)


def index_with_tags(library: Library, index: LibraryIndex, tag_filter: TagFilter) -> LibraryIndex:
    """Return an index in which tracks have the tags that a filter gives them, if its limits are not the usual."""
    if tag_filter.usual_tags or not index.tags.names:
        return index
    return index.with_tags(tags_by(library, index.ids, tag_filter))


def _given(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that are neither None nor empty."""
    return {name: value for name, value in settings.items() if value not in (None, (), [])}
