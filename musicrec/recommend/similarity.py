"""The second step of a recommendation: the similarity of two tracks, a weighted mean over blocks of features."""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated

import numpy as np
from annotated_types import Ge, Lt

from musicrec.config.value_check import check_choice, check_value
from musicrec.errors import ConfigError
from musicrec.heads import Head

METRICS = ("cosine", "euclidean", "correlation")
_Weight = Annotated[float, Ge(0), Lt(math.inf)]


class Similarity:
    """Compares one track with many.

    A block is a head, or "embedding". For a head with exclusive classes and `K = head.compatibility()`, the vectors of
    two tracks with the probabilities p and q are p√K and q√K, so their product is pᵀKq. Neighbours on the Camelot
    wheel, near tempi, and half and double tempo therefore count as similar. (√K is the root of the nearest positive
    semidefinite matrix, in which negative eigenvalues of K are 0.) For a head of independent attributes, each attribute
    counts as a choice between two classes, (p, 1 - p): two tracks that are both *not* loud are similar in that.

    The metrics:

    - cosine: The similarity of a block is the cosine of its vectors, from 0 to 1 for heads and from -1 to 1 for the
      embedding. The total is the weighted mean, which is the cosine of the unit vectors put side by side, each times
      the root of its weight.
    - correlation: The same after subtracting the mean of each vector, from -1 to 1.
    - euclidean: 1 / (1 + distance). The square of the total distance is the weighted mean of the squares of the blocks.
      The vectors of heads keep their lengths, so a track with uncertain answers is not close to one with certain
      answers; embeddings are scaled to unit length.

    Args:
        heads: The heads that the tracks have.
        weights: {block: weight}. A block of weight 0 is ignored. None stands for the default: 1 for heads of the role
            "feature" and 0 for the rest; if there are no such heads, 1 for the embedding.
        metric: "cosine", "euclidean" or "correlation".

    Raises:
        ConfigError: An unknown metric or block, or weights that are out of range or all 0.
    """

    def __init__(
        self, heads: Sequence[Head], *, weights: Mapping[str, float | None] | None = None, metric: str = "cosine"
    ) -> None:
        check_choice("similarity.metric", metric, METRICS)
        self.metric = metric
        self._heads = {head.name: head for head in heads}
        chosen = {name: float(head.role == "feature") for name, head in self._heads.items()}
        chosen["embedding"] = float(not any(chosen.values()))
        for name, weight in (weights or {}).items():
            if weight is None:
                continue
            if name not in chosen:
                raise ConfigError(f"weights.{name}={weight}: no such block; choose from: {', '.join(chosen)}")
            check_value(f"weights.{name}", weight, _Weight, expected="a number, 0 or more")
            chosen[name] = float(weight)
        self.weights = {name: weight for name, weight in chosen.items() if weight > 0}
        if not self.weights:
            raise ConfigError(f"weights: all are 0; give a weight to one of the blocks: {', '.join(chosen)}")
        self._roots = {name: matrix_root(self._matrix(name)) for name in self.weights if name != "embedding"}

    def _matrix(self, name: str) -> np.ndarray:
        matrix = self._heads[name].compatibility()
        return matrix if self._heads[name].exclusive else np.kron(np.eye(2), matrix)

    def vectors(self, block: str, values: np.ndarray) -> np.ndarray:
        """Return the vectors that are compared.

        Args:
            block: A head, or "embedding".
            values: (tracks, size) probabilities or embeddings.

        Returns:
            (tracks, dimensions) float32.
        """
        values = np.asarray(values, dtype=np.float32)
        if block != "embedding":
            if not self._heads[block].exclusive:
                values = np.concatenate([values, 1 - values], axis=1)
            values = values @ self._roots[block]
        if self.metric == "correlation":
            values = values - values.mean(axis=1, keepdims=True)
        if self.metric != "euclidean" or block == "embedding":
            length = np.linalg.norm(values, axis=1, keepdims=True)
            values = np.divide(values, length, out=np.zeros_like(values), where=length > 1e-12)
        return values

    def compare(
        self, query: Mapping[str, np.ndarray], tracks: Mapping[str, np.ndarray]
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Return the similarity of one track to many.

        Args:
            query: {block: (size,)}.
            tracks: {block: (tracks, size)}.

        Returns:
            (tracks,) the total, and the similarity per block, {block: (tracks,)}.
        """
        terms, by_block = [], {}
        share = {name: weight / sum(self.weights.values()) for name, weight in self.weights.items()}
        for name, weight in share.items():
            one, many = self.vectors(name, query[name][None])[0], self.vectors(name, tracks[name])
            if self.metric == "euclidean":
                distance = np.linalg.norm(many - one, axis=1)
                terms.append(weight * distance**2)
                by_block[name] = 1 / (1 + distance)
            else:
                by_block[name] = np.clip(many @ one, -1, 1)
                terms.append(weight * by_block[name])
        total = np.sum(terms, axis=0)
        return (1 / (1 + np.sqrt(total)) if self.metric == "euclidean" else total), by_block


def matrix_root(matrix: np.ndarray) -> np.ndarray:
    """Return √K for the positive semidefinite matrix nearest to a symmetric matrix, both (size, size); float32."""
    values, vectors = np.linalg.eigh(matrix.astype(np.float64))
    return ((vectors * np.sqrt(values.clip(min=0))) @ vectors.T).astype(np.float32)
