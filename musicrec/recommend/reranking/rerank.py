"""How a shortlist is put in its last order: hubs lose their lead, and the best tracks are put in a diverse order."""

from dataclasses import dataclass

import numpy as np

from musicrec.config.number_types import Natural, Share
from musicrec.config.value_check import check_fields
from musicrec.recommend.reranking.diversity import diverse_order
from musicrec.recommend.reranking.hubs import spread, without_hubs
from musicrec.recommend.reranking.weighting import compared_vectors


@dataclass(frozen=True, kw_only=True)
class Reranking:
    """How a shortlist is put in its last order.

    Attributes:
        neighbours: How many tracks around the query lend it their sound; 0 for none. See `expanded_query`, which comes
            before this last order.
        hubs: How far tracks that are similar to everything are put back, from 0, not at all, to 1; see `without_hubs`.
        balance: λ of the maximal marginal relevance, from 0, tracks as different as possible, to 1, the most similar
            ones; see `diverse_order`.

    Raises:
        ConfigError: A value is out of range.
    """

    neighbours: Natural = 0
    hubs: Share = 0.0
    balance: Share = 1.0

    def __post_init__(self) -> None:
        check_fields("reranking", self)

    def order(
        self,
        similarity: np.ndarray,
        *,
        query: np.ndarray,
        query_weight: float,
        vectors: np.ndarray,
        weights: np.ndarray,
        known_weight: np.ndarray,
        mean: np.ndarray,
        second: np.ndarray,
        k: int,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the best k tracks of a shortlist.

        Args:
            similarity: (tracks,) the similarity of each track to the query.
            query: (size,) the query's vector.
            query_weight: The sum of the weights of the blocks that it has.
            vectors: (tracks, size) the vectors of the shortlist.
            weights: (size,) the weight of the block to which each dimension belongs; 0 for blocks that the query lacks.
            known_weight: (tracks,) the sum of the weights of the blocks that a track has.
            mean: (size,) the mean of the library's vectors.
            second: (size, size) the mean of their outer products.
            k: Number of tracks; fewer if there are fewer.

        Returns:
            Rows of the shortlist, (k,), best first, and the similarity of all its tracks without hubs, (tracks,).
        """
        scores = np.asarray(similarity, dtype=np.float64)
        if self.hubs:
            scores = without_hubs(
                scores,
                query=spread(query[None], weights, np.array([query_weight]), mean=mean, second=second),
                candidates=spread(vectors, weights, known_weight, mean=mean, second=second),
                strength=self.hubs,
            )
        if self.balance == 1:
            return np.argsort(-scores, kind="stable")[:k], scores
        compared = compared_vectors(vectors, weights, known_weight)
        return diverse_order(scores, compared, balance=self.balance, k=k), scores
