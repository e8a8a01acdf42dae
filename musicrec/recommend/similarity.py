"""How alike two tracks are: named blocks of features, each compared by itself, put together by weights."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from musicrec.errors import ConfigError
from musicrec.heads import Head

METRICS = ("cosine", "euclidean", "correlation")


class Similarity:
    """Compares one track with many.

    A block is a head, or "embedding". With a head's probabilities p and q, and K = `head.compatibility()`, its vectors
    are p√K and q√K, so that their product is pᵀKq: neighbours on the Camelot wheel, near tempi, half and double tempo
    count as alike. (√K is that of the nearest positive semidefinite matrix: eigenvalues below 0 are 0.) A head of
    independent attributes is read as one choice of two an attribute, (p, 1 - p): that both tracks are *not* loud is
    something they share.

    metric:
        cosine: a block's similarity is its cosine; the whole is the weighted mean, which is the cosine of the
            concatenated unit vectors, each times the root of its weight. 0 to 1 for heads, -1 to 1 for the embedding.
        correlation: the same on vectors whose own mean was taken off. -1 to 1.
        euclidean: 1 / (1 + distance), where the square of the whole distance is the weighted mean of the blocks'. The
            vectors of heads keep their lengths, so an unsure answer is not a sure one; embeddings are unit vectors.
    weights: {block: weight}; None stands for the default, which is 1 for heads that the recommender compares (role
        "feature") and 0 for the others; models that have no such head are compared by their embedding. A block of
        weight 0 is left out.

    Raises ConfigError for an unknown metric or block, and weights that cannot work.
    """

    def __init__(
        self, heads: Sequence[Head], *, weights: Mapping[str, float | None] | None = None, metric: str = "cosine"
    ) -> None:
        if metric not in METRICS:
            raise ConfigError(f"metric={metric}: choose one of {', '.join(METRICS)}")
        self.metric = metric
        self._heads = {head.name: head for head in heads}
        chosen = {name: float(head.role == "feature") for name, head in self._heads.items()}
        chosen["embedding"] = float(not any(chosen.values()))
        for name, weight in (weights or {}).items():
            if weight is None:
                continue
            if name not in chosen:
                raise ConfigError(f"weights.{name}={weight}: no such block; there are: {', '.join(chosen)}")
            if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight < math.inf:
                raise ConfigError(f"weights.{name}={weight}: give a number, 0 or more")
            chosen[name] = float(weight)
        self.weights = {name: weight for name, weight in chosen.items() if weight > 0}
        if not self.weights:
            raise ConfigError(f"weights: all are 0; give one of the blocks a weight: {', '.join(chosen)}")
        self._roots = {name: matrix_root(self._matrix(name)) for name in self.weights if name != "embedding"}

    def _matrix(self, name: str) -> np.ndarray:
        matrix = self._heads[name].compatibility().numpy()
        return matrix if self._heads[name].exclusive else np.kron(np.eye(2), matrix)

    def vectors(self, block: str, values: np.ndarray) -> np.ndarray:
        """(tracks, dimensions) float32 of (tracks, size) probabilities or embeddings."""
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
        """The similarity of one track, {block: (size,)}, to many, {block: (tracks, size)}.

        Returns (tracks,) the whole, and {block: (tracks,)}.
        """
        whole, by_block = 0.0, {}
        share = {name: weight / sum(self.weights.values()) for name, weight in self.weights.items()}
        for name, weight in share.items():
            one, many = self.vectors(name, query[name][None])[0], self.vectors(name, tracks[name])
            if self.metric == "euclidean":
                distance = np.linalg.norm(many - one, axis=1)
                whole = whole + weight * distance**2
                by_block[name] = 1 / (1 + distance)
            else:
                by_block[name] = np.clip(many @ one, -1, 1)
                whole = whole + weight * by_block[name]
        return (1 / (1 + np.sqrt(whole)) if self.metric == "euclidean" else whole), by_block


def matrix_root(matrix: np.ndarray) -> np.ndarray:
    """√K (size, size) float32 of the positive semidefinite matrix nearest to a symmetric one."""
    values, vectors = np.linalg.eigh(matrix.astype(np.float64))
    return ((vectors * np.sqrt(values.clip(min=0))) @ vectors.T).astype(np.float32)
