"""The share of recommendations that have the query's tags and near features.

The first project of this kind (a tagger, then a network for tempo, key and the like) states an "objective evaluation of
recommendations" of 62.3 % and publishes no definition. This one follows its two steps: a recommendation counts if

1. it **has the query's tags**: all of the most characteristic tags of the query, at most three, as the tag filter of a
   query chooses them (`musicrec.recommend.filters.TagFilter`). All tags are predicted.
2. its **features are near**: the cosine of its feature vector with the query's is among the highest 10 % of all tracks
   that could be recommended. The feature vector holds the answers of the heads of the role "feature" side by side, each
   with the same weight (tempo, key, and whatever else the models of the library predict), as the ranking compares them.

Chance is 10 % of the tracks for the second alone. Figures of other libraries and models cannot be compared with 62.3 %.
"""

from collections.abc import Sequence

import numpy as np

from musicrec.heads import Head
from musicrec.recommend.evaluation.accuracy import mean_of_known
from musicrec.recommend.evaluation.exact_search import ExactSearch
from musicrec.recommend.filters import TagFilter, tag_values
from musicrec.recommend.similarity import Similarity

NEAR_SHARE = 0.1


class TagsAndFeatures:
    """What a library's tracks share with a query, by the answers of its models.

    Args:
        search: The tracks.
        heads: The heads of the library.
        among: (tracks,) bool, the tracks that can be recommended.
        tag_filter: How tags are chosen; None as by default.

    Attributes:
        has_tags: Whether the library has a head that predicts tags.
        has_features: Whether it has one that predicts features.
    """

    def __init__(
        self, search: ExactSearch, heads: Sequence[Head], *, among: np.ndarray, tag_filter: TagFilter | None = None
    ) -> None:
        self._filter, self._among, self._search = tag_filter or TagFilter(), among, search
        self._tag_heads, self._stored = tag_values(heads, search.values)
        self._usual = {name: values.mean(axis=0) for name, values in self._stored.items()}
        self._has_tag = {head.name: self._filter.has_tag(head, self._stored[head.name]) for head in self._tag_heads}
        features = [head for head in heads if head.role == "feature"]
        self.has_tags, self.has_features = bool(self._tag_heads), bool(features)
        self._similarity = (
            Similarity(features, blocks=[], weights={head.name: 1.0 for head in features}) if features else None
        )

    def shares(self, ranked: np.ndarray, queries: np.ndarray) -> dict[str, np.ndarray]:
        """Return the share of each list that counts, in both parts and as a whole.

        Args:
            ranked: (queries, k) the lists, -1 for "none".
            queries: (queries,) rows of the queries.

        Returns:
            {"query_tags", "near_features", "tags_and_features": (queries,)}; empty if the library lacks tags or
            features.
        """
        if not (self.has_tags and self.has_features):
            return {}
        tags, near = np.empty(ranked.shape), np.empty(ranked.shape)
        for place, row in enumerate(queries):
            tags[place] = self._with_tags(row)[ranked[place]]
            near[place] = self._near(row)[ranked[place]]
        given = ranked >= 0
        parts = {"query_tags": tags, "near_features": near, "tags_and_features": tags * near}
        return {name: mean_of_known(np.where(given, values, np.nan)) for name, values in parts.items()}

    def _with_tags(self, row: int) -> np.ndarray:
        """Return which tracks have the query's tags, (tracks,) bool."""
        own = {name: values[row] for name, values in self._stored.items()}
        tags = self._filter.tags_of(own, self._tag_heads, self._usual)[: self._filter.top]
        return np.logical_and.reduce([self._has_tag[tag.head][:, tag.index] for tag in tags])

    def _near(self, row: int) -> np.ndarray:
        """Return which tracks have features near those of the query, (tracks,) bool."""
        assert self._similarity is not None
        values = {name: self._search.values[name] for name in self._similarity.weights}
        total, _ = self._similarity.compare({name: of[row] for name, of in values.items()}, values)
        others = self._among.copy()
        others[row] = False
        number = max(1, round(NEAR_SHARE * others.sum()))
        limit = -np.partition(-total[others], number - 1)[number - 1]
        return total >= limit
