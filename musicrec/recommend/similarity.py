"""The second step of a recommendation: the similarity of two tracks, a weighted mean over blocks of features."""

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Annotated

import numpy as np
from annotated_types import Ge, Lt

from musicrec.config.value_check import check_choice, check_value
from musicrec.descriptors import DESCRIPTORS
from musicrec.errors import ConfigError
from musicrec.heads import Head

METRICS = ("cosine", "euclidean", "correlation")
_Weight = Annotated[float, Ge(0), Lt(math.inf)]
_LEAST_DEVIATION = 1e-6  # a dimension that is the same in all tracks is centred and not scaled

Weights = Mapping[str, float | Mapping[str, float | None] | None]
"""{block: weight}. {"embedding": {NAME: weight}} weighs the embeddings of single models, instead of all together."""

Statistics = tuple[np.ndarray, np.ndarray]
"""The mean and the standard deviation of each dimension of a block over the tracks of a library, both (size,)."""


WITH_TAGS = {"embedding": 4.0, "variation": 3.0, "energy": 2.0, "loudness": 2.0, "brightness": 2.0}
WITHOUT_TAGS = {"energy": 1.0}
"""The default weights of what is no head, in a library with and without a model that predicts tags."""


class Similarity:
    """Compares one track with many.

    A block is a head, an embedding, or a descriptor. Each block of a track is a vector of unit length, so the
    similarity of two tracks in a block is the product of their vectors, and the total is the weighted mean over the
    blocks that both tracks have.

    - A head with exclusive classes and `K = head.compatibility()`: the vectors of two tracks with the probabilities p
      and q are p√K and q√K, so their product is pᵀKq. Neighbours on the Camelot wheel, near tempi, and half and double
      tempo therefore count as similar. (√K is the root of the nearest positive semidefinite matrix, in which negative
      eigenvalues of K are 0.) For a head of independent attributes, each attribute counts as a choice between two
      classes, (p, 1 - p): two tracks that are both *not* loud are similar in that.
    - An embedding, "embedding" for those of all models side by side and "embedding.NAME" for that of one model: each
      dimension is centred and scaled by its mean and deviation over the library. Without that, most of a vector is what
      all music has in common.
    - "variation", the deviation of an embedding over the chunks of a track, is compared in the same way. It tells music
      that changes from music that stays the same. (Mean and deviation over time are also what speakers are recognised
      by: Snyder et al. 2018, "X-vectors: robust DNN embeddings for speaker recognition".)
    - A descriptor, such as "energy": a point on a quarter of a circle, see `Descriptor.vectors`.

    The metrics:

    - cosine: The similarity of a block is the cosine of its vectors, from 0 to 1 for heads and descriptors and from -1
      to 1 for embeddings. The total is the weighted mean, which is the cosine of the unit vectors put side by side,
      each times the root of its weight.
    - correlation: The same after subtracting the mean of each vector, from -1 to 1. Descriptors are as for cosine.
    - euclidean: 1 / (1 + distance). The square of the total distance is the weighted mean of the squares of the blocks.
      The vectors of heads keep their lengths, so a track with uncertain answers is not close to one with certain
      answers; embeddings are scaled to unit length.

    Args:
        heads: The heads that the tracks have.
        blocks: The names of what else the tracks have, embeddings and descriptors; names of heads may be among them.
        weights: The weight of each block. A block of weight 0 is ignored. None stands for the default, see
            `default_weights`.
        metric: "cosine", "euclidean" or "correlation".

    Attributes:
        weights: {block: weight} of the blocks that count.
        metric: The metric.

    Raises:
        ConfigError: An unknown metric or block, or weights that are out of range or all 0.
    """

    def __init__(
        self,
        heads: Sequence[Head],
        *,
        blocks: Sequence[str] = ("embedding",),
        weights: Weights | None = None,
        metric: str = "cosine",
    ) -> None:
        check_choice("similarity.metric", metric, METRICS)
        self.metric = metric
        self._heads = {head.name: head for head in heads}
        chosen = default_weights(heads, blocks)
        for name, weight in _flat(weights or {}).items():
            if weight is None:
                continue
            if name not in chosen:
                raise ConfigError(f"weights.{name}={weight}: no such block; choose from: {', '.join(chosen)}")
            check_value(f"weights.{name}", weight, _Weight, expected="a number, 0 or more")
            chosen[name] = float(weight)
        self.weights = {name: weight for name, weight in chosen.items() if weight > 0}
        if not self.weights:
            raise ConfigError(f"weights: all are 0; give a weight to one of the blocks: {', '.join(chosen)}")
        self._roots = {name: matrix_root(self._matrix(name)) for name in self.weights if name in self._heads}

    @property
    def scaled(self) -> list[str]:
        """The blocks whose dimensions are centred and scaled by their statistics over the library."""
        return [name for name in self.weights if name not in self._heads and is_embedding(name)]

    def _matrix(self, name: str) -> np.ndarray:
        matrix = self._heads[name].compatibility()
        return matrix if self._heads[name].exclusive else np.kron(np.eye(2), matrix)

    def vectors(self, block: str, values: np.ndarray, statistics: Statistics | None = None) -> np.ndarray:
        """Return the vectors that are compared.

        Args:
            block: A head, an embedding or a descriptor.
            values: (tracks, size) probabilities, embeddings or values of a descriptor; NaN where there is none.
            statistics: Mean and deviation of each dimension of an embedding, both (size,). None leaves it as it is.

        Returns:
            (tracks, dimensions) float32; zeros where a track has no value.
        """
        values = np.asarray(values, dtype=np.float32)
        if block not in self._heads and block in DESCRIPTORS:
            return DESCRIPTORS[block].vectors(values[:, 0])
        if block in self._heads:
            if not self._heads[block].exclusive:
                values = np.concatenate([values, 1 - values], axis=1)
            values = values @ self._roots[block]
        elif statistics is not None:
            mean, deviation = statistics
            values = (values - mean) / np.where(deviation > _LEAST_DEVIATION, deviation, 1.0)
        if self.metric == "correlation":
            values = values - values.mean(axis=1, keepdims=True)
        if self.metric != "euclidean" or block not in self._heads:
            length = np.linalg.norm(values, axis=1, keepdims=True)
            values = np.divide(values, length, out=np.zeros_like(values), where=length > 1e-12)
        return np.nan_to_num(values, nan=0.0)

    def compare(
        self,
        query: Mapping[str, np.ndarray],
        tracks: Mapping[str, np.ndarray],
        statistics: Mapping[str, Statistics] | None = None,
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Return the similarity of one track to many.

        Args:
            query: {block: (size,)}; a block that the query lacks is left out.
            tracks: {block: (tracks, size)}; a value that a track lacks is NaN.
            statistics: {block: (mean, deviation)} of the blocks in `scaled`; see `vectors`.

        Returns:
            (tracks,) the total, and the similarity per block, {block: (tracks,)}, NaN where a track has no value. A
            track's total is the weighted mean of the blocks that it has, 0 if it has none.
        """
        count = len(next(iter(tracks.values())))
        total, counted = np.zeros(count), np.zeros(count)
        by_block: dict[str, np.ndarray] = {}
        for name, weight in self.weights.items():
            if name not in query or np.isnan(query[name]).any():
                continue
            of_library = (statistics or {}).get(name)
            one = self.vectors(name, query[name][None], of_library)[0]
            many = self.vectors(name, tracks[name], of_library)
            known = ~np.isnan(tracks[name]).any(axis=1)
            if self.metric == "euclidean":
                distance = np.linalg.norm(many - one, axis=1)
                term, shown = distance**2, 1 / (1 + distance)
            else:
                term = shown = np.clip(many @ one, -1, 1)
            total += np.where(known, weight * term, 0)
            counted += np.where(known, weight, 0)
            by_block[name] = np.where(known, shown, np.nan)
        mean = np.divide(total, counted, out=np.zeros(count), where=counted > 0)
        if self.metric == "euclidean":
            return np.where(counted > 0, 1 / (1 + np.sqrt(mean)), 0), by_block
        return mean, by_block


def default_weights(heads: Sequence[Head], blocks: Sequence[str]) -> dict[str, float]:
    """Return the weight of every block of a library, {block: weight}.

    Features, such as tempo and key, count 1, and tags 0: they have had their say in the first step. If a model predicts
    tags, its embedding knows how music sounds: `WITH_TAGS` is added, of what the library has. Without such a model,
    energy counts 1 beside the features. experiments/real_library tells how the numbers were chosen.

    Args:
        heads: The heads.
        blocks: The names of the embeddings and descriptors; names of heads may be among them.
    """
    weights = {head.name: float(head.role == "feature") for head in heads}
    others = [name for name in blocks if name not in weights]
    sound = WITH_TAGS if any(head.role == "tag" for head in heads) else WITHOUT_TAGS
    weights |= {name: sound.get(name, 0.0) for name in others}
    counted = [name for name, weight in weights.items() if weight]
    if not counted and "embedding" in weights:
        counted = ["embedding"]
    if len(counted) == 1:  # nothing to weigh it against
        weights[counted[0]] = 1.0
    return weights


def is_embedding(block: str) -> bool:
    """Return whether a block is an embedding: "embedding", "embedding.NAME", or its "variation"."""
    return block.partition(".")[0] in ("embedding", "variation")


def _flat(weights: Weights) -> dict[str, float | None]:
    """Return weights without the short form: {"embedding": {NAME: w}} is {"embedding": 0, "embedding.NAME": w}."""
    flat: dict[str, float | None] = {}
    for name, weight in weights.items():
        if isinstance(weight, Mapping):
            flat |= {name: 0.0, **{f"{name}.{part}": of_part for part, of_part in weight.items()}}
        else:
            flat[name] = weight
    return flat


def matrix_root(matrix: np.ndarray) -> np.ndarray:
    """Return √K for the positive semidefinite matrix nearest to a symmetric matrix, both (size, size); float32."""
    return _root_of(matrix.astype(np.float64).tobytes(), len(matrix))


@functools.lru_cache(maxsize=64)
def _root_of(matrix: bytes, size: int) -> np.ndarray:
    values, vectors = np.linalg.eigh(np.frombuffer(matrix).reshape(size, size))
    root = ((vectors * np.sqrt(values.clip(min=0))) @ vectors.T).astype(np.float32)
    root.flags.writeable = False  # all callers share it
    return root
